"""Numbers far from all others, such as 999999 for a missing reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lib.statistics.dataset import Column
from ...lib.words import number, percent, plural
from ..finding_kinds import WARNING, FindingKind
from ..findings import Finding
from ..limits import Settings
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis

FAR_VALUES = FindingKind(
    "far_values",
    "outliers",
    WARNING,
    "leave the cells empty in the source where there is no number",
    "numbers far from all others: beyond ten times the range of the earlier spans, or placeholders for missing values "
    "(999999, -9999, the ends of 16 and 32-bit integers) far from the rest",
)

# A number this many ranges of the earlier spans beyond them is an outlier.
_RANGES = 10.0
# A placeholder counts from this many distances between the lowest and the highest tenth beyond them.
_REACHES = 20.0
# What programs write for a missing number: nines, and the smallest and largest integers.
_LEAST_NINES, _MOST_NINES = 3, 15
_PLACEHOLDERS = {float("9" * digits) for digits in range(_LEAST_NINES, _MOST_NINES + 1)}
_PLACEHOLDERS |= {-value for value in _PLACEHOLDERS}
_PLACEHOLDERS |= {
    sign * float(2**bits - off) for bits in (15, 31) for off in (0, 1) for sign in (1, -1)
}


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report numbers far beyond the earlier spans, and placeholders for missing numbers."""
    window = analysis.window
    index = window.index
    findings = []
    for column in window.newest.columns.values():
        if (
            not column.is_number
            or column.name in (*index.bare_key, *index.labels)
            or not column.filled
        ):
            continue
        before = window.earlier.columns.get(column.name) if window.earlier is not None else None
        for high in (True, False):
            seen = _placeholder(column, high) or (_far_out(column, before, high) if before else "")
            if seen:
                expected = "numbers near the others, or empty cells"
                where = f"span {index.newest}"
                findings.append(Finding(FAR_VALUES, column.name, where, seen, expected))
    return findings


CHECK = Check(check, (FAR_VALUES,))


def _placeholder(column: Column, high: bool) -> str:
    value = column.maximum if high else column.minimum
    low_tenth, high_tenth = _tenths(column)
    start = high_tenth if high else low_tenth
    reach = high_tenth - low_tenth
    if value not in _PLACEHOLDERS or reach <= 0 or abs(value - start) <= _REACHES * reach:
        return ""
    return _words(column, value, (value + start) / 2, high)


def _far_out(column: Column, before: Column, high: bool) -> str:
    width = before.maximum - before.minimum
    if not 0 < width < float("inf"):
        return ""
    value = column.maximum if high else column.minimum
    bound = before.maximum if high else before.minimum
    low_tenth, high_tenth = _tenths(column)
    # If a tenth of the rows lies there, the column drifted, which is reported as drift.
    beyond = high_tenth > before.maximum + width if high else low_tenth < before.minimum - width
    if beyond or abs(value - bound) <= _RANGES * width or (value > bound) != high:
        return ""
    words = _words(column, value, (value + bound) / 2, high)
    return f"{words}; earlier spans have {number(before.minimum)} to {number(before.maximum)}"


def _tenths(column: Column) -> tuple[float, float]:
    distribution = column.distribution
    if distribution is None:
        return 0.0, 0.0
    return distribution.quantile(0.1), distribution.quantile(0.9)


def _words(column: Column, value: float, halfway: float, high: bool) -> str:
    distribution = column.distribution
    share = 0.0
    if distribution is not None:
        below = float(distribution.share_below(halfway))
        share = 1 - below if high else below
    rows = max(1, round(share * column.filled))
    about = f"about {plural(rows, 'row')} ({percent(share)})" if share else "single rows"
    return f"{'maximum' if high else 'minimum'} {number(value)}, far from all others, in {about}"
