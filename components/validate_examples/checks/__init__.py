"""The checks of a window.

Each takes the evidence and the settings, and returns what it finds. To add one, write its function, add it to
`CHECKS`, and its kind of finding to `findings.FindingKind` and `findings.KINDS`.
"""

from collections.abc import Callable, Sequence

from ..evidence import Evidence
from ..findings import Finding
from ..settings import Settings
from . import (
    columns,
    copies,
    dates,
    drift,
    far_values,
    label,
    label_rate,
    odd_cells,
    precision,
    rows,
    schema,
)

Check = Callable[[Evidence, Settings], Sequence[Finding]]

CHECKS: tuple[Check, ...] = (
    rows.check,
    copies.check,
    label.check,
    label_rate.check,
    columns.check_infinite,
    columns.check_numbers_in_text,
    columns.check_silent,
    odd_cells.check,
    dates.check,
    schema.check_unknown_columns,
    schema.check,
    precision.check,
    drift.check_drift,
    drift.check_skew,
    far_values.check,
)
"""In the order of the report."""
