"""The checks of a window.

Each takes the evidence and the settings, and returns what it finds. To add one, write its function, add it to
`CHECKS`, and its kind of finding to `findings.FindingKind` and `findings.KINDS`.
"""

from collections.abc import Callable, Sequence

from ..analysis import Evidence
from ..findings import Finding
from ..settings import Settings
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

Check = Callable[[Evidence, Settings], Sequence[Finding]]

CHECKS: tuple[Check, ...] = (
    row_counts.check,
    duplicate_spans.check,
    constant_label.check,
    label_rate.check,
    columns.check_infinite,
    columns.check_numbers_in_text,
    columns.check_silent,
    ambiguous_cells.check,
    dates.check,
    schema.check_unknown_columns,
    schema.check,
    large_integers.check,
    drift.check_drift,
    drift.check_skew,
    outliers.check,
)
"""In the order of the report."""
