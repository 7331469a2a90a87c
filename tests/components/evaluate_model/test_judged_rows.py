"""Which rows are kept for the server, with which predictions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from retrainer.components.evaluate_model.judged_rows import judged_rows
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples, SpanPart


class Doubling:
    """What `judged_rows` uses of a Model: one that doubles `x`."""

    columns = ("x", "word")

    def tensors(self, batch):
        return {
            "x": tf.constant(batch["x"].to_numpy(zero_copy_only=False).astype("float32")),
            # A model from elsewhere may want (rows, 1).
            "word": tf.reshape(tf.constant(batch["word"].to_pylist()), (-1, 1)),
        }

    def predict_side_by_side(self, batch):
        return 2 * batch["x"].to_numpy(zero_copy_only=False).astype("float32")


@pytest.fixture
def write(tmp_path):
    """A function that writes evaluation spans, each a list of files with so many rows."""

    def call(**spans):
        parts, first = [], 0
        for span, files in spans.items():
            names = []
            for number, rows in enumerate(files):
                names.append(f"{number}.parquet")
                x = np.arange(first, first + rows, dtype=float)
                first += rows
                frame = pd.DataFrame({"late": 0, "x": x, "word": [f"w{int(n)}" for n in x]})
                (tmp_path / span).mkdir(exist_ok=True)
                pq.write_table(
                    pa.Table.from_pandas(frame, preserve_index=False),
                    tmp_path / span / names[-1],
                )
            parts.append(SpanPart(span, str(tmp_path / span), "all", sum(files), tuple(names)))
        splits = {"train": (), "eval": tuple(parts)}
        return Examples("late", splits, tuple(spans), versions=dict.fromkeys(spans, "v1"))

    return call


def every_prediction(examples):
    return 2 * np.concatenate([batch["x"].to_numpy() for batch in examples.iter_batches("eval")])


@pytest.mark.parametrize("on_beam", [False, True])
def test_the_first_rows_of_the_newest_span_that_has_any_are_kept(write, on_beam):
    examples = write(a=[10], b=[100, 50], c=[0])
    found = judged_rows(examples, Doubling(), None if on_beam else every_prediction(examples))
    assert found.source == "b/v1/all"
    assert found.columns["x"] == [float(n) for n in range(10, 74)]
    assert found.columns["word"][:2] == ["w10", "w11"]
    assert found.predictions == [[2.0 * n] for n in range(10, 74)]


def test_a_short_file_has_fewer_rows(write):
    examples = write(a=[10], b=[3, 50])
    found = judged_rows(examples, Doubling(), every_prediction(examples))
    assert found.predictions == [[20.0], [22.0], [24.0]]


def test_classes_keep_a_prediction_each(write):
    examples = write(a=[2])
    found = judged_rows(examples, Doubling(), np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert found.predictions == [[0.25, 0.75], [0.5, 0.5]]


def test_without_a_row_there_is_nothing_to_keep(write):
    assert judged_rows(write(a=[0]), Doubling(), np.zeros(0)) is None


def test_a_span_whose_files_lost_their_rows_is_named(write):
    examples = write(a=[0])
    part = replace(examples.splits["eval"][0], rows=5)
    lost = replace(examples, splits={"train": (), "eval": (part,)})
    with pytest.raises(RetrainerError, match="span 'a' has 5 rows by its record"):
        judged_rows(lost, Doubling(), None)
