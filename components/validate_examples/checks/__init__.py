"""The checks of a window.

To add one, write a module with a function that takes the analysis of a window and the settings and returns findings,
with their kinds, and add its `CHECK` to `CHECKS`. Settings, messages, the report and the README's table follow.
"""

from ..finding_kinds import FindingKind
from . import (
    ambiguous_cells,
    columns,
    constant_label,
    dates,
    drift,
    duplicate_spans,
    label_rate,
    large_integers,
    outliers,
    row_counts,
    schema,
)
from .check import Check

CHECKS: tuple[Check, ...] = (
    row_counts.CHECK,
    duplicate_spans.CHECK,
    constant_label.CHECK,
    label_rate.CHECK,
    columns.CHECK,
    ambiguous_cells.CHECK,
    dates.CHECK,
    schema.CHECK,
    large_integers.CHECK,
    drift.CHECK,
    outliers.CHECK,
)
"""In the order of the report."""


def known_kinds() -> dict[str, FindingKind]:
    """Return the kinds of findings that checks report, by name."""
    return {kind.name: kind for check in CHECKS for kind in check.kinds}
