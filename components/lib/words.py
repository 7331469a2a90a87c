"""Words that every message and report writes alike: numbers, counts, names of spans, and what was probably meant."""

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_MOST_KNOWN = 30
_MOST_SPANS = 3
# The whole part is written in full up to here; from here on an exponent says more than so many digits.
_SCIENTIFIC_FROM = 1e15
# Years and ports stay as they are: thousands are set apart where five digits begin.
_APART_FROM = 9_999.5


def near(name: object, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """List the known names that are spelt like one that is not known.

    Args:
        name: What was written.
        known: What there is.
        most: How many to list at most.
        cutoff: Least similarity from 0 to 1, as `difflib.get_close_matches` measures it.

    Returns:
        Names, the nearest first, each once. One that differs in case alone comes first: difflib sees no likeness
        between `AUC` and `auc`.
    """
    names = list(dict.fromkeys(known))
    folded = [one for one in names if one.casefold() == str(name).casefold()]
    close = get_close_matches(str(name), names, n=most, cutoff=cutoff)
    return list(dict.fromkeys([*folded, *close]))[:most]


def did_you_mean(
    name: object, known: Iterable[str], listed: str = "", most: int = 1, cutoff: float = 0.6
) -> str:
    """Suggest the name that was probably meant.

    Args:
        name: What was written.
        known: What there is.
        listed: Introduces the known names where none is near, such as `It has`; empty: say nothing then.
        most: How many names to suggest at most.
        cutoff: Least similarity from 0 to 1.

    Returns:
        A sentence after a space, such as ` Did you mean 'tip'?` or ` It has: fare, tip.`; empty if there is none.
    """
    known = list(known)
    if close := near(name, known, most, cutoff):
        return f" Did you mean {' or '.join(repr(one) for one in close)}?"
    if not listed or not known:
        return ""
    more = f" and {len(known) - _MOST_KNOWN:,} more" if len(known) > _MOST_KNOWN else ""
    return f" {listed}: {', '.join(known[:_MOST_KNOWN])}{more}."


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Write a number of things.

    Args:
        count: How many.
        noun: What one of them is called.
        nouns: What several are called; empty: `noun` with an s.

    Returns:
        Such as `1 row` or `12,000 rows`.
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def one_of(names: Sequence[str]) -> str:
    """List alternatives, such as `csv, parquet or jsonl`."""
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)


def name_spans(spans: Sequence[str], most: int = _MOST_SPANS) -> str:
    """Name some spans in a few words, however many they are.

    Args:
        spans: Names, oldest first.
        most: Up to so many are all named.

    Returns:
        Such as `2026-01, 2026-02` or `2026-01 to 2026-12 (12 spans)`; `none` if there are none.
    """
    if not spans:
        return "none"
    if len(spans) <= most:
        return ", ".join(spans)
    return f"{spans[0]} to {spans[-1]} ({plural(len(spans), 'span')})"


def of_spans(spans: Sequence[str]) -> str:
    """Name some spans with the word before them, such as `span 2026-01` or `spans 2026-01, 2026-02`."""
    if len(spans) > _MOST_SPANS:
        return f"spans {spans[0]} to {spans[-1]} ({len(spans):,})"
    return f"span{'' if len(spans) == 1 else 's'} {name_spans(spans)}"


def number(value: float, like: float | None = None) -> str:
    """Write a number: whole numbers whole, others with four significant digits; thousands apart from 10,000 up.

    Args:
        value: The number.
        like: Another one that stands beside it: as many digits are written as distinguish the two.

    Returns:
        Such as `0.8317`, `2013`, `336,776` or `1.2e-07`.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    for digits in range(4, 18):
        text = _digits(value, digits)
        if like is None or value == like or text != _digits(like, digits):
            return text
    return text


def decimals(values: Iterable[float]) -> int:
    """Choose the decimals of a table's column: four significant digits of its largest number.

    Args:
        values: The column's numbers; those that are not finite do not count.

    Returns:
        From 0 to 8.
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    # An AUC of 1 may be the next number above it.
    return max(0, min(8, 4 - math.ceil(math.log10(largest) - 1e-6))) if largest else 4


def fixed(value: float, places: int) -> str:
    """Write a number with so many decimals, as its column has them; thousands apart from 10,000 up."""
    if not math.isfinite(value):
        return number(value)
    return f"{value:,.{places}f}" if abs(value) >= _APART_FROM else f"{value:.{places}f}"


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return "±0" if value == 0 else ("+" if value > 0 else "-") + number(abs(value))


def percent(share: float) -> str:
    """Write a share as a percentage that distinguishes a little from nothing, and most from all."""
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")


def _digits(value: float, digits: int) -> str:
    if abs(value) >= _SCIENTIFIC_FROM or not math.isfinite(value):
        return f"{value:.{digits}g}"
    if abs(value) >= _APART_FROM:
        return f"{value:,.{digits - 4}f}"
    return f"{int(value)}" if value == int(value) else f"{value:.{digits}g}"
