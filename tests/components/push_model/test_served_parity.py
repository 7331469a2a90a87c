"""What is served equals what evaluation judged, across two tasks, or the column that makes the difference is named."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from servers import serving_here as serving_here_

from retrainer.components.check_serving import check as checking
from retrainer.components.evaluate_model.evaluate import evaluate
from retrainer.components.evaluate_model.judged_rows import judged_rows
from retrainer.components.evaluate_model.predict import score
from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.saved_models.newest_rows import newest_part, source_of
from retrainer.components.lib.saved_models.saved_model import Model
from retrainer.components.lib.saved_models.scored_rows import MOST_ROWS, ScoredRows
from retrainer.components.lib.verdicts import Blessing, Champion, ServingCheck
from retrainer.components.push_model.push import push
from retrainer.components.push_model.served_parity import find_skew

CELLS = {"x": [1.0, math.nan, 3.0], "word": ["a", "", "c"], "count": [1, 2, 3]}


def predict(cells):
    known = np.nan_to_num(np.array(cells["x"]), nan=0.5)
    lengths = np.array([len(word) for word in cells["word"]])
    return known + 10.0 * lengths + 100.0 * np.array(cells["count"])


def rows(cells=None, predictions=None, source="3/v1/all", **more):
    cells = {**CELLS, **(cells or {}), **more}
    return ScoredRows.of(source, cells, predict(cells) if predictions is None else predictions)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """`predict` as a SavedModel."""

    def total(x, word, count):
        known = tf.where(tf.math.is_nan(x), 0.5, x)
        length = tf.cast(tf.strings.length(word), tf.float32)
        return {"predictions": known + 10.0 * length + 100.0 * tf.cast(count, tf.float32)}

    module = tf.Module()
    module.named = tf.function(total)
    kinds = {"x": tf.float32, "word": tf.string, "count": tf.int64}
    specs = {name: tf.TensorSpec([None], kind, name) for name, kind in kinds.items()}
    path = str(tmp_path_factory.mktemp("saved") / "model")
    tf.saved_model.save(module, path, signatures=module.named.get_concrete_function(**specs))
    return path


def test_equal_predictions_are_equal_whatever_the_cells_look_like():
    # A model that fills a missing number with 0.5.
    assert find_skew("none", rows(), rows(x=[1.0, 0.5, 3.0]), 1e-4) == ""
    assert find_skew("none", rows(), rows(predictions=predict(CELLS) * (1 + 9e-5)), 1e-4) == ""


def test_the_only_column_whose_cells_differ_makes_the_difference_and_no_model_is_loaded():
    assert find_skew("none", rows(), rows(x=[1.0, 4.5, 3.0]), 1e-4) == (
        "the server's predictions differ from those that evaluation judged in 1 of 3 rows, by up to 4 (row 1: served "
        "204.5, judged 200.5; serving.tolerance is 0.0001); column 'x' makes the difference: in row 1 the server was "
        "sent 4.5 and evaluation has nan"
    )


def test_of_several_columns_that_differ_the_model_says_which_one_matters(saved):
    served = rows(x=[1.0, 0.5, 3.0], word=["a", "", "ccc"])
    found = find_skew(saved, rows(), served, 1e-4)
    assert found.endswith(
        "column 'word' makes the difference: in row 2 the server was sent 'ccc' and evaluation has 'c'"
    )
    both = find_skew(saved, rows(), rows(x=[2.0, math.nan, 3.0], count=[1, 2, 4]), 1e-4)
    assert "column 'count' makes the difference (and so do 'x'): in row 2" in both


def test_columns_that_matter_only_together_are_named(saved):
    # 6 and 10 apart in row 0, where 0.08 of 111 and 0.008 of 313 are 11.4.
    served = rows(x=[7.0, math.nan, 3.0], word=["aa", "", "c"])
    found = find_skew(saved, rows(), served, 0.08)
    assert found.endswith("no column alone makes the difference, but these together: 'word', 'x'")


def test_equal_cells_with_other_predictions_name_the_machine():
    found = find_skew("none", rows(), rows(predictions=predict(CELLS) * 1.01), 1e-4)
    assert "in 3 of 3 rows" in found
    assert found.endswith(
        "both were given the same cells, so the machine or the size of the batches makes the difference, or the model "
        "answers by chance"
    )
    assert find_skew("none", rows(), rows(predictions=predict(CELLS) * 1.01), 0.02) == ""


def test_the_rows_that_both_have_are_compared_and_no_others():
    fewer = {name: cells[:2] for name, cells in CELLS.items()}
    served = ScoredRows.of("3/v1/all", fewer, predict(fewer))
    assert find_skew("none", rows(), served, 1e-4) == ""
    elsewhere = rows(x=[9.0, 9.0, 9.0], source="3/v2/all")
    assert find_skew("none", rows(), elsewhere, 1e-4) == ""


def test_another_number_of_classes_is_a_difference():
    wide = rows(predictions=np.zeros((3, 2)))
    assert "predictions of shape (3, 2)" in find_skew("none", rows(), wide, 1e-4)


@pytest.fixture(scope="module")
def judged_and_served(chain, model, write_examples, sample):
    """The folders of a blessing and of a serving check of one model, on 300 rows with gaps."""
    frame = sample.iloc[:300].assign(dep_delay=lambda f: f.dep_delay.where(f.index % 7 > 0))
    examples = write_examples("for-parity", sample.iloc[300:400], frame)
    folder = chain / "parity"
    Champion().write(str(folder / "champion"))
    metrics = [
        {
            "metrics": [
                {
                    "class_name": "AUC",
                    "threshold": {"value_threshold": {"lower_bound": {"value": 0.1}}},
                }
            ]
        }
    ]
    verdict = evaluate(
        examples, model, str(folder / "champion"), str(folder / "evaluation"), str(folder / "blessing"),
        str(folder / "report.html"), metrics, batch_rows=128,
    )  # fmt: skip
    assert verdict.startswith("blessed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checking, "Server", serving_here_.ServerHere)
        checking.check(model, examples, str(folder / "check"), 100, requests=0, memory_requests=0)
    return examples, str(folder / "blessing"), str(folder / "check")


def test_evaluation_and_the_server_write_the_same_rows(judged_and_served, model):
    examples, blessing, check = judged_and_served
    judged, served = ScoredRows.read(blessing), ScoredRows.read(check)
    assert len(judged.predictions) == len(served.predictions) == MOST_ROWS
    assert judged.source == served.source
    loaded = Examples.read(examples)
    assert judged.source == source_of(loaded, newest_part(loaded))
    assert json.dumps(judged.columns) == json.dumps(served.columns)
    assert any(math.isnan(cell) for cell in judged.columns["dep_delay"])
    assert find_skew(model, judged, served, 1e-4) == ""


def test_a_model_that_answers_a_server_otherwise_is_not_pushed(judged_and_served, model, tmp_path):
    _, blessing, check = judged_and_served
    judged = Blessing.read(blessing)
    assert judged.model_digest == digest_folder(model)
    served, found = tmp_path / "check", ServingCheck.read(check)
    found.write(str(served))
    rows = ScoredRows.read(check)
    cells = [0.0 if math.isnan(cell) else cell for cell in rows.columns["dep_delay"]]
    shifted = np.array(rows.predictions) + 0.25
    ScoredRows.of(rows.source, {**rows.columns, "dep_delay": cells}, shifted).write(str(served))
    store = str(tmp_path / "store")
    verdict = push(model, blessing, str(served), store, str(tmp_path / "pushed"))
    assert verdict.startswith(
        "refused, no model serves yet: serving check: the server's predictions differ"
    )
    assert "column 'dep_delay' makes the difference" in verdict
    assert push(model, blessing, check, store, str(tmp_path / "pushed")).startswith(
        "pushed as version 1"
    )


def test_a_model_that_answers_a_large_batch_otherwise_serves_and_is_not_pushed(
    examples, tmp_path, monkeypatch
):
    monkeypatch.setattr(checking, "Server", serving_here_.ServerHere)
    module = tf.Module()

    def shifted(distance):
        known = tf.where(tf.math.is_nan(distance), 0.0, distance)
        # No request of the check has so many rows, and evaluation sends 2,000 at once.
        return {"predictions": known / 5000.0 + tf.where(tf.size(known) > 1000, 0.1, 0.0)}

    def parsed(examples):
        read = {"distance": tf.io.FixedLenFeature([], tf.float32, float("nan"))}
        return shifted(**tf.io.parse_example(examples, read))

    module.named = tf.function(shifted, [tf.TensorSpec([None], tf.float32, "distance")])
    module.parsed = tf.function(parsed, [tf.TensorSpec([None], tf.string, "examples")])
    path, check = str(tmp_path / "model"), str(tmp_path / "check")
    signatures = {"serving_default": module.named, "serving_tf_examples": module.parsed}
    tf.saved_model.save(module, path, signatures=signatures)
    verdict = checking.check(path, examples, check, requests=0, memory_requests=0)
    assert verdict.startswith("serves 64 rows")

    loaded, read = Model(path, "challenger"), Examples.read(examples)
    scores = score(read, {"candidate": loaded}, [])
    blessing = str(tmp_path / "blessing")
    judged_rows(read, loaded, scores.predictions["candidate"]).write(blessing)
    Blessing(True, (), "blessed: auc 0.9", digest_folder(path), None).write(blessing)
    verdict = push(path, blessing, check, str(tmp_path / "store"), str(tmp_path / "pushed"))
    assert "differ from those that evaluation judged in 64 of 64 rows, by up to 0.1" in verdict
    assert "the size of the batches makes the difference" in verdict


def test_all_outputs_of_a_model_with_several_are_compared(examples, tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "Server", serving_here_.ServerHere)
    module = tf.Module()

    def outputs(distance):
        known = tf.where(tf.math.is_nan(distance), 0.0, distance)
        return {"late": known / 5000.0, "early": tf.stack([known, -known], axis=1)}

    def parsed(examples):
        read = {"distance": tf.io.FixedLenFeature([], tf.float32, float("nan"))}
        return outputs(**tf.io.parse_example(examples, read))

    module.named = tf.function(outputs, [tf.TensorSpec([None], tf.float32, "distance")])
    module.parsed = tf.function(parsed, [tf.TensorSpec([None], tf.string, "examples")])
    path = str(tmp_path / "model")
    signatures = {"serving_default": module.named, "serving_tf_examples": module.parsed}
    tf.saved_model.save(module, path, signatures=signatures)
    verdict = checking.check(path, examples, str(tmp_path / "check"), requests=0, memory_requests=0)
    assert verdict.startswith("serves 64 rows")
    judged = judged_rows(Examples.read(examples), Model(path, "challenger"), None)
    served = ScoredRows.read(str(tmp_path / "check"))
    assert np.shape(judged.predictions) == (64, 3)
    assert find_skew(path, judged, served, 1e-4) == ""
    first = judged.predictions[0]
    assert first == pytest.approx([first[0], -first[0], first[0] / 5000.0])
