"""A pass over rows: what it says where the user's function fails."""

import pyarrow as pa
import pytest
import tensorflow as tf

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.features import FLOAT, STRING
from retrainer.components.transform_features.in_process.data_pass import Reader, gather


class Part:
    """Rows of a span."""

    span = "2026-04"

    def iter_batches(self, columns):
        cells = {"amount": ["22,96"], "pieces": [1.0]}
        yield pa.RecordBatch.from_pydict({name: cells[name] for name in columns})


def few(pieces):
    with tf.control_dependencies([tf.debugging.assert_less(pieces, 0.5, "pieces are few")]):
        return pieces + 1


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (
            lambda columns: {"x": tf.cast(columns["amount"], tf.float32)},
            "Cast string to float is not supported. These of its columns are text: 'amount'. If one",
        ),
        (
            lambda columns: {"x": tf.strings.to_number(columns["amount"])},
            "StringToNumberOp could not correctly convert string: 22,96. These of its columns are text: 'amount'",
        ),
        (lambda columns: {"x": few(columns["pieces"])}, "assertion failed: [pieces are few]"),
    ],
)
def test_a_function_that_fails_is_reported_with_its_reason(function, reason):
    compute = tf.function(function)
    with pytest.raises(RetrainerError) as raised:
        gather(compute, {"amount": STRING, "pieces": FLOAT}, [(Part(), [Reader(None, ("x",))])])
    shown = str(raised.value)
    assert shown.startswith("preprocessing_fn fails on rows of span 2026-04: ")
    assert reason in shown
    assert "Graph execution error" not in shown
    assert len(shown.splitlines()) == 1
