"""The KFP face of `check_serving`."""

from typing import Dict, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_serving(
    model: dsl.Input[dsl.Model],
    examples: dsl.Input[dsl.Dataset],
    serving_check: dsl.Output[dsl.Artifact],
    rows: int = 64,
    requests: int = 50,
    max_latency_ms: float = 0.0,
    timeout_seconds: float = 300.0,
    max_latency_by_batch: Dict[str, float] = {},
    memory_requests: int = 10_000,
    max_memory_growth_mb: float = 8.0,
    tolerance: float = 1e-4,
    max_memory_mb: float = 0.0,
    max_latency_p50_ms: float = 0.0,
    max_latency_p99_ms: float = 0.0,
    store: str = "",
    reuse_salt: str = "",
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Loads a model in a clean process as a server would, and sends it real rows.

    Args:
        model: SavedModel from `train_model`.
        examples: Examples from `ingest_spans`; rows are taken from the evaluation split.
        serving_check: Whether the model serves, and its latency in milliseconds.
        rows: How many rows to send.
        requests: How many single-row requests to time, and a fifth as many of each larger batch; 0 for none.
        max_latency_ms: The most that the 95th percentile of single-row requests may take, in milliseconds; 0 for any.
        timeout_seconds: How long loading and serving may take in all.
        max_latency_by_batch: The most that the 95th percentile of a batch may take, in milliseconds by batch size.
        memory_requests: How many single-row requests to send while memory is measured; 0 for none.
        max_memory_growth_mb: By how much memory may grow meanwhile, in MiB.
        tolerance: How far equal predictions may be apart, relative to them.
        max_memory_mb: How much memory the server may have after the requests, in MiB; 0 for any.
        max_latency_p50_ms: The most that the median of single-row requests may take, in milliseconds; 0 for any.
        max_latency_p99_ms: The most that their 99th percentile may take, in milliseconds; 0 for any.
        store: URI of the store, where a result of equal inputs is found again, and this one kept; empty for neither.
        reuse_salt: What else the result depends on, such as the task's environment variables.

    Returns:
        verdict: Whether the model serves, in one sentence.
    """
    from retrainer.components.check_serving.task import check_or_reuse

    verdict = check_or_reuse(
        model.path,
        examples.path,
        serving_check.path,
        {
            "rows": rows,
            "requests": requests,
            "max_latency_ms": max_latency_ms,
            "timeout_seconds": timeout_seconds,
            "max_latency_by_batch": max_latency_by_batch,
            "memory_requests": memory_requests,
            "max_memory_growth_mb": max_memory_growth_mb,
            "tolerance": tolerance,
            "max_memory_mb": max_memory_mb,
            "max_latency_p50_ms": max_latency_p50_ms,
            "max_latency_p99_ms": max_latency_p99_ms,
        },
        store,
        reuse_salt,
    )
    return (verdict,)
