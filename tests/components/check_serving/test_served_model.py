"""What the model server makes of rows, and of models that are not as train_model exports them.

It runs in this process here; test_check.py and test_server.py run it in a clean one. Models are functions of `x`.
"""

import re

import numpy as np
import pytest
import tensorflow as tf

from retrainer.components.check_serving import check as checking
from retrainer.components.check_serving.served_model import Server
from retrainer.components.lib.errors import RetrainerError


@pytest.mark.usefixtures("serving_here")
def test_no_request_need_be_timed(served):
    verdict, record = served(lambda x: tf.where(tf.math.is_nan(x), 0.0, x), requests=0)
    assert verdict == "serves 3 rows as evaluation predicts them; no request was timed"
    assert record["ok"]
    assert record["latency_ms"] is None


@pytest.mark.usefixtures("serving_here")
@pytest.mark.parametrize(
    ("function", "serialised", "says"),
    [
        (
            lambda x: tf.reduce_sum(x),
            "serialised",
            r"3 rows went in and predictions of shape \(\) came out",
        ),
        (lambda x: x / (x - 2.0), "serialised", "the prediction of row 1 is inf"),
        (
            lambda x: tf.debugging.check_numerics(x / (x - 2.0), "divided by nothing"),
            "serialised",
            "InvalidArgumentError: divided by nothing",
        ),
        (lambda x: x, "doubled", "serialised tf.Examples give different predictions"),
    ],
)
def test_predictions_that_are_wrong_are_named(served, function, serialised, says):
    signatures = {"serving_default": "named", "serving_tf_examples": serialised}
    verdict, record = served(function, signatures, requests=1)
    assert re.search(says, verdict)
    assert not record["ok"]


@pytest.mark.usefixtures("serving_here")
def test_a_signature_that_is_missing_is_named(served):
    verdict, _ = served(lambda x: x, {"serving_default": "named"}, requests=1)
    assert "has no signature 'serving_tf_examples'" in verdict


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rows": 0}, "serving.rows is 0"),
        ({"requests": -1}, "serving.requests is -1"),
        ({"requests": 0, "max_latency_ms": 5.0}, "at least one request that is timed"),
        ({"max_latency_p99_ms": -1.0}, "serving.max_latency_p99_ms is -1 with"),
        ({"max_latency_by_batch": {"8": 0.0}}, "max_latency_by_batch has 0 for batches of 8"),
        ({"memory_requests": -1}, "serving.memory_requests is -1"),
        (
            {"max_memory_mb": 9.0, "memory_requests": 0},
            "serving.max_memory_mb is 9 with 0 memory_requests",
        ),
        ({"tolerance": 1.0}, "serving.tolerance is 1; it is a share"),
        ({"timeout_seconds": 0.0}, "serving.timeout_seconds is 0"),
    ],
)
def test_settings_are_checked_before_anything_is_loaded(settings, says):
    with pytest.raises(RetrainerError, match=says):
        checking.check("nowhere", "nowhere", "nowhere", **settings)


def test_the_output_that_evaluation_reads_counts_and_columns_may_be_of_rank_two(tmp_path):
    module = tf.Module()
    both = [tf.TensorSpec([None, 1], tf.float32, "x")]
    module.named = tf.function(lambda x: {"alpha": x, "predictions": x * 3.0}, both)
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.named)
    server = Server(str(tmp_path / "model"))
    rows = {"x": np.array([1.0, 2.0], np.float32)}
    assert server.predict_named(rows).tolist() == [[3.0], [6.0]]
    # Of several others all count, by their names.
    module.pair = tf.function(
        lambda x: {"beta": tf.concat([x, x * 2.0], axis=1), "alpha": x * 3.0}, both
    )
    tf.saved_model.save(module, str(tmp_path / "pair"), signatures=module.pair)
    found = Server(str(tmp_path / "pair")).predict_named(rows)
    assert found.tolist() == [[3.0, 1.0, 2.0], [6.0, 2.0, 4.0]]


@pytest.mark.usefixtures("serving_here")
def test_an_output_without_a_prediction_for_each_row_is_named_among_several(examples, tmp_path):
    module = tf.Module()
    rows = [tf.TensorSpec([None], tf.float32, "distance")]
    text = [tf.TensorSpec([None], tf.string, "examples")]

    def both(distance):
        return {"alpha": distance, "beta": tf.reduce_sum(distance)}

    module.named = tf.function(both, rows)
    module.serialised = tf.function(
        lambda examples: both(tf.zeros_like(tf.strings.length(examples), tf.float32)), text
    )
    signatures = {"serving_default": module.named, "serving_tf_examples": module.serialised}
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=signatures)
    verdict = checking.check(str(tmp_path / "model"), examples, str(tmp_path / "check"), 5)
    assert "5 rows went in and predictions of shape () came out" in verdict
