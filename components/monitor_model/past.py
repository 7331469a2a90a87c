"""What the looks of the past say of earlier spans."""

from collections.abc import Sequence

from ..lib.monitoring.looks import LookRecord
from ..lib.monitoring.signals import Kind, Outcome


def rows_when_judged(history: Sequence[LookRecord]) -> dict[str, int]:
    """Return how many rows each span had in the first look at it."""
    rows: dict[str, int] = {}
    for record in history:
        for span, about in record.spans.items():
            rows.setdefault(span, int(about.get("first_rows", about["rows"])))
    return rows


def requests_of_sets(history: Sequence[LookRecord]) -> dict[str, float]:
    """Return how many requests each set of predictions has, by its URI: so it is counted once, not in each look."""
    return {
        str(about["uri"]): float(about["requests"])
        for record in history
        for about in record.spans.values()
        if "requests" in about
    }


def broken_spans(history: Sequence[LookRecord]) -> dict[str, set[str]]:
    """Return the spans in which a column was broken, by column, as the last look at each span has it."""
    broken: dict[str, set[str]] = {}
    for record in history:
        for signal in record.signals:
            column = signal.evidence.get("column")
            if signal.kind != Kind.DATA or not column:
                continue
            spans = broken.setdefault(str(column), set())
            for span in record.spans:
                (spans.add if signal.outcome == Outcome.BREACHED else spans.discard)(span)
    return broken
