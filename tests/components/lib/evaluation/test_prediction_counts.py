"""What models predict, counted batch by batch."""

import numpy as np

from retrainer.components.lib.evaluation.prediction_counts import (
    MOST_OUTPUTS,
    PredictionCounts,
    count_predictions,
)

LABEL = np.array([0, 1, 2, 2, 1])
OUTPUTS = np.array([[3, 1, 0], [2, 5, 0], [4, 1, 0], [1, 2, 0], [0, 9, 0]], np.float32)


def in_batches(label: np.ndarray, outputs: np.ndarray, *ends: int) -> PredictionCounts:
    total = PredictionCounts()
    start = 0
    for end in (*ends, len(label)):
        total.add(count_predictions(label[start:end], outputs[start:end], True))
        start = end
    return total


def test_batches_add_up_to_the_whole() -> None:
    whole = count_predictions(LABEL, OUTPUTS, True)
    assert whole == in_batches(LABEL, OUTPUTS, 0, 2, 3)
    assert whole == PredictionCounts(
        5, [0, 1, 0], [4, 9, 0], {"0": 2, "1": 3}, {"0": 1, "1": 2, "2": 2}
    )


def test_a_class_that_is_never_predicted() -> None:
    assert in_batches(LABEL, OUTPUTS, 2).never_predicted == {2: 2}
    # Labels beyond the outputs are another fault.
    assert count_predictions(LABEL + 1, OUTPUTS, True).never_predicted == {2: 2}
    assert count_predictions(LABEL, OUTPUTS, False).never_predicted == {}


def test_a_constant_is_one_in_every_batch() -> None:
    same = np.full((5, 1), 0.25, np.float32)
    assert in_batches(LABEL, same, 1, 3).constant
    other = same.copy()
    other[4] = 0.5
    assert not in_batches(LABEL, other, 4).constant
    assert not count_predictions(LABEL[:1], same[:1], False).constant, "of one row nobody knows"
    assert count_predictions(LABEL, np.tile(OUTPUTS[:1], (5, 1)), True).constant


def test_very_many_outputs_are_one_range() -> None:
    wide = np.arange(2 * (MOST_OUTPUTS + 1), dtype=np.float32).reshape(2, -1)
    counts = count_predictions(LABEL[:2], wide, True)
    assert (counts.low, counts.high) == ([0], [2 * MOST_OUTPUTS + 1])
    assert counts.never_predicted == {}
