"""The task of check_serving: an earlier check of the same model that it passed, or a new one."""

from collections.abc import Mapping
from typing import Any

from ..lib.runs.reuse import Result, Work, reuse_or_make
from ..lib.verdicts import ServingCheck


def check_or_reuse(
    model: str,
    examples: str,
    serving_check: str,
    rows: int = 64,
    requests: int = 50,
    max_latency_ms: float = 0.0,
    timeout_seconds: float = 300.0,
    max_latency_by_batch: Mapping[str, float] | None = None,
    memory_requests: int = 10_000,
    max_memory_growth_mb: float = 8.0,
    tolerance: float = 1e-4,
    max_memory_mb: float = 0.0,
    store: str = "",
    salt: str = "",
) -> str:
    """Check that a model serves, unless the store knows that it passed this check on these rows.

    Args:
        model: The model artifact.
        examples: The examples artifact.
        serving_check: Folder for the serving check artifact.
        rows: How many rows to send.
        requests: How many single-row requests to time, and a fifth as many of each larger batch; 0 for none.
        max_latency_ms: The most that the 95th percentile of single-row requests may take; 0 for any.
        timeout_seconds: How long loading and serving may take in all.
        max_latency_by_batch: The most that the 95th percentile of a batch may take, in milliseconds by batch size.
        memory_requests: How many single-row requests to send while memory is measured; 0 for none.
        max_memory_growth_mb: By how much memory may grow meanwhile, in MiB.
        tolerance: How far equal predictions may be apart, relative to them.
        max_memory_mb: How much memory the server may have after the requests, in MiB; 0 for any.
        store: URI of the store; empty to look for no earlier result.
        salt: What else the result depends on.

    Returns:
        The verdict.
    """
    settings: dict[str, Any] = {
        "rows": rows,
        "requests": requests,
        "max_latency_ms": max_latency_ms,
        "timeout_seconds": timeout_seconds,
        "max_latency_by_batch": dict(max_latency_by_batch or {}),
        "memory_requests": memory_requests,
        "max_memory_growth_mb": max_memory_growth_mb,
        "tolerance": tolerance,
        "max_memory_mb": max_memory_mb,
    }
    work = Work(
        component="check_serving",
        parameters=settings,
        inputs={"examples": examples, "model": model},
        outputs={"serving_check": serving_check},
        salt=salt,
    )

    def make() -> Result:
        from .check import check

        verdict = check(model, examples, serving_check, **settings)
        # A machine that was busy may have failed it, so only what passed lasts.
        return Result(verdict, is_lasting=ServingCheck.read(serving_check).ok)

    return reuse_or_make(store, work, make).verdict
