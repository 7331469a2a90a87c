"""The signal of a distance."""

import math

import pytest

from retrainer.components.lib.monitoring.signals import Kind, Outcome
from retrainer.components.monitor_model.distances.judge import Distance
from retrainer.components.monitor_model.distances.judge_signals import distance_signal
from retrainer.components.monitor_model.distances.measures import MEASURES


@pytest.mark.parametrize(
    ("name", "bound", "source", "outcome"),
    [
        ("jensen_shannon", 0.999, "past", Outcome.OK),
        ("jensen_shannon", 1.0, "past", Outcome.SILENT),
        ("infinity_norm", 1.2, "fallback", Outcome.SILENT),
        ("ks", 1.0, "threshold", Outcome.OK),
        ("psi", 7.5, "past", Outcome.OK),
        ("psi", math.inf, "past", Outcome.SILENT),
    ],
)
def test_a_bound_that_no_distance_exceeds_judges_nothing(name, bound, source, outcome):
    distance = Distance(0.9, bound, MEASURES[name], 100, 1000, 14, source=source)
    found = distance_signal(Kind.DRIFT, "fare", "fare", distance, "the 14 clean spans before")
    assert found.outcome == outcome
    assert ("monitoring.drift.thresholds.fare" in found.meaning) == (outcome == Outcome.SILENT)
    assert found.evidence["column"] == "fare"
