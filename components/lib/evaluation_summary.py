"""The metrics of a model by slice, as the registry keeps them and services and model cards show them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SliceMetrics:
    """Metrics of one slice.

    Attributes:
        slice: Value by column; empty for all rows.
        metrics: Value by the metric's name in TFMA.
        rows: Number of rows in the slice; None if it was not counted.
    """

    slice: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    rows: int | None = None
