"""What is compared with what in a window: the newest span with the others, and training with evaluation."""

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.lib.statistics.statistics_artifact import StatisticsIndex
from retrainer.components.validate_examples.analysis import analyze
from retrainer.components.validate_examples.schema_inference import infer_schema
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.window import Window

LIMIT = {"infinity_norm": 0.1}


def dataset(*letters, gone=""):
    """Rows that all have one letter, a hundred for each; a column may be gone."""
    x = [letter for letter in letters for _ in range(100)]
    columns = {"x": x, "id": x, "y": [0, 1] * (len(x) // 2), "n": [1.5, 2.5] * (len(x) // 2)}
    columns.pop(gone, None)
    return Dataset(tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns)))


@pytest.fixture
def analysis():
    """A function that analyzes a window whose spans have a letter each; the last ones are for evaluation."""

    def go(letters, evaluation=1, shared=False, empty=False, gone="", **settings):
        names = tuple(str(i) for i in range(1, len(letters) + 1))
        train, newer = names[:-evaluation], names[-evaluation:]
        split_spans = {"train": names, "eval": names} if shared else {"train": train, "eval": newer}
        index = StatisticsIndex("y", ("id",), names, split_spans)
        splits = {
            "train": dataset(*(letters if shared else letters[:-evaluation])),
            "eval": dataset() if empty else dataset(*letters[-evaluation:], gone=gone),
        }
        spans = {name: dataset(letter) for name, letter in zip(names, letters, strict=True)}
        spans[names[-1]] = dataset(letters[-1], gone=gone)
        window = Window(
            index, splits, spans,
            {name: dataset(*letters[:i]) for i, name in enumerate(names) if i},
        )  # fmt: skip
        schema = infer_schema(splits["train"], [], ["y"], ["id"], 0.99)
        return analyze(window, schema, parse_settings(**settings))

    return go


def test_each_span_is_compared_with_those_before_and_skew_with_the_steps_of_training(analysis):
    made = analysis("AABBB", evaluation=2)
    values = [round(distances["x"].value, 4) for distances in made.history]
    assert values == [0, 1, 0.6667, 0.5]
    assert made.drift.distances["x"].value == 0.5
    assert made.drift.history == made.history[:-1]
    # Training has three spans, so two steps.
    assert made.skew.history == made.history[:2]
    assert round(made.skew.distances["x"].value, 4) == 0.6667
    assert made.has_skew
    assert set(made.drift_baselines) == set(made.skew_baselines) == {"x"}
    # A key is new in every span, and a label has a check of its own.
    assert set(made.drift.distances) == set(made.skew.distances) == {"x", "n"}
    assert made.compared == frozenset()
    assert list(made.anomalies) == ["Split-train", "Split-eval", "Span-5"]


def test_where_skew_is_drift_only_a_threshold_of_ones_own_counts_as_skew(analysis):
    made = analysis("AAB")
    assert (made.has_skew, made.skew.distances, made.skew_baselines) == (False, {}, {})
    assert not any(feature.HasField("skew_comparator") for feature in made.schema.feature)
    assert not any(feature.HasField("skew_comparator") for feature in made.read_schema.feature)
    own = analysis("AAB", skew={"columns": {"x": LIMIT}}, drift={"columns": {"id": LIMIT}})
    assert (own.has_skew, list(own.skew.distances)) == (True, ["x"])
    assert own.compared == {"x", "id"}
    assert set(own.drift.distances) == {"x", "n", "id"}


def test_evaluation_without_rows_has_no_skew(analysis):
    made = analysis("AABB", evaluation=2, empty=True)
    assert (made.has_skew, made.skew.distances) == (False, {})


def test_a_split_of_the_same_spans_has_no_steps_of_its_own(analysis):
    made = analysis("AABA", shared=True)
    assert (made.has_skew, list(made.skew.history)) == (True, [])
    assert made.skew.distances["x"].value > 0.2
    assert "earlier spans" not in made.skew_baselines["x"].normal


def test_a_single_span_has_nothing_before_it(analysis):
    made = analysis("A", shared=True)
    assert (made.history, made.drift.distances, made.drift_baselines) == ([], {}, {})
    assert list(made.anomalies) == ["Split-train", "Split-eval"]


def test_tfdvs_measure_is_that_of_all_spans_where_somebody_set_a_threshold(analysis):
    usual = analysis("AABB", evaluation=2)
    assert all(distances["n"].by_quantiles for distances in usual.history)
    limit = {"jensen_shannon_divergence": 0.3}
    own = analysis("AABB", evaluation=2, drift={"columns": {"n": limit, "x": {}}})
    assert [list(distances) for distances in own.history] == [["n"]] * 3
    for measured in (*own.history, own.drift.distances):
        assert (measured["n"].by_quantiles, measured["n"].chosen) == (False, True)
    assert own.skew.distances["n"].by_quantiles


def test_a_column_that_the_newest_span_lacks_is_not_compared(analysis):
    made = analysis("AAA", gone="x")
    assert list(made.drift.distances) == ["n"]
    assert [list(distances) for distances in made.history] == [["n"], ["n"]]


def test_a_single_span_of_training_makes_no_step(analysis):
    made = analysis("ABB", evaluation=2)
    assert (made.has_skew, list(made.skew.history), len(made.history)) == (True, [], 2)
