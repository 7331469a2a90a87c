"""A warm start moves weights to what they were learned for."""

import re

import keras
import numpy as np
import pandas as pd
import pytest

from retrainer.components.lib.verdicts import Champion
from retrainer.components.train_model.feature_changes import (
    Changed,
    Index,
    Same,
    Vocabulary,
    compare_features,
)
from retrainer.components.train_model.layer_records import describe_layers, is_functional
from retrainer.components.train_model.weight_plan import plan_weights

TOPICS = np.array([f"topic{number}" for number in range(10)])
SOURCE = """
import keras
import tensorflow_transform as tft


def preprocessing_fn(inputs):
    return {"topic": tft.compute_and_apply_vocabulary(inputs["topic"], num_oov_buckets=1, vocab_filename="topic")}


def build_model(transform_output, hyperparameters):
    size = transform_output.vocabulary_size_by_name("topic") + 1
    topic = keras.Input((1,), name="topic", dtype="int64")
    x = keras.layers.Flatten()(keras.layers.Embedding(size, 4)(topic))
    model = keras.Model({"topic": topic}, keras.layers.Dense(1, activation="sigmoid")(x))
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="binary_crossentropy", metrics=["auc"])
    return model
"""


def clicks(rates: dict[str, float], often: list[str], seed: int) -> pd.DataFrame:
    """2,000 clicks on topics; those in front of `often` come more often."""
    random = np.random.default_rng(seed)
    weights = np.linspace(3, 1, len(often))
    topics = random.choice(often, 2_000, p=weights / weights.sum())
    hit = random.random(2_000) < [rates[topic] for topic in topics]
    return pd.DataFrame({"topic": topics, "hit": hit.astype("int64")})


@pytest.fixture(scope="module")
def train_on(tmp_path_factory):
    """A function that transforms and trains on rows, and returns the verdict, the metrics and the model's folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import tensorflow_data_validation as tfdv

    from retrainer.components.lib.examples import Examples, SpanPart
    from retrainer.components.train_model.train import TrainSettings, train
    from retrainer.components.transform_features.transform import transform

    def run(frame, steps, champion=None):
        folder = tmp_path_factory.mktemp("warm")
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / "all.parquet")
        part = SpanPart("1", str(folder), "all", len(frame), ("all.parquet",))
        Examples("hit", {"train": (part,), "eval": (part,)}, ("1",)).write(folder / "examples")
        schema = tfdv.infer_schema(tfdv.generate_statistics_from_dataframe(frame))
        (folder / "schema").mkdir()
        tfdv.write_schema_text(schema, str(folder / "schema" / "schema.pbtxt"))
        examples, graph = str(folder / "examples"), str(folder / "graph")
        transform(examples, str(folder / "schema"), graph, "", SOURCE)
        record = None
        if champion:
            record = str(folder / "champion")
            Champion(3, champion).write(record)
        settings = TrainSettings(steps=steps, batch_size=128)
        trained = train(examples, graph, str(folder / "model"), "", SOURCE, settings, record)
        return trained.verdict, trained.metrics, str(folder / "model")

    return run


def test_a_vocabulary_in_another_order_takes_its_weights_along(train_on):
    rates = dict(zip(TOPICS, np.where(np.arange(10) % 2, 0.9, 0.1), strict=True))
    _, learned, champion = train_on(clicks(rates, list(TOPICS), 1), 150)
    grown = [*TOPICS[::-1], "topic10"]
    verdict, metrics, _ = train_on(clicks({**rates, "topic10": 0.5}, grown, 2), 3, champion)
    assert metrics["auc"] > learned["auc"] - 0.05 > 0.8
    # 12 rows of 4, the kernel and the bias; the row of topic10 is new.
    assert (
        "started from version 3 with 92 % of 53 weights carried over, 1 new word to learn"
        in verdict
    )


def test_the_same_data_take_everything_along(chain, train, model):
    Champion(4, model).write(str(chain / "same"))
    assert "with 100 % of" in train("same-data", steps=3, champion=str(chain / "same")).verdict


def test_a_layer_of_another_shape_is_reinitialized_and_is_named(chain, train, model):
    Champion(4, model).write(str(chain / "narrow"))
    verdict = train(
        "narrow-model",
        steps=3,
        champion=str(chain / "narrow"),
        hyperparameters={"hidden_units": [64, 7]},
    ).verdict
    assert re.search(r"started from version 4 with \d\d % of", verdict)
    assert "reinitialized: Dense#2 (its shape is another), Dense#3" in verdict


def test_a_champion_without_a_record_starts_nothing(chain, train, model):
    import shutil

    shutil.copytree(model, chain / "old-model", ignore=shutil.ignore_patterns("warm_start.json"))
    Champion(2, str(chain / "old-model")).write(str(chain / "old"))
    verdict = train("from-old", steps=3, champion=str(chain / "old")).verdict
    assert "started cold (version 2 has no record of its layers)" in verdict


def test_a_champion_that_can_not_take_the_rows_starts_nothing(chain, train, model):
    import json
    import shutil

    from retrainer.components.train_model.warm_start_record import RECORD_FILE

    shutil.copytree(model, chain / "other-model")
    record = chain / "other-model" / RECORD_FILE
    content = json.loads(record.read_text())
    content["columns"]["hour"] = "string"
    record.write_text(json.dumps(content))
    Champion(2, str(chain / "other-model")).write(str(chain / "other"))
    verdict = train("from-other", steps=3, champion=str(chain / "other")).verdict
    assert "started cold (version 2 can't take these rows: " in verdict


# What became of a feature.


def compare(new, old, vocabularies=(), size=None):
    rows = [({}, {})]
    found = compare_features(
        rows,
        lambda _: {"x": np.asarray(new)},
        lambda _: {"x": np.asarray(old)},
        vocabularies,
        {"x": size} if size else {},
    )
    return found["x"]


def test_words_that_no_row_has_move_too():
    vocabulary = Vocabulary(("c", "a", "new", "b"), ("a", "b", "c"))
    found = compare([0, 1, 0, 4], [2, 0, 2, 3], [vocabulary], 5)
    assert found.places(5, 4).tolist() == [2, 0, -1, 1, 3]


def test_a_vocabulary_of_another_feature_is_not_taken():
    other = Vocabulary(("c", "a", "b"), ("a", "b", "c"))
    assert compare([0, 1, 2], [0, 1, 2], [other], 3) == Index()


def test_a_bucket_goes_where_most_of_its_rows_were():
    found = compare([0, 0, 0, 1, 1, 1, 2], [0, 0, 1, 1, 2, 3, 3])
    # Of bucket 1's rows no old bucket had more than half.
    assert found.places(4, 4).tolist() == [0, -1, 3, -1]


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ([0.0, 1.0, 2.0], [0.1, 1.0, 1.9], Same()),
        ([0.0, 1.0, np.nan], [0.5, 2.0, np.nan], Same()),
        ([0.0, 1.0, 2.0], [2.0, 1.0, 0.0], Changed("has other values")),
        ([0.0, 1.0, 2.0], [0.0, 100.0, 200.0], Changed("has other values")),
        ([1.0, np.nan, 2.0], [1.0, 1.0, 2.0], Changed("is missing in other rows")),
        ([1.0, 2.0], [1, 2], Changed("has another shape or type")),
        ([b"a", b"b"], [b"a", b"b"], Same()),
        ([b"a", b"b"], [b"b", b"a"], Changed("has other values")),
    ],
)
def test_a_number_or_text_is_the_same_or_not(new, old, expected):
    assert compare(new, old) == expected


# Where weights go in a model.


def one_hot_model(words: int, kinds: str = "one_hot") -> keras.Model:
    inputs = {
        "word": keras.Input((1,), dtype="int64", name="word"),
        "size": keras.Input((1,), name="size"),
    }
    encoded = keras.layers.CategoryEncoding(words, output_mode=kinds)(inputs["word"])
    joined = keras.layers.Concatenate()([encoded, inputs["size"]])
    normal = keras.layers.BatchNormalization()(joined)
    return keras.Model(inputs, keras.layers.Dense(2)(normal))


def carried(new: keras.Model, old: keras.Model, features: dict) -> tuple[dict, object]:
    """Plan a warm start; gives each planned array by the path of its variable, and the plan."""
    before = [np.random.default_rng(i).random(v.shape) for i, v in enumerate(old.variables)]
    plan = plan_weights(
        describe_layers(new),
        describe_layers(old),
        features,
        lambda index: np.zeros(new.variables[index].shape),
        lambda index: before[index],
        is_functional(new) and is_functional(old),
    )
    return {new.variables[i].name: values for i, values in plan.values.items()}, plan, before


def test_rows_of_a_kernel_behind_a_one_hot_word_move_with_it():
    old, new = one_hot_model(3), one_hot_model(4)
    moved = Index({0: 2, 1: 0, 3: 1}, ("c", "a", "new", "b"))
    weights, plan, before = carried(new, old, {"word": moved, "size": Same()})
    kernel = next(b for b, v in zip(before, old.variables, strict=True) if v.name == "kernel")
    gamma = next(b for b, v in zip(before, old.variables, strict=True) if v.name == "gamma")
    expected = np.stack([kernel[2], kernel[0], [0, 0], kernel[1], kernel[3]])
    np.testing.assert_array_equal(weights["kernel"], expected)
    np.testing.assert_array_equal(weights["gamma"], [gamma[2], gamma[0], 0, gamma[1], gamma[3]])
    assert plan.new_words == {"new"}
    assert not plan.reinitialized


def test_only_what_takes_a_changed_feature_is_reinitialized():
    weights, plan, _ = carried(
        one_hot_model(3), one_hot_model(3), {"word": Index(), "size": Changed("has other values")}
    )
    assert (weights["kernel"][-1] == 0).all()
    assert (weights["kernel"][:-1] != 0).all()
    assert not plan.reinitialized


def test_a_layer_that_takes_nothing_else_than_a_changed_feature_is_reinitialized():
    def model():
        word = keras.Input((1,), dtype="int64", name="word")
        embedded = keras.layers.Flatten()(keras.layers.Embedding(3, 2)(word))
        return keras.Model({"word": word}, keras.layers.Dense(1, name="last")(embedded))

    weights, plan, _ = carried(model(), model(), {"word": Changed("has other values")})
    assert plan.reinitialized == {"Embedding#1": "'word' has other values"}
    assert set(weights) == {"kernel", "bias"}


def test_words_of_a_lookup_layer_move():
    def model(words):
        text = keras.Input((1,), dtype="string", name="text")
        index = keras.layers.StringLookup(vocabulary=words)(text)
        embedded = keras.layers.Embedding(len(words) + 1, 2)(index)
        return keras.Model({"text": text}, keras.layers.Dense(1)(keras.layers.Flatten()(embedded)))

    weights, plan, before = carried(
        model(["blue", "new", "red"]), model(["red", "blue"]), {"text": Same()}
    )
    rows = before[0]
    np.testing.assert_array_equal(weights["embeddings"], [rows[0], rows[2], [0, 0], rows[1]])
    assert plan.new_words == {"new"}


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.embedding = keras.layers.Embedding(3, 2)
        self.last = keras.layers.Dense(1)

    def call(self, inputs):
        return self.last(self.embedding(inputs["word"])[:, 0])


def test_a_model_whose_connections_are_unknown_is_carried_over_only_if_nothing_moved():
    models = [Subclassed(), Subclassed()]
    for model in models:
        model({"word": np.array([[0]])})
    weights, plan, _ = carried(*models, {"word": Index()})
    assert plan.carried == plan.total == 9
    weights, plan, _ = carried(*models, {"word": Index({0: 1, 1: 0})})
    assert not weights
    assert plan.carried == 0
