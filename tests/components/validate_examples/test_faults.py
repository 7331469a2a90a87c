"""Planted faults in real flights are caught and named; clean flights pass."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from google.protobuf import text_format
from markupsafe import escape
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from retrainer.components import validate_examples
from retrainer.components.validate_examples.checks import known_kinds


def plant(frame: pd.DataFrame, share: float, **values) -> pd.DataFrame:
    """Overwrite columns in a share of the rows."""
    changed = frame.copy()
    rows = changed.sample(frac=share, random_state=1).index
    for column, value in values.items():
        changed.loc[rows, column] = value
    return changed


def test_a_clean_year_raises_no_error(judge, months):
    names = list(months)
    for newest in range(2, 12):
        window = {span: months[span] for span in names[newest - 2 : newest + 1]}
        outcome = judge(window)
        assert outcome.error == "", outcome.error
        assert outcome.found("error") == set()
        assert ("month", "drift") not in outcome.found("warning"), "moves every month"
        kinds = {finding["kind"] for finding in outcome.findings}
        assert not kinds & {
            "same_data", "many_rows", "became_constant", "became_empty", "future_date",
            "date_after_span", "impossible_date", "label_rate", "drift", "skew",
        }  # fmt: skip
    year = judge(months, eval_spans=3)
    assert year.error == ""
    assert year.found("warning") == {("year", "constant_column")}


def test_the_demos_broken_month(judge, frozen, three, months):
    broken = plant(months["2013-04"], 0.1, carrier="ZZ").drop(columns="dep_delay")
    negative = broken.sample(frac=0.1, random_state=2).index
    broken.loc[negative, "distance"] *= -1
    outcome = judge({"2013-02": three["2013-02"], "2013-03": three["2013-03"], "2013-04": broken})

    assert {
        ("dep_delay", "missing_column"),
        ("carrier", "unexpected_values"),
        ("distance", "out_of_domain"),
    } == outcome.found("error")
    for words in (
        "the data has 3 errors (dep_delay missing column, carrier unexpected values",
        "dep_delay: missing column in evaluation (2013-04)",
        "found no such column; expected type FLOAT",
        "'ZZ' in 10 % of the rows",
        "one of 16 known values in at least 99 % of the rows",
        "a minimum of -4983",
        "expected at least 1",
        "change validation.domains.distance",
        "`retrainer schema accept dep_delay carrier` beside retrain.yaml, or",
        f"edit {outcome.schema}",
    ):
        assert words in outcome.error, words
    assert len(outcome.error.splitlines()) <= 24
    assert "3 errors" in outcome.page
    assert "stopped" in outcome.page
    diff = anomalies_pb2.Anomalies.FromString(
        (outcome.home / "anomalies" / "Split-eval" / "SchemaDiff.pb").read_bytes()
    )
    assert "dep_delay" in diff.anomaly_info


def as_text(frame):
    return frame.assign(distance=frame.distance.astype(str) + " mi")


def as_bytes(frame):
    """Carriers as a source in Latin-1 would give them."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    carriers = pa.array([f"{name}\xe9".encode("latin-1") for name in frame.carrier])
    return table.set_column(table.column_names.index("carrier"), "carrier", carriers)


def with_nan(frame):
    """Delays with NaN in some cells, which Parquet may hold beside nulls."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    delays = frame.dep_delay.to_numpy().copy()
    delays[:100] = np.nan
    column = pa.array(delays, from_pandas=False)
    return table.set_column(table.column_names.index("dep_delay"), "dep_delay", column)


def late_dates(frame, date, rows=3):
    changed = frame.copy()
    changed.loc[changed.index[-rows:], "time_hour"] = date
    return changed


# What is done to April, which column and kind it is found as, and what the frozen schema also says then.
FAULTS = {
    "column gone": (lambda f: f.drop(columns="distance"), "distance", "missing_column", ""),
    "column emptied": (lambda f: f.assign(carrier=None), "carrier", "missing_column", ""),
    "number as text": (as_text, "distance", "wrong_type", ""),
    "fractions": (lambda f: f.assign(distance=f.distance + 0.5), "distance", "wrong_type", ""),
    "new carriers": (lambda f: plant(f, 0.05, carrier="ZZ"), "carrier", "unexpected_values", ""),
    "negative": (lambda f: plant(f, 0.02, distance=-5), "distance", "out_of_domain", ""),
    "gaps in integers": (lambda f: plant(f, 0.01, hour=None), "hour", "missing_values", ""),
    "gaps in numbers": (
        lambda f: plant(f, 0.3, dep_delay=None), "dep_delay", "missing_values", "",
    ),
    "gaps in text": (lambda f: plant(f, 0.3, origin=None), "origin", "missing_values", ""),
    "one label": (lambda f: f.assign(late=0), "late", "constant_label", ""),
    "another label": (lambda f: plant(f, 0.05, late=2), "late", "out_of_domain", ""),
    "few rows": (lambda f: f.iloc[:300], "", "few_rows", ""),
    "no rows": (lambda f: f.iloc[:0], "", "no_rows", ""),
    "infinity": (
        lambda f: plant(f, 0.001, dep_delay=-np.inf).assign(x=1), "dep_delay", "infinite", "",
    ),
    "infinity in integers": (
        lambda f: plant(f.astype({"hour": float}), 0.001, hour=np.inf), "hour", "infinite", "",
    ),
    "NaN": (
        with_nan, "dep_delay", "not_a_number",
        "feature { name: 'dep_delay' float_domain { disallow_nan: true } }",
    ),
    "Latin-1": (as_bytes, "carrier", "invalid_utf8", ""),
    "shape": (
        lambda f: plant(f, 0.02, dep_delay=None), "dep_delay", "wrong_shape",
        "feature { name: 'dep_delay' shape { dim { size: 1 } } }",
    ),
    "values in a cell": (
        lambda f: f, "hour", "wrong_shape",
        "feature { name: 'hour' value_count { min: 2 max: 3 } }",
    ),
    "too many distinct": (
        lambda f: f.assign(origin=f.origin + f.dest), "origin", "distinct_values",
        "feature { name: 'origin' unique_constraints { min: 2 max: 9 } }",
    ),
    "too few distinct": (
        lambda f: f.assign(origin="JFK"), "origin", "distinct_values",
        "feature { name: 'origin' unique_constraints { min: 2 max: 9 } }",
    ),
    "few values": (
        lambda f: f, "dep_delay", "missing_values",
        "feature { name: 'dep_delay' presence { min_count: 1000000 } }",
    ),
    "text where the domain has numbers": (
        lambda f: f, "carrier", "wrong_type", "feature { name: 'carrier' float_domain {} }",
    ),
    "a domain of another type": (
        lambda f: f, "hour", "invalid_schema", "feature { name: 'hour' float_domain {} }",
    ),
    "an anomaly without a kind of its own": (
        lambda f: f, "hour", "other",
        "feature { name: 'hour' validation_derived_source { deriver_name: 'ours' } }",
    ),
    "far away": (lambda f: f.assign(distance=f.distance * 100), "distance", "drift", ""),
    "one value": (lambda f: f.assign(origin="JFK"), "origin", "drift", ""),
    "one number": (lambda f: f.assign(distance=1000), "distance", "drift", ""),
    "fewer rows than the schema asks for": (
        lambda f: f, "", "few_rows", "dataset_constraints { min_examples_count: 40000 }",
    ),
    "more rows than the schema allows": (
        lambda f: f, "", "many_rows", "dataset_constraints { max_examples_count: 20000 }",
    ),
    "fewer rows than the span before": (
        lambda f: f.iloc[:12_000], "", "few_rows",
        "dataset_constraints { num_examples_drift_comparator { min_fraction_threshold: 0.5 } }",
    ),
}  # fmt: skip


def edit_schema(file, words: str) -> None:
    """Write what columns also say into a frozen schema."""
    schema = text_format.Parse(file.read_text(), schema_pb2.Schema())
    extra = text_format.Parse(words, schema_pb2.Schema())
    known = {feature.name: feature for feature in schema.feature}
    for feature in extra.feature:
        if feature.HasField("shape"):
            known[feature.name].ClearField("value_count")
            known[feature.name].presence.min_fraction = 1
        known[feature.name].MergeFrom(feature)
    del extra.feature[:]
    schema.MergeFrom(extra)
    file.write_text(text_format.MessageToString(schema))


@pytest.mark.parametrize(
    ("change", "column", "words"),
    [
        (lambda f: f.assign(dep_delay=f.dep_delay.fillna(0).astype(int)), "dep_delay", ""),
        (
            lambda f: f.assign(distance=f.distance + 0.5),
            "distance",
            "feature { name: 'distance' presence { min_fraction: 0.9 } }",
        ),
    ],
    ids=["whole numbers where fractions were", "fractions where numbers may be missing"],
)
def test_numbers_that_the_model_takes_as_fractions_anyway_are_a_warning(
    judge, frozen, three, months, change, column, words
):
    if words:
        edit_schema(frozen.schema, words)
    outcome = judge({**three, "2013-04": change(months["2013-04"])})
    assert (column, "wrong_type") in outcome.found("warning")
    assert (column, "wrong_type") not in outcome.found("error")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_stops_the_run_and_is_named(judge, frozen, three, months, fault):
    change, column, kind, words = FAULTS[fault]
    if words:
        edit_schema(frozen.schema, words)
    outcome = judge({**three, "2013-04": change(months["2013-04"])})
    assert (column, kind) in outcome.found("error"), outcome.error
    finding = outcome.one(column, kind)
    assert finding["seen"]
    assert finding["expected"]
    known = known_kinds()[kind]
    subject = f"{column}: {known.title}" if column else known.title
    for said in (
        f"  {subject} in {finding['where']}",
        f"found {finding['seen']}; expected {finding['expected']}",
        f"fix: {finding['remedy']}",
    ):
        assert said in outcome.error
    place = f"columns.{column}.{kind}" if column else kind
    by_schema = f"`retrainer schema accept {column}" in outcome.error and known.in_schema
    by_domain = f"change validation.domains.{column}" in finding["remedy"]
    by_severity = f"accept it with validation.severity.{place}: ignore" in finding["remedy"]
    assert by_schema or by_domain or by_severity or "--all" in outcome.error


def test_what_is_accepted_by_its_severity_passes(judge, frozen, three, months):
    spans = {**three, "2013-04": plant(months["2013-04"], 0.001, dep_delay=np.inf)}
    assert judge(spans).found("error") == {("dep_delay", "infinite")}
    accepted = {"columns": {"dep_delay": {"infinite": "ignore"}}}
    assert judge(spans, severity=accepted).error == ""


WARNINGS = {
    "new column": (lambda f: f.assign(gate="B4"), "gate", "new_column"),
    "drift": (lambda f: f.assign(distance=f.distance * 3), "distance", "drift"),
    "drift of text": (lambda f: plant(f, 0.4, origin="JFK"), "origin", "drift"),
    "label moved": (lambda f: plant(f, 0.4, late=1), "late", "label_rate"),
    "always one value": (lambda f: f, "year", "constant_column"),
    "too many rows": (lambda f: pd.concat([f] * 4), "", "many_rows"),
    "rare label": (
        lambda f: f.assign(late=f.late.where(f.late.eq(0) | (f.index % 5 == 0), 0)),
        "late",
        "label_rate",
    ),
    "far future": (lambda f: late_dates(f, "2999-12-31T00:00:00Z"), "time_hour", "future_date"),
    "after the span": (lambda f: late_dates(f, "2013-05-02 00:00"), "time_hour", "date_after_span"),
    "a few words": (
        lambda f: f.assign(gate=[str(i % 30) if i % 50 else "closed" for i in range(len(f))]),
        "gate",
        "numbers_in_text",
    ),
    "no such day": (lambda f: late_dates(f, "2013-04-31 00:00"), "time_hour", "impossible_date"),
    "negative at times": (lambda f: plant(f, 0.02, minute=-1), "minute", "out_of_domain"),
    "no reading": (lambda f: plant(f, 0.004, distance=999_999), "distance", "far_values"),
    "new column, empty": (lambda f: f.assign(gate=None), "gate", "all_missing"),
}


@pytest.mark.parametrize("fault", WARNINGS)
def test_a_lesser_fault_is_shown(judge, frozen, three, months, fault):
    change, column, kind = WARNINGS[fault]
    outcome = judge({**three, "2013-04": change(months["2013-04"])})
    assert outcome.error == ""
    assert (column, kind) in outcome.found("warning")
    seen = str(escape(outcome.one(column, kind)["seen"]))
    assert re.search(rf"<b>{column or 'all rows'}</b>.*{re.escape(seen)}", outcome.page)


def test_every_kind_of_finding_is_planted_here():
    planted = {kind for _, _, kind, *_ in [*FAULTS.values(), *WARNINGS.values()]}
    with_a_test_of_their_own = {
        "same_data",
        "became_constant",
        "became_empty",
        "large_integers",
        "many_duplicates",
        "new_class",
        "odd_cells",
        "skew",
        "not_compared",
        "unknown_column",
    }
    assert planted | with_a_test_of_their_own == set(known_kinds())
    assert not planted & with_a_test_of_their_own


def test_a_threshold_on_a_column_that_earlier_spans_lack_is_said_to_do_nothing(
    judge, frozen, three, months
):
    edit_schema(
        frozen.schema,
        "feature { name: 'hour' drift_comparator { jensen_shannon_divergence { threshold: 0.9 } } }",
    )
    newest = three.pop("2013-03")
    spans = {span: frame.drop(columns="hour") for span, frame in three.items()}
    # Spans are ingested once, so these get names of their own.
    spans = {span.replace("2013", "2012"): frame for span, frame in spans.items()}
    outcome = judge({**spans, "2013-03": newest})
    assert ("hour", "not_compared") in outcome.found("warning")


def test_a_severity_for_a_misspelt_column_is_shown(judge, frozen, three):
    outcome = judge(three, severity={"columns": {"carier": "error", "month": "ignore"}})
    finding = outcome.one("", "unknown_column")
    assert finding["severity"] == "warning"
    assert finding["seen"] == "'carier'"
    assert "such as 'carrier'" in finding["expected"]


def test_a_share_is_said_only_where_the_statistics_tell_it(judge, frozen, three, months):
    # Some 550 of -5 lie in one bucket with thousands from 0 up.
    few = judge({**three, "2013-04": plant(months["2013-04"], 0.02, distance=-5)})
    assert few.one("distance", "out_of_domain")["seen"] == "a minimum of -5"
    many = judge({**three, "2013-05": plant(months["2013-05"], 0.3, distance=-5)})
    assert "(about 30" in many.one("distance", "out_of_domain")["seen"]


def test_a_span_is_compared_in_rows_with_the_one_before_it(judge, frozen, three, months):
    edit_schema(
        frozen.schema,
        "dataset_constraints { num_examples_drift_comparator {"
        " min_fraction_threshold: 0.8 max_fraction_threshold: 1.2 } }",
    )
    assert judge({**three, "2013-04": months["2013-04"]}).error == "", "not with all earlier rows"
    outcome = judge({**three, "2013-05": pd.concat([months["2013-05"]] * 2)})
    finding = outcome.one("", "many_rows")
    assert finding["severity"] == "error"
    assert finding["seen"] == f"{2 * len(months['2013-05']):,} rows"
    assert finding["expected"] == "at most 1.2 times as many as the span before"
    assert "num_examples_drift_comparator.max_fraction_threshold" in finding["remedy"]
    diff = anomalies_pb2.Anomalies.FromString(
        (outcome.home / "anomalies" / "Split-eval" / "SchemaDiff.pb").read_bytes()
    )
    assert [reason.type for reason in diff.dataset_anomaly_info.reason] == [
        anomalies_pb2.AnomalyInfo.COMPARATOR_HIGH_NUM_EXAMPLES
    ]
    used = text_format.Parse(
        (outcome.home / "anomalies" / "schema_used.pbtxt").read_text(), schema_pb2.Schema()
    )
    assert used.HasField("dataset_constraints")


def test_a_column_that_is_too_small_and_too_large_says_both(judge, three):
    outcome = judge(three, domains={"hour": {"min": 7, "max": 20}})
    finding = outcome.one("hour", "out_of_domain")
    assert finding["where"] == "training (2013-01, 2013-02) and evaluation (2013-03)"
    assert "at least 7 and at most 20" in outcome.error or (
        "at most 20 and at least 7" in outcome.error
    )


def test_the_same_data_under_two_names_stops_the_run(judge, frozen, three):
    copy = three["2013-02"].sample(frac=1, random_state=1)
    outcome = judge({**three, "2013-04": copy})
    assert ("", "same_data") in outcome.found("error")
    assert "2013-02 = 2013-04: the same" in outcome.error
    assert "severity.same_data: ignore" in outcome.error
    assert outcome.error.endswith("If the data is right, accept it as each error shows")
    assert "schema" not in outcome.error, "there is nothing that a schema could take"
    one_row_less = judge({**three, "2013-05": copy.iloc[1:]})
    assert ("", "same_data") not in one_row_less.found("error")


def test_a_column_that_the_schema_does_not_ask_for_loses_its_values(judge, frozen, months):
    # Empty in the first span, too: statistics of empty and filled spans are merged.
    spans = {name: months[name].assign(note=None) for name in ("2013-04", "2013-05", "2013-06")}
    spans["2013-05"].loc[spans["2013-05"].index[:50], "note"] = "diverted"
    outcome = judge(spans)
    assert ("note", "became_empty") in outcome.found("warning"), outcome.error
    accepted = judge(spans, severity={"columns": {"note": {"became_empty": "ignore"}}})
    assert "became_empty" not in {finding["kind"] for finding in accepted.findings}
    assert judge(spans, severity={"became_empty": "error"}).found("error") == {
        ("note", "became_empty")
    }


def test_dates_that_are_late_by_nature_or_by_a_day_pass(judge, months):
    spans = {
        name: months[name].assign(due="2999-01-01", day_after=f"{name}-28")
        for name in ("2013-01", "2013-02", "2013-03")
    }
    spans["2013-03"] = late_dates(spans["2013-03"], "2013-04-01T23:59:59Z").assign(note="x")
    spans["2013-03"].loc[spans["2013-03"].index[-1], "day_after"] = "unknown"
    outcome = judge(spans)
    assert not {"future_date", "date_after_span"} & {f["kind"] for f in outcome.findings}


def test_a_span_whose_own_date_has_not_come_is_found(judge, months):
    outcome = judge({"2013-01": months["2013-01"], "2990-02": months["2013-02"]})
    finding = outcome.one("", "future_date")
    assert finding["where"] == "span 2990-02"
    assert "begins on 2990-02-01" in finding["seen"]


def test_a_fault_on_the_first_run(judge, three):
    three["2013-03"] = plant(three["2013-03"], 0.1, carrier="ZZ")
    outcome = judge(three)
    assert ("carrier", "unexpected_values") in outcome.found("error")
    assert outcome.schema.exists(), "the training rows were good"


def test_a_threshold_of_skew_counts_where_skew_is_drift(judge, frozen, three):
    outcome = judge(three, skew={"columns": {"carrier": {"infinity_norm": 0.001}}})
    assert outcome.found("error") == {("carrier", "skew")}
    assert outcome.one("carrier", "skew")["threshold"] == 0.001
    assert not outcome.found("warning") & {("carrier", "drift")}
    edit_schema(
        frozen.schema,
        "feature { name: 'origin' skew_comparator { infinity_norm { threshold: 0.0001 } } }",
    )
    assert judge(three).found("error") == {("origin", "skew")}
    assert not judge(three, skew={"columns": {"origin": {}}}).error


def test_severities_can_be_changed(judge, frozen, three, months):
    spans = {**three, "2013-04": plant(months["2013-04"], 0.1, carrier="ZZ").assign(gate="B4")}
    assert judge(spans).found("error") == {("carrier", "unexpected_values")}
    quiet = judge(spans, severity={"unexpected_values": "warning", "new_column": "error"})
    assert quiet.found("error") == {("gate", "new_column")}
    columns = {"carrier": "ignore", "gate": {"new_column": "ignore"}}
    ignored = judge(spans, severity={"columns": columns})
    assert ignored.error == ""
    assert {f["kind"] for f in ignored.findings if f["column"] in columns} == {"constant_column"}


def test_a_few_unseen_values_pass(judge, frozen, three, months):
    spans = {**three, "2013-04": plant(months["2013-04"], 0.005, carrier="ZZ")}
    assert judge(spans).error == ""
    assert "'ZZ' in 0.5 %" in judge(spans, min_domain_mass=1.0).error
    strict = {"carrier": {"values": ["UA", "AA"], "min_domain_mass": 0.9}}
    assert "one of UA, AA in at least 90 % of the rows" in judge(three, domains=strict).error


def test_the_report_needs_no_network(judge, three):
    spans = {span: frame.rename(columns={"tailnum": "<i>tail"}) for span, frame in three.items()}
    outcome = judge(spans)
    assert "&lt;i&gt;tail" in outcome.page
    assert not re.search(r"""(src|href)\s*=|url\(|@import""", outcome.page)
    assert re.search(r"columns drifted</dt><dd>\d+ of \d+ \(", outcome.page)
    for column in spans["2013-01"].columns.drop("<i>tail"):
        assert f"<h3>{column}" in outcome.page


def test_the_component_writes_before_it_fails(frozen, judge, three, months, tmp_path):
    from kfp import dsl

    from retrainer.components.lib.errors import RetrainerError

    judge({**three, "2013-04": months["2013-04"].drop(columns="hour")})

    def artifact(kind, name):
        return kind(name=name, uri=str(tmp_path / "out" / name))

    (tmp_path / "out").mkdir()
    with pytest.raises(RetrainerError, match="hour: missing column"):
        validate_examples.python_func(
            statistics=dsl.Artifact(name="statistics", uri=str(tmp_path / "statistics")),
            anomalies=artifact(dsl.Artifact, "anomalies"),
            schema=artifact(dsl.Artifact, "schema"),
            report=artifact(dsl.HTML, "report.html"),
            store=str(tmp_path / "store"),
        )
    assert (tmp_path / "out" / "anomalies" / "anomalies.json").exists()
    assert (tmp_path / "out" / "schema" / "schema.pbtxt").read_text() == frozen.schema.read_text()
    assert "stopped" in (tmp_path / "out" / "report.html").read_text()


def test_an_empty_earlier_span_does_not_lower_the_usual_number_of_rows(judge, three):
    spans = {"2012-12": three["2013-01"].iloc[:0], "2012-11": three["2013-02"].iloc[:0], **three}
    del spans["2013-02"]
    spans["2013-03"] = three["2013-03"].iloc[:300]
    outcome = judge(dict(sorted(spans.items())))
    assert {kind for column, kind in outcome.found("error") if not column} >= {
        "no_rows",
        "few_rows",
    }


@pytest.mark.parametrize("odd", ["nan", "infinity", "1_000"])
def test_what_only_python_takes_for_a_number_is_text(judge, three, odd):
    article = [f"{i % 40}_{i % 7}00" for i in range(3000)]
    spans = {span: frame.head(3000).assign(article=article) for span, frame in three.items()}
    spans = {span: frame.assign(code=[odd, *["77"] * 2999]) for span, frame in spans.items()}
    outcome = judge(spans)
    found = {f["column"]: f for f in outcome.findings if f["kind"] == "numbers_in_text"}
    assert list(found) == ["code"]
    assert f"such as '{odd}'" in found["code"]["seen"]
