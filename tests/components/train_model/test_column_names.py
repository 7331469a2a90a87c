"""Columns are served under their very names, whatever people call them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from retrainer.components.train_model.signature_names import argument_names

NAMES = [
    "order amount", "größe", "a.b", "a_b", "a-b", "a/b", "1st", "_x", "x?", "a:b", "price($)", "self", "日付",
    "A", "a", "%", '"q"', "a\\b", "^c", "class", "None", "column_0", "name", "args", "training", "features",
]  # fmt: skip
TEXT = "日付"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model whose prediction is a sum of all columns, each with a weight of its own."""
    import keras
    import tensorflow as tf

    from retrainer.components.train_model.export import ServedModel

    class Graph(tf.Module):
        @tf.function
        def transform_fn(self, columns):
            numbers = {**columns, TEXT: tf.cast(tf.strings.length(columns[TEXT]), tf.float32)}
            return {"all": tf.concat([numbers[name] for name in NAMES], 1)}

    weights = np.arange(1, len(NAMES) + 1, dtype=np.float32)
    inputs = keras.Input((len(NAMES),), name="all")
    dense = keras.layers.Dense(1)
    model = keras.Model({"all": inputs}, dense(inputs))
    dense.set_weights([weights[:, np.newaxis], np.zeros(1)])
    folder = str(tmp_path_factory.mktemp("names") / "model")
    kinds = {name: "string" if name == TEXT else "float32" for name in NAMES}
    ServedModel(model, Graph(), kinds).write(folder)
    return folder


@pytest.fixture(scope="module")
def rows():
    """Three rows, and what the model of `exported` predicts for them."""
    random = np.random.default_rng(1)
    columns = {name: random.normal(size=3).astype(np.float32) for name in NAMES}
    columns[TEXT] = np.array([b"xx", b"y", b""], object)
    numbers = {**columns, TEXT: np.array([2, 1, 0])}
    expected = sum((place + 1) * numbers[name] for place, name in enumerate(NAMES))
    return columns, expected


def test_a_server_takes_each_column_by_its_name(exported, rows):
    from retrainer.components.check_serving.client_rows import serialise
    from retrainer.components.check_serving.served_model import Server

    columns, expected = rows
    server = Server(exported)
    assert set(server.inputs("serving_default")) == set(NAMES)
    named = server.predict("serving_default", columns)
    np.testing.assert_allclose(named[:, 0], expected, rtol=1e-4)
    serialised = server.predict_examples(serialise(columns, NAMES, range(3)))
    np.testing.assert_allclose(serialised[:, 0], expected, rtol=1e-4)


def test_evaluation_scores_the_same_columns(exported, rows):
    from retrainer.components.lib.saved_models.saved_model import Model

    columns, expected = rows
    arrays = [
        pa.array([word.decode() for word in column] if name == TEXT else column)
        for name, column in columns.items()
    ]
    model = Model(exported, "challenger")
    assert model.columns == sorted(NAMES)
    batch = pa.RecordBatch.from_arrays(arrays, names=list(columns))
    np.testing.assert_allclose(model.predict(batch), expected, rtol=1e-4)


def test_plain_names_stay_names_for_python_too():
    names = ["hour", "order_amount", "Distance2"]
    assert argument_names(names) == {name: name for name in names}
    assert list(argument_names(["a", "A", "hour"]).values()) == ["column_0", "column_1", "hour"]
    assert argument_names(["COLUMN_0", "a b"])["a b"] == "column_1"


MODEL = """
import keras
import tensorflow_transform as tft


def preprocessing_fn(inputs):
    words = tft.compute_and_apply_vocabulary(inputs["日付"], num_oov_buckets=1)
    return {
        "words": words,
        **{name: tft.scale_to_z_score(inputs[name]) for name in ("order amount", "a.b", "a_b", "A", "a", "self")},
    }


def build_model(transform_output, hyperparameters):
    names = list(transform_output.transformed_feature_spec())
    inputs = {name: keras.Input((1,), dtype="int64" if name == "words" else "float32") for name in names}
    numbers = keras.layers.Concatenate()([inputs[name] for name in names if name != "words"])
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(numbers))
    model.compile(loss="binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")])
    return model
"""


def test_columns_as_people_name_them_are_transformed_trained_and_checked(tmp_path, make_examples):
    import tensorflow_data_validation as tfdv

    from retrainer.components.check_serving.check import check
    from retrainer.components.train_model.train import TrainSettings, train
    from retrainer.components.transform_features.transform import transform

    random = np.random.default_rng(2)
    names = ["order amount", "a.b", "a_b", "A", "a", "self"]
    frame = pd.DataFrame({name: random.normal(size=300) for name in names})
    frame["日付"] = random.choice(["月", "火"], 300)
    frame["hit"] = (frame["a.b"] > 0).astype("int64")
    examples = make_examples({"1": frame, "2": frame}, label="hit")
    (tmp_path / "schema").mkdir()
    schema = tfdv.infer_schema(tfdv.generate_statistics_from_dataframe(frame))
    tfdv.write_schema_text(schema, str(tmp_path / "schema" / "schema.pbtxt"))
    graph, model = str(tmp_path / "graph"), str(tmp_path / "model")
    transform(examples, str(tmp_path / "schema"), graph, "", MODEL)
    train(examples, graph, model, "", MODEL, TrainSettings(epochs=1, batch_size=50))
    assert check(model, examples, str(tmp_path / "check"), 9, 5).startswith("serves 9 rows")
