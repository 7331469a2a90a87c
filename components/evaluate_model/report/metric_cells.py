"""Metric values in the report's tables: equal digits, and colour for significant changes."""

import math
from collections.abc import Mapping

from markupsafe import Markup

from ...lib.evaluation.metric_directions import direction_of
from ...lib.evaluation.metric_value import Value
from ...lib.report.page import Cell
from ...lib.words import decimals, fixed
from ..tfma_results import Evaluation, SliceResult

STANDARD_ERRORS = 2.0
"""A change is coloured from this many standard errors on; chance alone exceeds them five times in a hundred."""


class Cells:
    """Formats metric values.

    Args:
        evaluation: What was computed; a metric has the same decimals everywhere.
        directions: Which way each metric is better.
        rarer_share: Share of the rarer of two labels, which limits how exact a metric can be; 1 otherwise.
    """

    def __init__(
        self, evaluation: Evaluation, directions: Mapping[str, int], rarer_share: float = 1.0
    ) -> None:
        self._directions = dict(directions)
        self._rarer_share = rarer_share
        values: dict[str, list[float]] = {}
        for slice_result in evaluation.slices:
            for side in (slice_result.challenger, slice_result.champion):
                for name, value in side.items():
                    values.setdefault(name, []).append(value.value)
        self._places = {name: decimals(numbers) for name, numbers in values.items()}

    def text(self, metric: str, value: float) -> str:
        """Format a number with the metric's decimals."""
        return fixed(value, self._places.get(metric, 4))

    def value(self, metric: str, value: Value | float | None) -> Cell:
        """Format a value, with its confidence interval if it has one."""
        if value is None:
            return Cell("")
        one = value if isinstance(value, Value) else Value(value)
        if not math.isfinite(one.value):
            return _undefined(one)
        shown = Markup('<span class="nobreak">{}</span>').format(self.text(metric, one.value))
        if one.interval:
            low, high = (self.text(metric, end) for end in one.interval)
            shown += Markup(' <span class="soft nobreak">({} to {})</span>').format(low, high)
        return Cell(shown, one.value)

    def change(self, metric: str, of: SliceResult) -> Cell:
        """Format a slice's change against the champion.

        Args:
            metric: The metric.
            of: The slice.

        Returns:
            Green or red for a change beyond chance, else grey.
        """
        change, value, rows = of.change.get(metric), of.challenger.get(metric), of.rows
        if change is None:
            return Cell("")
        if not math.isfinite(change.value):
            return _undefined(change)
        digits = self.text(metric, abs(change.value))
        if not any(digit in "123456789" for digit in digits):
            return Cell(
                Markup('<span class="soft nobreak">±{}</span>').format(digits), change.value
            )
        css = "soft"
        if self.is_significant(change, value, rows):
            css = {1: "good", -1: "bad"}.get(
                int(math.copysign(1, change.value)) * direction_of(metric, self._directions), "soft"
            )
        text = ("+" if change.value > 0 else "-") + digits
        return Cell(Markup('<span class="nobreak {}">{}</span>').format(css, text), change.value)

    def is_significant(self, change: Value, value: Value | None, rows: int | None) -> bool:
        """Return whether a change exceeds chance.

        With a confidence interval: if zero lies outside it. Without one, by the standard error of a mean over that
        many rows: sqrt(p (1 - p) / n) of a share p, and |x| / sqrt(n) of any other value x, whose spread is assumed
        to be as large as itself; n counts the rows of the rarer label, which determines AUC's error (Hanley and McNeil
        1982). Both models score the same rows, so the true error is smaller: the test is conservative.
        """
        if change.interval is not None:
            return not change.interval[0] <= 0 <= change.interval[1]
        if value is None or not rows or not math.isfinite(value.value):
            return False
        one, counted = value.value, max(rows * self._rarer_share, 1.0)
        spread = math.sqrt(one * (1 - one)) if 0 < one < 1 else abs(one) or 1.0
        return abs(change.value) > STANDARD_ERRORS * spread / math.sqrt(counted)


def _undefined(value: Value) -> Cell:
    return Cell(Markup('<span class="soft" title="{}">undefined</span>').format(value.undefined))
