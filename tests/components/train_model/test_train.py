import numpy as np
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.verdicts import Champion


def test_named_features_and_examples_give_the_same_predictions(model, sample):
    import tensorflow as tf

    loaded = tf.saved_model.load(model)
    rows = sample.head(50)
    named = {
        name: tf.constant(rows[name].to_numpy(), dtype)
        for name, dtype in {
            "carrier": tf.string, "origin": tf.string, "dest": tf.string,
            "distance": tf.int64, "hour": tf.int64, "dep_delay": tf.float32,
        }.items()
    }  # fmt: skip
    by_name = loaded.signatures["serving_default"](**named)["predictions"].numpy()
    assert by_name.shape == (50, 1)
    assert ((by_name > 0) & (by_name < 1)).all()

    def feature(name, value):
        if isinstance(value, str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        if name == "dep_delay":
            return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))

    serialised = [
        tf.train.Example(
            features=tf.train.Features(feature={name: feature(name, row[name]) for name in named})
        ).SerializeToString()
        for row in rows.to_dict("records")
    ]
    by_example = loaded.signatures["serving_tf_examples"](examples=tf.constant(serialised))[
        "predictions"
    ]
    np.testing.assert_allclose(by_name, by_example.numpy(), rtol=1e-5)


def test_a_missing_cell_and_a_word_never_seen_are_served(model):
    import tensorflow as tf

    predictions = tf.saved_model.load(model).signatures["serving_default"](
        carrier=tf.constant([""]),
        origin=tf.constant(["Zürich"]),
        dest=tf.constant(["BOS"]),
        distance=tf.constant([100], tf.int64),
        hour=tf.constant([7], tf.int64),
        dep_delay=tf.constant([float("nan")]),
    )["predictions"]
    assert np.isfinite(predictions.numpy()).all()


def test_the_same_seed_gives_the_same_order_of_rows(examples, graph):
    import tensorflow_transform as tft

    from retrainer.components.lib.examples import Examples
    from retrainer.components.train_model.export import raw_kinds
    from retrainer.components.train_model.training_rows import TrainingRows

    kinds = raw_kinds(tft.TFTransformOutput(graph))
    read = Examples.read(examples)

    def labels(seed):
        batches = TrainingRows(read, kinds, lambda features: features, 512).training(seed).take(4)
        return np.concatenate([label.numpy()[:, 0] for _, label in batches])

    assert (labels(1) == labels(1)).all()
    assert (labels(1) != labels(2)).any()


def test_every_row_comes_once_an_epoch(examples, graph):
    import tensorflow_transform as tft

    from retrainer.components.lib.examples import Examples
    from retrainer.components.train_model.export import raw_kinds
    from retrainer.components.train_model.training_rows import TrainingRows

    kinds = raw_kinds(tft.TFTransformOutput(graph))
    read = Examples.read(examples)
    rows = TrainingRows(read, kinds, lambda features: features, 500)
    batches = list(rows.training(1).take(4))
    seen = np.concatenate([features["distance"].numpy()[:, 0] for features, _ in batches])
    assert sorted(seen) == sorted(read.read_table("train").column("distance").to_pylist())
    # Mixed across row groups, not only within them.
    first = read.read_table("train").column("distance").to_pylist()[:700]
    assert sorted(seen[:700]) != sorted(first)


def test_a_warm_start_begins_where_the_champion_ended(chain, train, model):
    Champion(4, model, "d").write(str(chain / "champion"))
    Champion().write(str(chain / "nobody"))
    cold = train("cold", steps=10, champion=str(chain / "nobody"))
    warm = train("warm", steps=10, champion=str(chain / "champion"))
    # Without a champion a warm start is a cold one.
    assert "started" not in cold.verdict
    assert "started from version 4 with 100 % of" in warm.verdict
    assert warm.metrics["loss"] < cold.metrics["loss"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    return model\n", "    return None\n", "build_model returned builtins.NoneType"),
        (
            "Embedding(size, 8)",
            "Embedding(size, 8, 9, 9, 9)",
            r"build_model in model\.py raised, line \d+",
        ),
        ('loss="binary_crossentropy"', 'loss="no_such_loss"', "no_such_loss"),
        (
            'activation="sigmoid"',
            "activation=lambda x: x / 0.0",
            r"training ended with loss = .*No feature is NaN",
        ),
        (
            "keras.Model(inputs, late)",
            "keras.Model(inputs, [late, late])",
            "has 2 outputs in a list",
        ),
        (
            "keras.Model(inputs, late)",
            "keras.Model(inputs, {'a': late, 'b': late})",
            r"has 2 outputs \(a, b\)",
        ),
        ("keras.layers.Dense(1, ", "keras.layers.Dense(3, ", "the model has 3 outputs a row"),
    ],
)
def test_a_build_model_that_fails_says_how(train, old, new, says, model_source):
    with pytest.raises(RetrainerError, match=says):
        train("none", model_source.replace(old, new, 1), steps=3)


LOOKUP = """
import keras


def build_model(transform_output, hyperparameters):
    inputs = {
        name: keras.Input((1,), name=name, dtype=spec.dtype.name)
        for name, spec in transform_output.transformed_feature_spec().items()
    }
    known = keras.layers.IntegerLookup(vocabulary=[5, 7, 9, 12], output_mode="multi_hot")(inputs["hour"])
    joined = keras.layers.Concatenate()([known, inputs["dep_delay"]])
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(joined))
    model.compile(loss="binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")])
    return model
"""


def test_a_model_with_a_lookup_layer_trains_and_serves(chain, train, examples):
    from retrainer.components.check_serving.check import check

    train("lookup", LOOKUP, steps=5)
    verdict = check(str(chain / "lookup"), examples, str(chain / "lookup-check"), 20, 5)
    assert verdict.startswith("serves 20 rows as evaluation predicts them")


HIDDEN_TABLE = """

class Table(keras.layers.Layer):
    def call(self, x):
        return TABLES[0].lookup(x)


import tensorflow as tf
TABLES = [tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([5], [1], tf.int64, tf.int64), 0)]
"""


def test_a_table_that_no_layer_holds_is_refused_before_training(train):
    source = LOOKUP.replace('(inputs["hour"])', '(Table()(inputs["hour"]))') + HIDDEN_TABLE
    with pytest.raises(RetrainerError, match="can't be exported: it uses a table or variable"):
        train("none", source, steps=5)


def test_an_error_in_training_names_the_reason_alone(train, model_source):
    source = model_source.replace(
        'loss="binary_crossentropy"',
        "loss=lambda label, score: keras.losses.sparse_categorical_crossentropy(label + 5, score)",
    )
    with pytest.raises(RetrainerError) as raised:
        train("none", source, steps=3)
    said = str(raised.value)
    assert "outside the valid range of [0, 1)" in said
    assert len(said) < 700
    assert 'File "' not in said


def test_a_label_that_is_one_value_is_named(train, write_examples, sample):
    constant = write_examples("constant", sample.assign(late=0))
    with pytest.raises(RetrainerError, match=r"the label 'late' is 0 in all 4,000 training rows"):
        train("none", on=constant)


def test_a_label_that_the_graph_takes_as_a_feature_is_refused(train, write_examples, sample):
    # The graph was made for the label 'late'; of these examples its feature 'hour' is the label.
    other = write_examples("other-label", sample, label="hour")
    with pytest.raises(RetrainerError, match="takes 'hour' as a feature, and it is the label"):
        train("none", on=other)


def test_a_model_loads_with_its_own_restore_op_as_a_model_server_does(model):
    import tensorflow as tf

    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], model)
        signature = graph.signature_def["serving_default"]
        rows = {
            "carrier": [b"UA"], "origin": [b"EWR"], "dest": [b"BOS"],
            "distance": [200], "hour": [7], "dep_delay": [3.0],
        }  # fmt: skip
        feed = {signature.inputs[name].name: value for name, value in rows.items()}
        served = session.run(signature.outputs["predictions"].name, feed)
    loaded = tf.saved_model.load(model).signatures["serving_default"]
    here = loaded(
        **{
            name: tf.constant(value, tf.float32 if name == "dep_delay" else None)
            if not isinstance(value[0], int)
            else tf.constant(value, tf.int64)
            for name, value in rows.items()
        }
    )
    np.testing.assert_allclose(served, here["predictions"].numpy(), rtol=1e-5)


def test_a_new_column_trains_from_the_first_span_that_has_it(make_examples, sample):
    from retrainer.components.lib.examples import Examples
    from retrainer.components.train_model.training_rows import TrainingRows

    new = sample[700:1_000].assign(gust=1.5, note="calm")
    spans = {"1": sample[:700], "2": new, "3": new}
    read = Examples.read(make_examples(spans))
    kinds = {"distance": "int64", "gust": "float32", "note": "string"}
    batches = list(TrainingRows(read, kinds, lambda features: features, 500).training(1).take(2))
    seen = {
        name: np.concatenate([features[name].numpy()[:, 0] for features, _ in batches])
        for name in kinds
    }
    assert np.isnan(seen["gust"]).sum() == 700
    assert (seen["gust"] == 1.5).sum() == 300
    assert (seen["note"] == b"").sum() == 700
    assert sorted(seen["distance"]) == sorted(sample.distance[:1_000])
