"""Predictions do not depend on the batch, and latency and memory are within their bounds."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from retrainer.components.check_serving import measurements
from retrainer.components.check_serving.allocated_memory import allocated_bytes
from retrainer.components.check_serving.measurements import (
    FIRST_REQUESTS,
    measure_batches,
    measure_memory,
)
from retrainer.components.lib.saved_models.prediction_tolerance import Tolerance

pytestmark = pytest.mark.usefixtures("serving_here")


def test_a_prediction_that_depends_on_the_other_rows_is_named(served):
    def centred(x):
        known = tf.where(tf.math.is_nan(x), 0.5, x)
        return known - tf.reduce_mean(known)

    verdict, record = served(centred)
    assert (
        "does not serve: a batch of 1 gives other predictions than the same rows in a batch"
        in verdict
    )
    assert not record["ok"]


def test_a_batch_that_a_model_can_not_take_is_named():
    rows = {"x": np.arange(3.0)}
    _, problems = measure_batches(
        lambda columns: np.resize(columns["x"], min(64, len(columns["x"]))),
        rows,
        rows["x"],
        (1, 64, 512),
        0,
        Tolerance(),
    )
    assert problems == ["a batch of 512 gives other predictions than the same rows in a batch of 3"]


def test_a_batch_that_is_too_slow_is_named_with_its_setting(served):
    verdict, record = served(
        lambda x: x * 2, requests=5, max_latency_by_batch={"1": 1e9, "32": 1e-6}
    )
    assert "a batch of 32 takes" in verdict
    assert "more than max_latency_by_batch.32 1e-06" in verdict
    assert list(record["latency_ms_by_batch"]) == ["1", "8", "32", "64", "512"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory in /proc")
def test_a_model_that_keeps_what_it_is_sent_is_named(served):
    kept = tf.Variable(tf.zeros([0], tf.float32), shape=[None])

    def keeping(x):
        grown = tf.concat([kept, tf.fill([1 << 20], x[0])], axis=0)
        with tf.control_dependencies([kept.assign(grown)]):
            return x * 2

    verdict, record = served(keeping, state=kept, memory_requests=10, max_memory_growth_mb=16.0)
    assert "in 10 requests, more than max_memory_growth_mb 16" in verdict
    assert record["memory_mb"]["growth"] > 16


needs_counts = pytest.mark.skipif(allocated_bytes() is None, reason="glibc before 2.33")


@needs_counts
def test_memory_that_does_not_grow_is_known_after_the_first_requests():
    sent = []

    def predict(columns):
        sent.append(len(columns["x"]))
        return columns["x"]

    memory = measure_memory(predict, {"x": np.arange(3.0)}, 10_000, 8.0)
    assert memory["requests"] == len(sent) == FIRST_REQUESTS
    assert memory["growth"] < 0.1


def test_a_slow_model_is_sent_what_it_can_answer_in_time(monkeypatch):
    monkeypatch.setattr(measurements, "MOST_SECONDS", 0.0)
    memory = measure_memory(lambda columns: columns["x"], {"x": np.arange(3.0)}, 10_000, 8.0)
    assert memory is None or memory["requests"] == 1


@needs_counts
def test_a_small_leak_is_measured_over_all_requests():
    kept = []

    def predict(columns):
        kept.append(np.ones(128))
        return columns["x"]

    memory = measure_memory(predict, {"x": np.arange(3.0)}, 10_000, 8.0)
    assert memory["requests"] == len(kept) == 10_000
    # A kilobyte each, and what the C library and Python add.
    assert 9.7 < memory["growth"] < 13.0


def test_memory_that_the_system_does_not_tell_is_not_judged(served, monkeypatch, tmp_path):
    monkeypatch.setattr(measurements, "_MEMORY", tmp_path / "none")
    _, record = served(lambda x: x * 2, memory_requests=10)
    assert record["ok"]
    assert record["memory_mb"] is None


@needs_counts
@pytest.mark.slow
@pytest.mark.parametrize("floats", [256, 8])
def test_a_cache_that_is_never_emptied_is_found_by_its_size(served, floats):
    cache = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, [0.0] * floats)

    def remembering(x):
        key = tf.random.uniform([1], 0, 1 << 60, tf.int64)
        inserted = cache.insert(key, tf.zeros([1, floats]))
        with tf.control_dependencies([inserted] if inserted is not None else []):
            return tf.where(tf.math.is_nan(x), 0.0, x) * 2.0

    verdict, record = served(remembering, state=cache, memory_requests=10_000)
    # Also where it is small, the first requests show it, and all are sent.
    assert record["memory_mb"]["requests"] == 10_000
    # A kilobyte a request is more than 8 MiB in ten thousand; 32 bytes and an entry of a table are not.
    assert record["ok"] == (floats == 8), verdict
    assert ("in 10,000 requests, more than max_memory_growth_mb 8" in verdict) == (floats == 256)
