"""Clients are answered what evaluation counted, or the column that makes the difference is named."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from retrainer.components.check_serving import check as checking
from retrainer.components.check_serving.evaluation_cells import evaluation_cells
from retrainer.components.check_serving.parity import compare_with_evaluation
from retrainer.components.check_serving.served_model import answer
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.saved_models.newest_rows import first_rows, newest_part
from retrainer.components.lib.saved_models.prediction_tolerance import Tolerance
from retrainer.components.lib.saved_models.saved_model import Model

KINDS = {"x": tf.float32, "word": tf.string, "count": tf.int64}


def total(x, word, count):
    known = tf.where(tf.math.is_nan(x), 0.5, x)
    length = tf.cast(tf.strings.length(word), tf.float32)
    return known + 10.0 * length + 100.0 * tf.cast(count, tf.float32)


@pytest.mark.usefixtures("serving_here")
def test_a_column_that_evaluation_converts_otherwise_is_named(served, monkeypatch):
    def cut(folder, table):
        cells = evaluation_cells(folder, table)
        assert set(cells) == set(KINDS)
        return {**cells, "word": ["", *cells["word"][1:]]}

    assert served(total, kinds=KINDS)[1]["ok"]
    monkeypatch.setattr(checking, "evaluation_cells", cut)
    verdict, record = served(total, kinds=KINDS)
    assert (
        "predictions of served rows differ from evaluation's on the same rows by up to 10 (serving.tolerance is "
        "0.0001); column 'word' makes the difference: in row 0 a client sends 'a' and evaluation has ''"
    ) in verdict
    assert not record["ok"]


def test_a_difference_of_several_columns_together_names_them():
    served = {"a": np.array([1.0, 1.0]), "b": np.array([2.0, 2.0]), "c": np.array([1, 1])}
    judged = {"a": np.array([1.0, 0.0]), "b": np.array([2.0, 0.0]), "c": np.array([1, 1])}

    def product(columns):
        return columns["a"] * columns["b"] * columns["c"]

    found = compare_with_evaluation(product, served, judged, product(served), Tolerance())
    assert found.endswith("no column alone makes the difference, but these together: 'a', 'b'")


def test_cells_that_differ_and_do_not_matter_are_no_difference():
    served, judged = ({"a": np.array([cell])} for cell in (np.nan, 0.0))

    def known(columns):
        return np.nan_to_num(columns["a"])

    assert compare_with_evaluation(known, served, judged, known(served), Tolerance()) == ""


def test_a_model_that_answers_by_chance_is_named():
    rows = {"a": np.array([1.0])}
    found = compare_with_evaluation(
        lambda _: np.array([0.5]), rows, rows, np.array([0.4]), Tolerance()
    )
    assert found == "the model answers equal rows differently from call to call"


@pytest.mark.usefixtures("serving_here")
def test_a_feature_that_the_signature_of_tf_examples_reads_under_another_name_is_named(served):
    verdict, _ = served(total, kinds=KINDS, features={"word": "wrod"})
    assert "the signature of tf.Examples does not read 'word'" in verdict
    verdict, _ = served(total, kinds=KINDS, features={"x": "X"}, defaults={"x": -1.0})
    assert "the signature of tf.Examples does not read 'x'" in verdict


def test_evaluation_itself_predicts_what_is_served(model, examples):
    part = newest_part(Examples.read(examples))
    table = pa.Table.from_batches([first_rows(part, 64)])
    request = {
        "model": model,
        "instances": table.to_pylist(),
        "evaluation": evaluation_cells(model, table),
        "requests": 0,
        "batches": [],
        "memory_requests": 0,
        "max_memory_growth_mb": 8.0,
        "tolerance": 1e-4,
        "kept_rows": 2,
    }
    served = answer(request)
    assert served["problems"] == []
    expected = Model(model, "challenger").predict(table.combine_chunks().to_batches()[0])
    assert set(request["evaluation"]) == set(Model(model, "challenger").columns)
    assert served["columns"]["dest"] == table["dest"].to_pylist()[:2]
    np.testing.assert_allclose(np.ravel(served["predictions"]), expected, rtol=1e-6)


@pytest.mark.usefixtures("serving_here")
def test_predictions_closer_than_the_tolerance_are_equal(served):
    def chance(x):
        return 100.0 + tf.where(tf.math.is_nan(x), 0.0, x) + tf.random.uniform([], 0.0, 0.5)

    verdict, record = served(chance)
    assert "the model answers equal rows differently from call to call" in verdict
    verdict, record = served(chance, tolerance=0.01)
    assert verdict.startswith("serves 3 rows")
    assert record["tolerance"] == 0.01
