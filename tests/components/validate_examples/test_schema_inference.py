"""The schema is inferred once, frozen, and never changed by a run."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.features import raw_features
from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.validate_examples import validate as work
from retrainer.components.validate_examples.schema_inference import (
    drop_domains,
    infer_schema,
    widen_types,
)
from retrainer.components.validate_examples.settings import parse_settings


def features(path) -> dict[str, schema_pb2.Feature]:
    schema = text_format.Parse(path.read_text(), schema_pb2.Schema())
    return {feature.name: feature for feature in schema.feature}


def test_what_is_inferred_from_flights(frozen):
    known = features(frozen.schema)
    assert next(iter(known)) == "year"
    assert known["hour"].presence.min_fraction == 1, "an integer must be there for the model"
    assert known["dep_delay"].presence.min_fraction == 0.9
    assert known["carrier"].domain == "carrier"
    assert known["dest"].domain == "dest", "more than TFDV's 100 values, and they come back"
    assert not known["tailnum"].domain, "too many values"
    assert not known["time_hour"].domain, "a date is new every month"
    assert known["distance"].int_domain.min == 0
    assert list(known["distance"].annotation.tag) == ["inferred_domain"]
    assert not known["dep_delay"].HasField("float_domain"), "it is negative at times"
    late = known["late"]
    assert (late.int_domain.min, late.int_domain.max, list(late.annotation.tag)) == (0, 1, [])
    assert (frozen.home / "schema" / "schema.pbtxt").read_text() == frozen.schema.read_text()
    assert frozen.schema.read_text().startswith("# Inferred by retrainer")


def test_the_label_is_there_in_training_alone(frozen):
    schema = text_format.Parse(frozen.schema.read_text(), schema_pb2.Schema())
    assert list(schema.default_environment) == ["TRAINING", "SERVING"]
    outside = {f.name: list(f.not_in_environment) for f in schema.feature if f.not_in_environment}
    assert outside == {"late": ["SERVING"]}
    assert "late" not in raw_features(schema, [])
    assert "hour" in raw_features(schema, [])


def test_a_column_for_serving_alone_is_not_missed_in_training(judge, frozen, three):
    schema = text_format.Parse(frozen.schema.read_text(), schema_pb2.Schema())
    schema.feature.add(name="session", type=schema_pb2.BYTES).presence.min_count = 1
    schema.feature[-1].not_in_environment.append("TRAINING")
    frozen.schema.write_text(text_format.MessageToString(schema))
    assert judge(three).error == ""
    assert "session" not in raw_features(schema, [])
    schema.feature[-1].ClearField("not_in_environment")
    frozen.schema.write_text(text_format.MessageToString(schema))
    assert judge(three).found("error") == {("session", "missing_column")}


def test_the_label_is_missed_in_training(judge, frozen, three, months):
    unlabelled = months["2013-04"].drop(columns="late")
    assert ("late", "missing_column") in judge({**three, "2013-04": unlabelled}).found("error")


def test_a_curated_schema_passes_through_whole(judge, frozen, three, tmp_path):
    """Environments, domains, presence, shapes and comparators are read, and none is lost."""
    schema = text_format.Parse(frozen.schema.read_text(), schema_pb2.Schema())
    del schema.default_environment[:]
    schema.default_environment.append("OURS")
    known = {feature.name: feature for feature in schema.feature}
    known["tailnum"].in_environment.append("OURS")
    known["hour"].shape.dim.add(size=1)
    known["hour"].int_domain.max = 12
    known["hour"].ClearField("annotation")
    known["origin"].drift_comparator.infinity_norm.threshold = 0.0001
    known["carrier"].skew_comparator.infinity_norm.threshold = 0.5
    known["dep_delay"].presence.min_fraction = 0.5
    curated = tmp_path / "curated.pbtxt"
    curated.write_text("# ours\n" + text_format.MessageToString(schema))
    outcome = judge(three, schema_uri=str(curated))
    assert outcome.found("error") == {("hour", "out_of_domain"), ("origin", "drift")}
    assert (tmp_path / "schema" / "schema.pbtxt").read_text() == curated.read_text()
    used = features(tmp_path / "anomalies" / "schema_used.pbtxt")
    assert used["carrier"].skew_comparator.infinity_norm.threshold == 0.5
    assert used["dep_delay"].presence.min_fraction == 0.5
    assert used["hour"].shape.dim[0].size == 1


def test_of_two_first_runs_at_once_one_freezes_and_both_use_it(
    frozen, make_examples, three, tmp_path, monkeypatch
):
    frozen.schema.unlink()
    fewer = {span: frame.drop(columns="hour") for span, frame in three.items()}
    for name, spans in (("one", three), ("two", fewer)):
        renamed = {f"{name}-{span}": frame for span, frame in spans.items()}
        examples = make_examples(renamed, name=f"examples-{name}")
        compute(examples, str(tmp_path / name / "statistics"), str(tmp_path / name / "s.html"))
    both_inferred = threading.Barrier(2, timeout=60)
    original = work.create_exclusive

    def wait_for_the_other(uri, text):
        both_inferred.wait()
        return original(uri, text)

    monkeypatch.setattr(work, "create_exclusive", wait_for_the_other)

    def run(name):
        at = tmp_path / name
        outputs = (str(at / "anomalies"), str(at / "schema"), str(at / "report.html"))
        store = str(tmp_path / "store")
        try:
            work.validate(str(at / "statistics"), store, parse_settings(), *outputs)
        except RetrainerError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        errors = list(pool.map(run, ("one", "two")))
    used = [(tmp_path / name / "schema" / "schema.pbtxt").read_text() for name in ("one", "two")]
    assert used == [frozen.schema.read_text()] * 2
    pages = [(tmp_path / name / "report.html").read_text() for name in ("one", "two")]
    assert sorted("frozen now at" in page for page in pages) == [False, True]
    assert sorted("another run froze it just now" in page for page in pages) == [False, True]
    if "hour" in features(frozen.schema):
        assert errors[0] == ""
        assert "hour: missing column" in errors[1]
    else:
        assert errors == ["", ""], "a new column is a warning"


def test_a_domain_is_for_values_that_come_back(judge):
    def span(day: int, names: list[str]) -> pd.DataFrame:
        rows = 400
        return pd.DataFrame(
            {
                "day": [f"2024-01-{day:02}"] * rows,
                "batch": [names[i % 2] for i in range(rows)],
                "shop": [["north", "south"][i % 2] for i in range(rows)],
                "order": [f"o{day}-{i}" for i in range(rows)],
                "code": [["0012", "0013"][i % 2] for i in range(rows)],
                "sold": [i % 2 for i in range(rows)],
            }
        )

    spans = {str(day): span(day, [f"a{day}", f"b{day}"]) for day in range(1, 5)}
    outcome = judge(spans, label="sold", key=("order",))
    assert outcome.error == ""
    known = features(outcome.schema)
    assert {name for name, feature in known.items() if feature.domain} == {"shop"}


def test_what_a_hash_split_keeps_on_one_side_has_no_domain():
    frame = pd.DataFrame({"late": [i % 2 for i in range(3000)]})
    frame["customer"] = [f"customer {i % 100}" for i in range(3000)]
    frame["shop"] = [f"shop {i % 7}" for i in range(3000)]
    held_out = frame["customer"].isin([f"customer {i}" for i in range(0, 100, 5)])
    train, evaluation, whole = (
        Dataset(tfdv.generate_statistics_from_dataframe(rows))
        for rows in (frame[~held_out], frame[held_out], frame)
    )

    def with_domain(*aside):
        schema = infer_schema(train, [whole], ["late"], (), 0.99, *aside)
        return {feature.name for feature in schema.feature if feature.HasField("domain")}

    assert with_domain(evaluation) == {"shop"}
    assert with_domain() == {"shop", "customer"}


def test_a_domain_has_at_most_one_value_for_every_twenty_rows():
    frame = pd.DataFrame({"late": [i % 2 for i in range(400)]})
    for values in (20, 21):
        frame[f"{values} values"] = [f"value {i % values}" for i in range(400)]
    dataset = Dataset(tfdv.generate_statistics_from_dataframe(frame))
    schema = infer_schema(dataset, [dataset], ["late"], (), 0.99)
    assert [one.name for one in schema.feature if one.HasField("domain")] == ["20 values"]
    assert [domain.name for domain in schema.string_domain] == ["20 values"]


def test_a_domain_has_at_most_five_hundred_values():
    frame = pd.DataFrame({"late": [i % 2 for i in range(10_020)]})
    for values in (500, 501):
        frame[f"{values} values"] = [f"value {i % values}" for i in range(len(frame))]
    dataset = Dataset(tfdv.generate_statistics_from_dataframe(frame))
    schema = infer_schema(dataset, [dataset], ["late"], (), 0.99)
    assert [domain.name for domain in schema.string_domain] == ["500 values"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"domains": {"distanse": {"min": 1}}}, "Did you mean 'distance'"),
        ({"domains": {"carrier": {"min": 1}}}, "the column is text"),
        ({"domains": {"distance": {"values": ["a"]}}}, "the column is a number"),
        ({"domains": {"tailnum": {"min_domain_mass": 1}}}, "the schema lists no values"),
        ({"drift": {"columns": {"carier": {}}}}, "drift.columns names 'carier', which"),
        ({"skew": {"columns": {"carier": {}}}}, "Did you mean 'carrier'"),
        (
            {"drift": {"columns": {"distance": {"infinity_norm": 0.1}}}},
            "L-infinity norm always reads 0 for numbers; use jensen_shannon_divergence",
        ),
    ],
)
def test_a_setting_that_does_not_fit_the_schema(judge, frozen, three, settings, reason):
    assert reason in judge(three, **settings).error


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"domains": {"x": {"minimum": 1}}}, "domains.x has no 'minimum'. Did you mean 'min'"),
        ({"domains": {"x": {"min": "1"}}}, "domains.x.min is '1'"),
        ({"domains": {"x": {"min": 2, "max": 1}}}, "min 2 above max 1"),
        ({"domains": {"x": {"values": "abc"}}}, "set a list of texts"),
        ({"drift": {"infinity_nrom": 0.1}}, "Did you mean 'infinity_norm'"),
        ({"domains": {"x": {"min": math.nan}}}, "domains.x.min is nan"),
        ({"drift": {"infinity_norm": -1}}, "drift.infinity_norm is -1"),
        ({"drift": {"infinity_norm": math.nan}}, "drift.infinity_norm is nan"),
        ({"drift": {"columns": ["x"]}}, "drift.columns is ['x']; set a mapping by column"),
        ({"severity": {"columns": ["x"]}}, "severity.columns is ['x']; set a mapping by column"),
        ({"skew": {"columns": {"x": {"l1": 1}}}}, "skew.columns.x has no 'l1'"),
        (
            {"severity": {"drift": "fatal"}},
            "'fatal'; use error, warning or ignore",
        ),
        ({"severity": {"columns": {"x": {"drfit": "error"}}}}, "Did you mean 'drift'"),
        ({"max_rows_factor": 0.5}, "max_rows_factor is 0.5; set a number of 1 or more"),
        ({"max_label_factor": "3"}, "max_label_factor is '3'"),
        ({"min_domain_mass": 99}, "min_domain_mass is 99; set a share between 0 and 1"),
    ],
)
def test_a_wrong_setting_is_named(settings, reason):
    with pytest.raises(RetrainerError) as error:
        parse_settings(**settings)
    assert reason in str(error.value)


def dataset(**columns):
    return Dataset(tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns)))


def widened(**newer):
    """The schema of whole numbers from 0 to 9, the label among them, after newer rows."""
    whole = list(range(10)) * 10
    rows = dataset(x=whole, y=whole, flag=[0, 1] * 50, text=["a", "b"] * 50, real=[0.5, 1.5] * 50)
    schema = infer_schema(rows, [rows], ["y", "flag"], (), 0.99)
    widen_types(schema, dataset(**newer), ["y", "flag"])
    return {feature.name: feature for feature in schema.feature}


def gaps(count, rows=100):
    return pd.array([None] * count + [1] * (rows - count), dtype="Int64")


def test_fractions_of_newer_rows_make_a_number_of_whole_ones():
    known = widened(x=[0.5, 1.0], y=[0.5, 1.0], flag=[0.5, 1.0], text=["a", "b"])
    types = {name: schema_pb2.FeatureType.Name(one.type) for name, one in known.items()}
    assert types == {"x": "FLOAT", "y": "FLOAT", "flag": "INT", "text": "BYTES", "real": "FLOAT"}
    assert known["x"].WhichOneof("domain_info") == "float_domain"
    assert (known["x"].float_domain.min, known["x"].presence.min_fraction) == (0, 0.9)
    # The range of a label is not inferred.
    assert known["y"].WhichOneof("domain_info") is None
    assert known["y"].presence.min_fraction == 0.9
    assert (known["flag"].int_domain.max, known["flag"].presence.min_fraction) == (1, 1)


@pytest.mark.parametrize(("missing", "required"), [(0, 1), (1, 0.891), (5, 0.855), (6, 1)])
def test_integers_may_be_missing_where_few_newer_ones_are(missing, required):
    known = widened(x=gaps(missing), y=gaps(missing), flag=gaps(missing), real=gaps(50) / 2)
    assert known["x"].type == schema_pb2.INT
    assert known["x"].presence.min_fraction == required
    assert known["x"].int_domain.HasField("min")
    assert [known[label].presence.min_fraction for label in ("y", "flag")] == [1, 1]
    assert known["real"].presence.min_fraction == 0.9


@pytest.mark.parametrize(
    "newer", [{"x": ["a", "b"]}, {"x": [None] * 2, "z": [1.5] * 2}, {"z": [1]}]
)
def test_newer_rows_without_numbers_widen_nothing(newer):
    known = widened(**newer)
    assert (known["x"].type, known["x"].presence.min_fraction) == (schema_pb2.INT, 1)


@pytest.mark.parametrize(
    ("values", "kind", "low", "inferred"),
    [
        ([0.5, 1.0], "float_domain", 0, True),
        ([-0.5, 1.0], None, None, False),
        ([0.0, 1.5], "float_domain", 0, True),
        ([0, 5], "int_domain", 0, True),
        ([0, 1], "int_domain", 0, True),
        ([-1, 5], None, None, False),
        ([float("nan")] * 2, None, None, False),
    ],
)
def test_a_range_from_0_is_inferred_where_no_number_is_negative(values, kind, low, inferred):
    rows = dataset(x=values * 10, y=[0, 1] * 10)
    schema = infer_schema(rows, [rows], ["y"], (), 0.99)
    known = {feature.name: feature for feature in schema.feature}
    label = known["y"].int_domain
    assert (label.min, label.max, list(known["y"].annotation.tag)) == (0, 1, [])
    if "x" not in known:
        assert kind is None
        return
    feature = known["x"]
    assert feature.WhichOneof("domain_info") == kind
    assert bool(list(feature.annotation.tag)) is inferred
    if kind:
        assert getattr(feature, kind).min == low
        assert not getattr(feature, kind).HasField("max")


@pytest.mark.parametrize("label", [[0, 2], [1, 1], [0.0, 1.0], [-1, 1]])
def test_another_label_has_no_range(label):
    rows = dataset(y=label * 10)
    (feature,) = infer_schema(rows, [rows], ["y"], (), 0.99).feature
    assert feature.WhichOneof("domain_info") is None
    assert not feature.annotation.tag


@pytest.mark.parametrize(
    ("spans", "has_domain"),
    [
        (("ab", "ab"), True),
        # The later span has others, in 2 of 100 rows, and in 1.
        (("ab", "ab" * 49 + "cc"), False),
        (("ab", "ab" * 49 + "ac"), True),
        # What the earlier span alone had is known.
        (("abc", "ab"), True),
        (("a", "b", "ab"), False),
        (("", "ab"), True),
    ],
)
def test_a_domain_has_values_that_earlier_spans_had(spans, has_domain):
    cells = [list(one * (100 // len(one) if one else 0))[:100] for one in spans]
    whole = dataset(x=[cell for one in cells for cell in one], y=1)
    parts = [dataset(x=one, y=[1] * len(one)) if one else dataset(y=[1]) for one in cells]
    schema = infer_schema(whole, parts, ["y"], (), 0.99)
    assert [one.name for one in schema.feature if one.HasField("domain")] == ["x"] * has_domain


@pytest.mark.parametrize(
    ("values", "has_domain"),
    [
        (["2024-01-01", "2024-01-02T10:00:00Z"], False),
        (["0012", "3.5"], False),
        (["2024-01-01", "never"], True),
        (["1 a", "2 b"], True),
    ],
)
def test_dates_and_numbers_have_no_domain(values, has_domain):
    rows = dataset(x=values * 50, y=1)
    schema = infer_schema(rows, [rows], ["y"], (), 0.99)
    assert [one.name for one in schema.feature if one.HasField("domain")] == ["x"] * has_domain


@pytest.mark.parametrize(
    ("cells", "count", "fraction"),
    [
        ([1.5] * 10, 1, 0.9),
        ([1.5] * 9 + [None], 1, 0.81),
        ([1.5] * 2 + [None], 1, 0.6),
        (["a"] * 1 + [None] * 6, 1, 0.128),
        ([1] * 10, 1, 1),
        (pd.array([1] * 9 + [None], dtype="Int64"), 1, 0.81),
    ],
)
def test_a_tenth_more_may_be_missing_than_now(cells, count, fraction):
    rows = dataset(x=cells, y=[1] * len(cells))
    (presence,) = (
        one.presence for one in infer_schema(rows, [rows], ["y"], (), 0.99).feature if one.name == "x"
    )  # fmt: skip
    assert (presence.min_count, presence.min_fraction) == (count, fraction)


def test_two_columns_of_one_domain_keep_it_while_one_of_them_uses_it():
    schema = text_format.Parse(
        """
        feature { name: "a" domain: "shared" } feature { name: "b" domain: "shared" }
        feature { name: "c" domain: "own" }
        string_domain { name: "shared" } string_domain { name: "own" }
        """,
        schema_pb2.Schema(),
    )
    a, b, c = schema.feature
    for dropped, left in (([], ["shared", "own"]), ([a], ["shared", "own"]), ([b, c], [])):
        drop_domains(schema, dropped)
        assert [domain.name for domain in schema.string_domain] == left


def test_a_column_without_a_value_is_not_in_the_schema():
    rows = dataset(x=[None] * 20, z=[None] * 19 + ["a"], y=[0, 1] * 10)
    assert [one.name for one in infer_schema(rows, [rows], ["y"], (), 0.99).feature] == ["z", "y"]
