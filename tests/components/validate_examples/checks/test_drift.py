"""What a distance makes of a column: nothing at its threshold, a warning beyond it, an error far beyond."""

from types import SimpleNamespace

import pandas as pd
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.validate_examples.checks.drift import check_drift, check_skew
from retrainer.components.validate_examples.comparison import Comparison
from retrainer.components.validate_examples.distances import Distance
from retrainer.components.validate_examples.drift_baseline import Baseline
from retrainer.components.validate_examples.limits import ERROR_DISTANCE, L_INFINITY

SPANS = {name: pd.DataFrame({"x": ["a", "b"], "y": [0, 1]}) for name in "12"}


@pytest.fixture
def severities(analysis):
    """A function that judges distances of columns by their baselines, and gives severities by column."""

    def go(baselines, *, skew=False, has_skew=True, **distances):
        compared = Comparison(distances, [])
        made = analysis(
            SPANS,
            schema=schema_pb2.Schema(),
            drift=compared,
            skew=compared,
            drift_baselines=baselines,
            skew_baselines=baselines,
            has_skew=has_skew,
        )
        found = (check_skew if skew else check_drift)(made)
        return {one.column: one.severity for one in found}

    return go


def distance(value, threshold=0.1, chosen=False):
    return Distance(L_INFINITY, value, threshold, chosen)


@pytest.mark.parametrize("skew", [False, True])
def test_a_column_beyond_its_threshold_is_found_and_one_at_it_is_not(severities, skew):
    baselines = {"over": Baseline(), "usual": Baseline(normal="moves so"), "far": Baseline()}
    assert severities(
        baselines,
        skew=skew,
        at=distance(0.1),
        over=distance(0.1000001),
        usual=distance(0.9),
        far=distance(ERROR_DISTANCE),
    ) == {"over": "warning", "far": "error"}


def test_far_beyond_stops_the_run_only_where_the_earlier_spans_prove_it(severities):
    baselines = {"new": Baseline(), "unproven": Baseline(proven=False), "below": Baseline()}
    assert severities(
        baselines, new=distance(0.5), unproven=distance(1.0), below=distance(0.4999)
    ) == {"new": "error", "unproven": "warning", "below": "warning"}


@pytest.mark.parametrize("skew", [False, True])
def test_a_threshold_that_somebody_set_is_an_error_whatever_is_usual(severities, skew):
    baselines = {"x": Baseline(normal="moves so", proven=False)}
    assert severities(baselines, skew=skew, x=distance(0.11, chosen=True)) == {"x": "error"}


def test_where_training_is_not_compared_with_evaluation_nothing_is_said(severities):
    assert severities({"x": Baseline()}, skew=True, has_skew=False, x=distance(0.9)) == {}


def test_a_remedy_names_the_setting_of_its_kind_and_the_odd_span(analysis):
    def remedy(check, baseline):
        compared = Comparison({"x": distance(0.3)}, [])
        made = analysis(
            SPANS, schema=schema_pb2.Schema(), drift=compared, skew=compared,
            drift_baselines={"x": baseline}, skew_baselines={"x": baseline}, has_skew=True,
        )  # fmt: skip
        (found,) = check(made)
        return SimpleNamespace(remedy=found.remedy, seen=found.seen)

    assert "validation.drift.columns" in remedy(check_drift, Baseline()).remedy
    assert "validation.skew.columns" in remedy(check_skew, Baseline()).remedy
    odd = remedy(check_drift, Baseline(proven=False, odd_span="7"))
    assert "retrainer spans exclude 7" in odd.remedy
    assert "only span 7 differs" in odd.seen
    assert "(it moved)" in remedy(check_drift, Baseline(note="it moved")).seen


@pytest.mark.parametrize("skew", [False, True])
def test_a_comparator_that_always_reads_0_is_named(analysis, skew):
    field = "skew_comparator" if skew else "drift_comparator"
    other = "drift_comparator" if skew else "skew_comparator"
    schema = text_format.Parse(
        f"""
        feature {{ name: "y" {field} {{ infinity_norm {{ threshold: 0.1 }} }} }}
        feature {{ name: "z" {field} {{ normalized_abs_difference {{ threshold: 0.1 }} }} }}
        feature {{ name: "right" {field} {{ jensen_shannon_divergence {{ threshold: 0.1 }} }} }}
        feature {{ name: "elsewhere" {other} {{ infinity_norm {{ threshold: 0.1 }} }} }}
        feature {{ name: "x" {field} {{ infinity_norm {{ threshold: 0.1 }} }} }}
        feature {{ name: "gone" {field} {{ infinity_norm {{ threshold: 0.1 }} }} }}
        """,
        schema_pb2.Schema(),
    )
    numbers = {name: [1, 2] for name in ("z", "right", "elsewhere")}
    spans = {name: frame.assign(**numbers) for name, frame in SPANS.items()}
    nothing = Comparison({}, [])
    made = analysis(
        spans, schema=schema, drift=nothing, skew=nothing, drift_baselines={}, skew_baselines={},
        has_skew=True,
    )  # fmt: skip
    found = (check_skew if skew else check_drift)(made)
    assert [(one.column, one.kind.name) for one in found] == [
        ("y", "not_compared"), ("z", "not_compared"),
    ]  # fmt: skip
    assert "a threshold of the L-infinity norm" in found[0].seen
    assert "a threshold of the normalized absolute difference" in found[1].seen
    assert f"in the schema's `{field}`" in found[0].remedy
    assert {one.where for one in found} == {"training" if skew else "span 2"}
    assert [one.in_training for one in found] == [skew, skew]


def test_a_finding_has_its_distance(analysis):
    compared = Comparison({"x": distance(0.3, chosen=True)}, [])
    made = analysis(
        SPANS, schema=schema_pb2.Schema(), drift=compared, skew=compared,
        drift_baselines={"x": Baseline()}, skew_baselines={"x": Baseline()}, has_skew=True,
    )  # fmt: skip
    (drift,), (skew,) = check_drift(made), check_skew(made)
    for one, where, against in (
        (drift, "span 2", "the earlier spans"),
        (skew, "training", "evaluation"),
    ):
        assert (one.measure, one.value, one.threshold, one.where) == (L_INFINITY, 0.3, 0.1, where)
        assert one.seen == f"L-infinity norm 0.3 from {against}"
        # Somebody's own threshold is raised where it stands.
        assert one.remedy == ""
    assert (drift.in_training, skew.in_training) == (False, True)


def test_a_threshold_that_is_set_stops_the_run(judge, frozen, three):
    outcome = judge(three, drift={"columns": {"carrier": {"infinity_norm": 0.001}}})
    finding = outcome.one("carrier", "drift")
    assert finding["severity"] == "error"
    assert finding["measure"] == "infinity_norm"
    assert finding["value"] > finding["threshold"] == 0.001
    said = f"found L-infinity norm {finding['value']:.4g} from the earlier spans; "
    assert said + "expected L-infinity norm of at most 0.001" in outcome.error
    assert finding["expected"] in outcome.page
    assert judge(three, drift={"infinity_norm": 0.001}).found("error") >= {("carrier", "drift")}
    # TFDV's own words: numbers by Jensen-Shannon, where L-infinity would read 0.
    by_number = judge(three, drift={"jensen_shannon_divergence": 0.05})
    assert ("dep_delay", "drift") in by_number.found("error")
    assert judge(three, drift={"columns": {"dep_delay": {}}}).error == ""


def test_skew_between_splits_that_are_not_drift(judge, months):
    spans = {span: months[span] for span in list(months)[:5]}
    spans = {span: frame.copy() for span, frame in spans.items()}
    for span in ("2013-04", "2013-05"):
        spans[span]["distance"] *= 3
    outcome = judge(spans, eval_spans=2)
    skew = outcome.one("distance", "skew")
    assert skew["measure"] == "jensen_shannon_divergence"
    assert skew["where"] == "training"
    words = "Jensen-Shannon divergence (quantile bins)"
    assert skew["seen"] == f"{words} {skew['value']:.4g} from evaluation"
    assert skew["expected"] == f"{words} of at most 0.1"
