"""Latency by batch size, and memory while requests come.

It runs in the process that serves: modules of TensorFlow alone.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..lib.saved_models.prediction_tolerance import Tolerance
from .allocated_memory import allocated_bytes
from .client_rows import Columns
from .parity import Predict

BATCHES = (1, 8, 64, 512)
# After these, further requests are sent only if memory may grow beyond a share of its bound by the last of them.
FIRST_REQUESTS = 500
_DOUBTFUL = 0.1
# Of a slow model fewer requests must do.
MOST_SECONDS = 20.0
PERCENTILES = (50, 95, 99)
_MEMORY = Path("/proc/self/status")


def measure_batches(
    predict: Predict,
    columns: Columns,
    predictions: np.ndarray,
    batches: Sequence[int],
    requests: int,
    tolerance: Tolerance,
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Send batches of each size, time them, and compare their answers.

    Args:
        predict: Calls the signature of named columns.
        columns: The rows; a larger batch repeats them.
        predictions: What the model answers to all of them at once.
        batches: The sizes.
        requests: How many requests of one row to time, and a fifth as many of more; 0 for none.
        tolerance: How far equal predictions may be apart.

    Returns:
        By batch size the percentiles of the latency in milliseconds, such as `p95`; and why the model does not serve.
    """
    latencies, problems = {}, []
    for size in batches:
        wanted = requests if size == 1 else -(-requests // 5)
        taken = []
        for request in range(max(1, wanted)):
            rows = (np.arange(size) + request * size) % len(predictions)
            batch = {name: column[rows] for name, column in columns.items()}
            start = time.perf_counter()
            answer = predict(batch)
            taken.append((time.perf_counter() - start) * 1000)
            if not tolerance.agree(answer, predictions[rows]):
                gap = tolerance.gap(answer, predictions[rows])
                problems.append(
                    f"a batch of {size} gives other predictions than the same rows in a batch of {len(predictions)}"
                    + gap
                )
                break
        if wanted:
            # The first requests warm up; a server does that before it takes traffic.
            warm = taken[len(taken) // 5 :]
            latencies[str(size)] = {
                f"p{percentile}": float(np.percentile(warm, percentile))
                for percentile in PERCENTILES
            }
    return latencies, problems


def memory_mb() -> float | None:
    """Return how much memory this process has, in MiB; None where the system does not say."""
    if not _MEMORY.exists():
        return None
    line = next(line for line in _MEMORY.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def measure_memory(
    predict: Predict, columns: Columns, requests: int, most_mb: float
) -> dict[str, float] | None:
    """Send requests of one row, and return how much memory there is before and after them.

    What is allocated grows by single bytes from request to request if a model keeps nothing, so the first 500
    requests show whether ten thousand would come near the bound. The memory of the process is no such measure: it grows
    by pages that the C library has in store.

    Args:
        predict: Calls the signature of named columns, which has answered before.
        columns: The rows.
        requests: How many requests to send; 0 for none. After the first 500 the others are sent only if memory
            grew so fast that it may reach a tenth of the bound, and none after `MOST_SECONDS`.
        most_mb: The bound of the growth, in MiB.

    Returns:
        `before` and `after` in MiB, `growth` of what is allocated in MiB (of the process's memory where the C library
        does not say), and `requests` that were sent; None if nothing was measured.
    """
    before = memory_mb()
    if not requests or before is None:
        return None
    rows = len(next(iter(columns.values())))
    at_first = allocated_bytes()

    def grown() -> float:
        now = allocated_bytes()
        if at_first is None or now is None:
            return (memory_mb() or before) - before
        return (now - at_first) / 2**20

    sent, end = 0, time.monotonic() + MOST_SECONDS
    for wanted in (min(requests, FIRST_REQUESTS), requests):
        if sent and grown() * requests / sent < _DOUBTFUL * most_mb:
            break
        while sent < wanted and (not sent or time.monotonic() < end):
            row = sent % rows
            predict({name: column[row : row + 1] for name, column in columns.items()})
            sent += 1
    growth = grown()
    return {"before": before, "after": memory_mb() or before, "growth": growth, "requests": sent}
