"""Rows of two batches, spans and models become one set of scores, row by row."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from retrainer.components.evaluate_model import predict
from retrainer.components.evaluate_model.predict import (
    OutputsDifferError,
    needed_columns,
    predict_outputs,
    score,
    score_batch,
    slice_batch,
)
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples


class Fixed:
    """A model that returns a column times a factor."""

    def __init__(self, factor: float, *columns: str, who: str = "challenger") -> None:
        self.factor, self.columns, self.who = factor, list(columns), who

    def predict(self, batch: pa.RecordBatch) -> np.ndarray:
        values = batch.column(self.columns[0]).to_numpy(zero_copy_only=False)
        return (self.factor * values).astype(np.float32)


MODELS = {"candidate": Fixed(0.5, "x"), "baseline": Fixed(2.0, "x", who="champion version 3")}


@pytest.fixture
def examples(make_examples):
    """Two eval spans: one without a column to slice by, one without a label yet."""
    first = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [0, 1, 0], "w": [1.0, 2.0, 3.0]})
    second = pd.DataFrame({"x": [4.0, 5.0], "y": [1, 1], "w": [4.0, 5.0], "site": ["a", None]})
    spans = {"0": second, "1": first, "2": second}
    return Examples.read(make_examples(spans, eval_spans=2, label="y"))


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_rows_of_all_batches_and_spans_are_scored_by_every_model(examples, batch_rows, monkeypatch):
    reported = []
    monkeypatch.setattr(predict, "progress", lambda *of: reported.append(of))
    scores = score(examples, MODELS, ["site"], "w", batch_rows)
    done = {1: [0, 1, 2, 3, 4], 2: [0, 2, 3], 100: [0, 3]}[batch_rows]
    assert reported == [("scoring the eval rows", rows, 5) for rows in done]
    assert scores.rows == 5
    assert scores.label.tolist() == [0, 1, 0, 1, 1]
    assert scores.weight.tolist() == [1, 2, 3, 4, 5]
    assert scores.predictions["candidate"].tolist() == [0.5, 1, 1.5, 2, 2.5]
    assert scores.predictions["baseline"].tolist() == [2, 4, 6, 8, 10]
    assert scores.slices.column("site").to_pylist() == [None, None, None, "a", None]
    assert score(examples, MODELS, []).weight is None


def test_some_rows_are_kept_in_all_that_there_is(examples):
    kept = score(examples, MODELS, ["site"], "w").of(np.array([True, False, False, True, False]))
    assert (kept.label.tolist(), kept.weight.tolist()) == ([0, 1], [1, 4])
    assert kept.predictions["baseline"].tolist() == [2, 8]
    assert kept.slices.column("site").to_pylist() == [None, "a"]


@pytest.mark.parametrize("column", [None, pa.nulls(2)])
def test_a_label_or_weight_that_a_batch_lacks_is_empty_in_each_row(column):
    columns = {"x": pa.array([1.0, 2.0])}
    if column is not None:
        columns |= {"y": column, "w": column}
    batch = pa.RecordBatch.from_pydict(columns)
    scores = score_batch(batch, {"": ("y",)}, MODELS, [], "w")
    assert np.isnan(scores.label).tolist() == np.isnan(scores.weight).tolist() == [True, True]


@pytest.mark.parametrize(
    ("label", "weight", "role"), [("t", "", "label 't'"), ("x", "t", "weight 't'")]
)
def test_text_is_no_label_and_no_weight(label, weight, role):
    batch = pa.RecordBatch.from_pydict({"x": [1.0, 2.0], "t": ["0", "1"]})
    with pytest.raises(RetrainerError, match=f"the {role} is string"):
        score_batch(batch, {"": (label,)}, MODELS, [], weight)


def test_columns_are_read_once_and_only_those_that_are_needed(examples):
    two = {"a": Fixed(1, "x", "z"), "b": Fixed(1, "z", "v")}
    assert needed_columns(examples, two, ["site"], "w") == ["y", "w", "site", "x", "z", "v"]
    assert needed_columns(examples, MODELS, [], "") == ["y", "x"]


@pytest.mark.parametrize(
    ("label", "slices", "weight", "says"),
    [
        (
            "y",
            ["gate"],
            "",
            r"the evaluation names the column 'gate'.*\(spans 1, 2\).*site, w, x, y",
        ),
        ("late", [], "", "the label is 'late'"),
        ("y", [], "mass", "the weight is 'mass'"),
    ],
)
def test_a_column_that_no_eval_span_has_is_named(examples, label, slices, weight, says):
    renamed = Examples(label, examples.splits, examples.spans)
    with pytest.raises(RetrainerError, match=says):
        needed_columns(renamed, MODELS, slices, weight)


@pytest.mark.parametrize(
    ("who", "fix"), [("challenger", "Train it without"), ("champion version 3", "models retire")]
)
def test_of_two_models_the_one_that_takes_the_label_is_named(examples, who, fix):
    models = {"a": Fixed(1, "x"), "b": Fixed(1, "x", "y", who=who)}
    with pytest.raises(RetrainerError, match=rf"the {who} takes 'y'.*{fix}"):
        needed_columns(examples, models, [], "")


def test_the_lists_of_a_spans_files_are_read():
    texts = ['["a", "ü", null]', None, "[]", "[1, 2.5, true]"]
    batch = pa.RecordBatch.from_pydict({"tags": texts})
    kept = slice_batch(batch, ["tags"], ["tags"])
    assert kept["tags"].to_pylist() == [["a", "ü"], None, [], ["1", "2.5", "true"]]


def test_a_number_that_is_none_is_in_no_slice():
    batch = pa.RecordBatch.from_pydict({"gate": [1.5, float("nan")], "hour": [7, 8], "x": [0, 0]})
    kept = slice_batch(batch, ["gate", "hour", "site"])
    assert kept.to_pydict() == {"gate": [1.5, None], "hour": [7, 8]}
    assert slice_batch(batch, ["site"]).num_rows == 2


class Several(Fixed):
    """A model with an output of one number a row and one of two."""

    widths: ClassVar[dict[str, int]] = {"late": 1, "when": 2}

    def predict_outputs(self, batch: pa.RecordBatch) -> dict[str, np.ndarray]:
        values = self.predict(batch)
        return {"late": values, "when": np.stack([values, -values], axis=1)}


BATCH = pa.RecordBatch.from_pydict({"x": [1.0, 2.0], "y": [0, 1], "z": [1, 1], "w": [0.5, None]})


def test_each_output_has_its_labels_and_its_predictions():
    outputs = {"late": ("y",), "when": ("y", "z")}
    scores = score_batch(BATCH, outputs, {"candidate": Several(2, "x")}, [], "w").by_output
    assert scores["late"].label.tolist() == [0, 1]
    assert scores["when"].label.tolist() == [[0, 1], [1, 1]]
    assert scores["when"].label.dtype == np.float64
    assert scores["late"].predictions["candidate"].tolist() == [2, 4]
    assert scores["when"].predictions["candidate"].tolist() == [[2, -2], [4, -4]]
    assert np.isnan(scores["when"].weight).tolist() == [False, True]
    # An output may have a prediction for each class of one label.
    assert score_batch(BATCH, {"when": ("y",)}, {"a": Several(2, "x")}, []).rows == 2


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ({"late": ("y",), "soon": ("z",)}, "has no output 'soon', .* only late, when"),
        ({"late": ("y", "z")}, "output 'late' of the challenger gives 1 numbers .* are 2: y, z"),
        ({"when": ("y", "z", "w")}, "output 'when' of the challenger gives 2 numbers .* are 3"),
        ({"": ("y", "z")}, "the challenger gives 1 numbers for a row, .* Give its last layer 2"),
    ],
)
def test_an_output_that_does_not_suit_its_labels_is_named(outputs, says):
    with pytest.raises(OutputsDifferError, match=says):
        predict_outputs(Several(1, "x"), BATCH, outputs)
