"""What the registry keeps of an evaluation."""

import math

from retrainer.components.evaluate_model.summary import summarize
from retrainer.components.evaluate_model.tfma_results import Evaluation, SliceResult
from retrainer.components.lib.evaluation.metric_value import Value
from retrainer.components.lib.registry.evaluation_summary import SliceMetrics


def test_numbers_are_kept_with_their_intervals_and_what_is_none_is_left_out() -> None:
    overall = SliceResult(
        (),
        {
            "auc": Value(0.75, (0.5, 1.0)),
            "loss": Value(0.25),
            "recall": Value(math.nan, (0.0, 1.0)),
            "example_count": Value(7.0),
        },
        {"auc": Value(0.5, (0.25, 0.75)), "recall": Value(math.nan)},
    )
    hour = SliceResult((("hour", 7), ("site", "a")), {"auc": Value(0.5)})
    found = summarize(Evaluation([overall, hour], [], True), "blessed: auc 0.75", 3)
    assert (found.verdict, found.champion_version) == ("blessed: auc 0.75", 3)
    assert found.slices == (
        SliceMetrics(
            {},
            {"auc": 0.75, "loss": 0.25, "example_count": 7.0},
            7,
            {"auc": 0.5},
            {"auc": (0.5, 1.0)},
        ),
        SliceMetrics({"hour": "7", "site": "a"}, {"auc": 0.5}, None, {}, {}),
    )
