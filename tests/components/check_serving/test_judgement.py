"""The verdict on what the process that serves has seen, close to each bound."""

import pytest

from retrainer.components.check_serving.judgement import Bounds, judge


def seen(**changes):
    return {
        "predictions": [[0.1], [0.9]],
        "problems": [],
        "latency_ms": {"1": {"p50": 1.0, "p95": 2.0, "p99": 3.0}, "64": {"p95": 8.0}},
        "memory_mb": {
            "loaded": 300.0,
            "before": 310.0,
            "after": 330.0,
            "growth": 7.0,
            "requests": 1000,
        },
        **changes,
    }


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        (Bounds(), ""),
        (Bounds(max_latency_ms=2.0), ""),
        (Bounds(max_latency_ms=1.9), "one row takes 2.0 ms (95th percentile), more than max_latency_ms 1.9"),
        (Bounds(max_latency_p50_ms=1.0, max_latency_p99_ms=3.0), ""),
        (Bounds(max_latency_p50_ms=0.9), "one row takes 1.0 ms (median), more than max_latency_p50_ms 0.9"),
        (Bounds(max_latency_p99_ms=2.9), "one row takes 3.0 ms (99th percentile), more than max_latency_p99_ms 2.9"),
        (Bounds(max_latency_by_batch={64: 8.0}), ""),
        (
            Bounds(max_latency_by_batch={64: 7.9}),
            "a batch of 64 takes 8.0 ms (95th percentile), more than max_latency_by_batch.64 7.9",
        ),
        (Bounds(max_memory_growth_mb=7.0), ""),
        (Bounds(max_memory_mb=330.0), ""),
        (
            Bounds(max_memory_mb=329.0),
            "the server has 330 MiB of memory, more than max_memory_mb 329 (300 MiB when the model was loaded)",
        ),
        (
            Bounds(max_memory_growth_mb=6.9),
            "memory grew by 7.0 MiB in 1,000 requests, more than max_memory_growth_mb 6.9",
        ),
    ],
)  # fmt: skip
def test_a_bound_counts_from_above_it(bounds, reason):
    assert judge(seen(), bounds, 2) == reason


def test_both_bounds_on_single_rows_hold():
    both = Bounds(max_latency_ms=5.0, max_latency_by_batch={1: 1.0})
    assert "more than max_latency_by_batch.1 1" in judge(seen(), both, 2)
    assert "more than max_latency_ms 1" in judge(
        seen(), Bounds(max_latency_ms=1.0, max_latency_by_batch={1: 5.0}), 2
    )


def test_wrong_predictions_come_before_all_else():
    strict = Bounds(max_latency_ms=0.1)
    assert judge(seen(predictions=[[0.1]]), strict, 2).startswith("2 rows went in")
    assert (
        judge(seen(predictions=[[0.1], [float("nan")]]), strict, 2)
        == "the prediction of row 1 is [nan]"
    )
    assert judge(seen(problems=["one", "two"]), strict, 2) == "one; two"
    assert judge(seen(memory_mb=None), Bounds(max_memory_growth_mb=0.1), 2) == ""
