"""Numbers far from all others, such as 999999 for "no reading"."""

from ...lib.dataset import Column
from ...lib.words import number, percent
from ..analysis import Evidence
from ..findings import Finding, FindingKind
from ..settings import Settings

# So many times the range of the earlier spans, beyond it.
_RANGES = 10.0
# So many times the distance from the lowest to the highest tenth, beyond the tenth.
_REACHES = 20.0
# What programs write in place of a missing number: nines, and the ends of what integers hold.
_LEAST_NINES, _MOST_NINES = 3, 15
_STAND_INS = {float("9" * digits) for digits in range(_LEAST_NINES, _MOST_NINES + 1)}
_STAND_INS |= {-value for value in _STAND_INS}
_STAND_INS |= {
    sign * float(2**bits - off) for bits in (15, 31) for off in (0, 1) for sign in (1, -1)
}


def check(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for numbers that lie far out: beyond anything earlier spans have, or written in place of none."""
    window = evidence.window
    index = window.index
    findings = []
    for column in window.newest.columns.values():
        if (
            not column.is_number
            or column.name in (*index.bare_key, index.label)
            or not column.filled
        ):
            continue
        before = window.earlier.columns.get(column.name) if window.earlier is not None else None
        for high in (True, False):
            seen = _stand_in(column, high) or (_far_out(column, before, high) if before else "")
            if seen:
                expected = "numbers near the others, or empty cells"
                where = f"span {index.newest}"
                findings.append(Finding(FindingKind.FAR_VALUES, column.name, where, seen, expected))
    return findings


def _stand_in(column: Column, high: bool) -> str:
    value = column.maximum if high else column.minimum
    low_tenth, high_tenth = _tenths(column)
    start = high_tenth if high else low_tenth
    reach = high_tenth - low_tenth
    if value not in _STAND_INS or reach <= 0 or abs(value - start) <= _REACHES * reach:
        return ""
    return _words(column, value, (value + start) / 2, high)


def _far_out(column: Column, before: Column, high: bool) -> str:
    width = before.maximum - before.minimum
    if not before.is_number or not before.filled or not 0 < width < float("inf"):
        return ""
    value = column.maximum if high else column.minimum
    bound = before.maximum if high else before.minimum
    low_tenth, high_tenth = _tenths(column)
    # Where a tenth of the rows lies out there the column drifted, which is said as such.
    beyond = high_tenth > before.maximum + width if high else low_tenth < before.minimum - width
    if beyond or abs(value - bound) <= _RANGES * width or (value > bound) != high:
        return ""
    words = _words(column, value, (value + bound) / 2, high)
    return f"{words}; earlier spans from {number(before.minimum)} to {number(before.maximum)}"


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
    about = f"about {rows:,} rows ({percent(share)})" if share else "single rows"
    return f"{number(value)} at the {'most' if high else 'least'}, far from all others, in {about}"
