"""The checks of a look.

To add one, write a module with a function `find_signals(look)` that yields signals, and add it to `CHECKS`. States,
incidents, the report and the metrics follow.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from ...lib.monitoring.signals import Signal
from ..look import Look
from . import (
    columns,
    concept_drift,
    drift,
    estimated_quality,
    labels,
    log_records,
    prediction_drift,
    realised_metrics,
    realised_quality,
    requests,
    skew,
)

Check: TypeAlias = Callable[[Look], Iterator[Signal]]

DATA_CHECKS: tuple[Check, ...] = (
    requests.find_signals,
    log_records.find_signals,
    columns.find_signals,
    labels.find_signals,
)
"""Checks for broken data, of kind `data`. They run first: the others are silent about what is broken."""
CHECKS: tuple[Check, ...] = (
    skew.find_signals,
    drift.find_signals,
    prediction_drift.find_signals,
    estimated_quality.find_signals,
    concept_drift.find_signals,
    realised_quality.find_signals,
    realised_metrics.find_signals,
)
"""All other checks, in the order of the report."""
