"""What the model server makes of rows, and of models that are not as train_model exports them.

It runs in this process here; test_check.py and test_server.py run it in a clean one.
"""

import json
import re

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from retrainer.components.check_serving import check as checking
from retrainer.components.check_serving.served_model import RefusedError, _columns
from retrainer.components.lib.errors import RetrainerError


def test_missing_cells_are_nan_and_empty_text():
    rows = [{"size": 1, "word": "a"}, {"size": None, "word": None}, {}]
    columns = _columns({"size": tf.float32, "word": tf.string}, rows)
    np.testing.assert_array_equal(columns["size"], [1, np.nan, np.nan])
    assert columns["word"].tolist() == [b"a", b"", b""]


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        (tf.int64, [1, None, 3], "has no missing value, and it is missing in 1 of 3 rows"),
        (tf.int64, [1, 2.5, 3], "takes 'size' as int64, and the rows have fractions"),
        (tf.float32, [1, "2", 3], "takes 'size' as float32, and the rows have text"),
    ],
)
def test_a_number_that_a_server_would_refuse_is_refused(kind, values, says):
    with pytest.raises(RefusedError, match=says):
        _columns({"size": kind}, [{"size": value} for value in values])


def test_whole_numbers_that_are_written_as_fractions_are_taken():
    columns = _columns({"size": tf.int64}, [{"size": 2.0}, {"size": 3}])
    assert columns["size"].tolist() == [2, 3]
    assert columns["size"].dtype == np.int64


def save(path, function, *signatures) -> str:
    """Export a function of the column `x`; under other signatures, of serialised examples."""
    module = tf.Module()
    module.named = tf.function(
        lambda x: {"predictions": function(x)}, [tf.TensorSpec([None], tf.float32, "x")]
    )

    def of_examples(examples, factor):
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]
        return {"predictions": function(x) * factor}

    text = [tf.TensorSpec([None], tf.string, "examples")]
    module.serialised = tf.function(lambda examples: of_examples(examples, 1.0), text)
    module.doubled = tf.function(lambda examples: of_examples(examples, 2.0), text)
    chosen = {name: getattr(module, kind) for name, kind in signatures}
    tf.saved_model.save(module, str(path), signatures=chosen)
    return str(path)


BOTH = (("serving_default", "named"), ("serving_tf_examples", "serialised"))


@pytest.fixture(scope="module")
def served(tmp_path_factory, write_examples):
    """A function that checks a model of `x`, and returns the verdict and the record."""
    rows = pd.DataFrame(
        {"x": [1.0, 2.0, 3.0], "day": pd.Timestamp("2026-01-01"), "late": [0, 1, 0]}
    )
    examples = write_examples("for-serving", rows)

    def run(function, *signatures, **settings):
        folder = tmp_path_factory.mktemp("served")
        model = save(folder / "model", function, *(signatures or BOTH))
        verdict = checking.check(model, examples, str(folder / "check"), **settings)
        return verdict, json.loads((folder / "check" / "serving_check.json").read_text())

    return run


@pytest.mark.usefixtures("serving_here")
def test_no_request_need_be_timed(served):
    verdict, record = served(lambda x: x * 2, requests=0)
    assert verdict == "serves 3 rows, both signatures agree; no request was timed"
    assert record["ok"]
    assert record["latency_ms"] is None


@pytest.mark.usefixtures("serving_here")
@pytest.mark.parametrize(
    ("function", "serialised", "says"),
    [
        (tf.reduce_sum, "serialised", r"3 rows went in and predictions of shape \(\) came out"),
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
    signatures = (BOTH[0], ("serving_tf_examples", serialised))
    verdict, record = served(function, *signatures, requests=1)
    assert re.search(says, verdict)
    assert not record["ok"]


@pytest.mark.usefixtures("serving_here")
def test_a_signature_that_is_missing_is_named(served):
    verdict, _ = served(lambda x: x, ("serving_default", "named"), requests=1)
    assert "has no signature 'serving_tf_examples'" in verdict


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rows": 0}, "serving.rows is 0"),
        ({"requests": -1}, "serving.requests is -1"),
        ({"requests": 0, "max_latency_ms": 5.0}, "at least one request that is timed"),
        ({"timeout_seconds": 0.0}, "serving.timeout_seconds is 0"),
    ],
)
def test_settings_are_checked_before_anything_is_loaded(settings, says):
    with pytest.raises(RetrainerError, match=says):
        checking.check("nowhere", "nowhere", "nowhere", **settings)


def test_only_the_rows_that_are_sent_are_read(make_examples, monkeypatch):
    from retrainer.components.lib.examples import Examples

    days = {
        str(day): pd.DataFrame({"x": [float(day)] * 10, "late": [0, 1] * 5}) for day in range(4)
    }
    examples = Examples.read(make_examples(days, eval_spans=3))
    monkeypatch.setattr(Examples, "read_table", None)
    table = checking._first_rows(examples, 4)
    assert table.column("x").to_pylist() == [3.0] * 4
