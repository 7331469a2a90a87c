"""Which changes against the champion exceed chance."""

import pytest

from retrainer.components.evaluate_model.report.metric_cells import Cells
from retrainer.components.evaluate_model.tfma_results import Evaluation
from retrainer.components.lib.evaluation.metric_value import Value


def cells(rarer_share: float = 1.0) -> Cells:
    return Cells(Evaluation([], [], True), {}, rarer_share)


@pytest.mark.parametrize(
    ("interval", "significant"),
    [
        ((0.01, 0.2), True),
        ((-0.2, -0.01), True),
        ((-0.1, 0.1), False),
        ((0.0, 0.1), False),
        ((-0.1, 0.0), False),
    ],
)
def test_an_interval_tells_by_zero(interval: tuple[float, float], significant: bool) -> None:
    change = Value(sum(interval) / 2, interval)
    assert cells().is_significant(change, None, None) is significant


# Two standard errors: of a share 2 sqrt(p (1 - p) / n), of any other value 2 |x| / sqrt(n).
@pytest.mark.parametrize(
    ("value", "rows", "rarer_share", "bound"),
    [
        (0.5, 100, 1.0, 0.1),
        (0.2, 100, 1.0, 0.08),
        (0.8, 100, 1.0, 0.08),
        (0.5, 400, 0.25, 0.1),
        (1.0, 100, 1.0, 0.2),
        (0.0, 100, 1.0, 0.2),
        (5.0, 100, 1.0, 1.0),
        (-5.0, 100, 1.0, 1.0),
        # At least one row counts.
        (5.0, 2, 0.1, 10.0),
    ],
)
def test_without_an_interval_the_rows_tell(
    value: float, rows: int, rarer_share: float, bound: float
) -> None:
    judge = cells(rarer_share)
    for sign in (1, -1):
        assert judge.is_significant(Value(sign * bound * 1.001), Value(value), rows)
        assert not judge.is_significant(Value(sign * bound * 0.999), Value(value), rows)


@pytest.mark.parametrize(
    ("value", "rows"), [(None, 9), (Value(0.5), None), (Value(0.5), 0), (Value(float("nan")), 9)]
)
def test_of_what_is_not_known_no_change_is_significant(
    value: Value | None, rows: int | None
) -> None:
    assert not cells().is_significant(Value(99.0), value, rows)
