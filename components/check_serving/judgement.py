"""Whether a model serves: what the process that serves it has seen, against the settings' bounds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..lib.errors import RetrainerError
from ..lib.saved_models.prediction_tolerance import RELATIVE


@dataclass(frozen=True)
class Bounds:
    """What a model may take, and what is measured for that.

    Attributes:
        rows: How many rows to send.
        requests: How many single-row requests to time, and a fifth as many of each larger batch; 0 for none.
        max_latency_ms: The most that the 95th percentile of single-row requests may take, in milliseconds; 0 for any.
        max_latency_by_batch: The same by batch size.
        memory_requests: How many single-row requests to send while memory is measured; 0 for none.
        max_memory_growth_mb: By how much memory may grow meanwhile, in MiB.
        timeout_seconds: How long loading and serving may take in all.
        tolerance: How far equal predictions may be apart, relative to them.
        max_memory_mb: How much memory the server may have after the requests, in MiB; 0 for any.
        max_latency_p50_ms: The most that the median of single-row requests may take, in milliseconds; 0 for any.
        max_latency_p99_ms: The most that their 99th percentile may take, in milliseconds; 0 for any.
    """

    rows: int = 64
    requests: int = 50
    max_latency_ms: float = 0.0
    max_latency_by_batch: Mapping[int, float] = field(default_factory=dict)
    memory_requests: int = 10_000
    max_memory_growth_mb: float = 8.0
    timeout_seconds: float = 300.0
    tolerance: float = RELATIVE
    max_memory_mb: float = 0.0
    max_latency_p50_ms: float = 0.0
    max_latency_p99_ms: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            RetrainerError: If one is out of its range.
        """
        if self.rows < 1:
            raise RetrainerError(f"serving.rows is {self.rows}; at least one row must be sent.")
        if self.requests < 0:
            raise RetrainerError(
                f"serving.requests is {self.requests}; it is how many requests to time, 0 for none."
            )
        for setting, _, bound in self.of_one_row:
            if bound < 0 or (bound and not self.requests):
                raise RetrainerError(
                    f"serving.{setting} is {bound:g} with {self.requests} requests; it is 0 for any latency, or above "
                    "0 with at least one request that is timed."
                )
        for size, bound in self.max_latency_by_batch.items():
            if size < 1 or bound <= 0 or not self.requests:
                raise RetrainerError(
                    f"serving.max_latency_by_batch has {bound:g} for batches of {size} with {self.requests} requests; "
                    "a batch has at least one row, its latency is above 0 milliseconds, and requests must be timed."
                )
        if self.memory_requests < 0 or self.max_memory_growth_mb <= 0:
            raise RetrainerError(
                f"serving.memory_requests is {self.memory_requests} with max_memory_growth_mb "
                f"{self.max_memory_growth_mb:g}; requests are 0 or more, and the growth is above 0 MiB."
            )
        if self.timeout_seconds <= 0:
            raise RetrainerError(
                f"serving.timeout_seconds is {self.timeout_seconds:g}; it must be above 0."
            )
        if self.max_memory_mb < 0 or (self.max_memory_mb and not self.memory_requests):
            raise RetrainerError(
                f"serving.max_memory_mb is {self.max_memory_mb:g} with {self.memory_requests} memory_requests; it is 0 "
                "for any memory, or above 0 with at least one request."
            )
        if not 0 < self.tolerance < 1:
            raise RetrainerError(
                f"serving.tolerance is {self.tolerance:g}; it is a share of the prediction, above 0 and below 1."
            )

    @property
    def of_one_row(self) -> list[tuple[str, int, float]]:
        """The setting, the percentile and the bound of single-row requests; a bound of 0 is none."""
        return [
            ("max_latency_p50_ms", 50, self.max_latency_p50_ms),
            ("max_latency_ms", 95, self.max_latency_ms),
            ("max_latency_p99_ms", 99, self.max_latency_p99_ms),
        ]

    @property
    def batches(self) -> list[int]:
        """The batch sizes that have a bound."""
        return sorted(self.max_latency_by_batch)


def judge(answer: Mapping[str, Any], bounds: Bounds, rows: int) -> str:
    """Judge what the process that serves has seen.

    Args:
        answer: What `served_model.answer` returns of a model that has answered.
        bounds: The bounds.
        rows: How many rows were sent.

    Returns:
        Why the model does not serve; empty if it does.
    """
    predictions = np.asarray(answer["predictions"], dtype=np.float64)
    if predictions.shape[:1] != (rows,):
        return f"{rows} rows went in and predictions of shape {predictions.shape} came out"
    if not np.isfinite(predictions).all():
        row = int(np.argwhere(~np.isfinite(predictions))[0][0])
        return f"the prediction of row {row} is {predictions[row].tolist()}"
    if answer["problems"]:
        return "; ".join(answer["problems"])
    return _slowness(answer["latency_ms"], bounds) or _memory(answer["memory_mb"], bounds)


def _slowness(latencies: Mapping[str, Mapping[str, float]], bounds: Bounds) -> str:
    limits = [(1, *limit) for limit in bounds.of_one_row if limit[-1]]
    limits += [
        (size, f"max_latency_by_batch.{size}", 95, bound)
        for size, bound in sorted(bounds.max_latency_by_batch.items())
    ]
    for size, setting, percentile, bound in limits:
        taken = latencies[str(size)][f"p{percentile}"]
        if taken > bound or math.isnan(taken):
            what = "one row" if size == 1 else f"a batch of {size}"
            measure = "median" if percentile == 50 else f"{percentile}th percentile"
            return f"{what} takes {taken:.1f} ms ({measure}), more than {setting} {bound:g}"
    return ""


def _memory(memory: Mapping[str, float] | None, bounds: Bounds) -> str:
    if memory is None:
        return ""
    if 0 < bounds.max_memory_mb < memory["after"]:
        return (
            f"the server has {memory['after']:,.0f} MiB of memory, more than max_memory_mb {bounds.max_memory_mb:g} "
            f"({memory['loaded']:,.0f} MiB when the model was loaded)"
        )
    growth = memory["growth"]
    if growth <= bounds.max_memory_growth_mb:
        return ""
    return (
        f"memory grew by {growth:.1f} MiB in {memory['requests']:,.0f} requests, more than max_memory_growth_mb "
        f"{bounds.max_memory_growth_mb:g}"
    )
