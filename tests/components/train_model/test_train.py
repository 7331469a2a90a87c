import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import retrainer.pipelines.examples.flights
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry import ModelVersion, write_champion

SOURCE = (Path(retrainer.pipelines.examples.flights.__path__[0]) / "model.py").read_text()
ROWS = 4_000


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def frame(months):
    return (
        months["2013-01"]
        .sample(ROWS, random_state=1)
        .drop(columns=["year", "month", "day", "time_hour"])
    )


@pytest.fixture(scope="module")
def write_examples(home):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from retrainer.components.lib.examples import Examples, SpanPart

    def write(name, train, evaluation=None):
        parts = {}
        for split, data in (
            ("train", train),
            ("eval", train if evaluation is None else evaluation),
        ):
            folder = home / "store" / name / split
            folder.mkdir(parents=True)
            pq.write_table(
                pa.Table.from_pandas(data, preserve_index=False),
                folder / "all.parquet",
                row_group_size=700,
            )
            parts[split] = (SpanPart(split, str(folder), "all", len(data), ("all.parquet",)),)
        Examples("late", parts, ("train", "eval")).write(home / name)
        return str(home / name)

    return write


@pytest.fixture(scope="module")
def examples(write_examples, frame):
    return write_examples("examples", frame.iloc[: ROWS // 2], frame.iloc[ROWS // 2 :])


@pytest.fixture(scope="module")
def schema(home, frame):
    import tensorflow_data_validation as tfdv

    inferred = tfdv.infer_schema(tfdv.generate_statistics_from_dataframe(frame))
    (home / "schema").mkdir()
    tfdv.write_schema_text(inferred, str(home / "schema" / "schema.pbtxt"))
    return str(home / "schema")


@pytest.fixture(scope="module")
def graph(home, examples, schema):
    from retrainer.components.transform_features.transform import transform

    verdict = transform(examples, schema, str(home / "graph"), "", SOURCE)
    assert verdict == "6 columns to 6 features over 2,000 rows"
    return str(home / "graph")


@pytest.fixture(scope="module")
def train(home, examples, graph):
    from retrainer.components.train_model.train import TrainSettings
    from retrainer.components.train_model.train import train as work

    def run(name, source=SOURCE, champion=None, on=None, **settings):
        settings = TrainSettings(**{"steps": 60, "batch_size": 128, **settings})
        return work(on or examples, graph, str(home / name), "", source, settings, champion)

    return run


@pytest.fixture(scope="module")
def model(home, train):
    trained = train("model", steps=200)
    assert trained.metrics["auc"] > 0.7
    return str(home / "model")


def test_only_the_columns_that_are_used_are_taken(graph):
    import tensorflow_transform as tft

    from retrainer.components.train_model.export import raw_kinds

    kinds = raw_kinds(tft.TFTransformOutput(graph))
    assert kinds == {
        "carrier": "string",
        "dep_delay": "float32",
        "dest": "string",
        "distance": "int64",
        "hour": "int64",
        "origin": "string",
    }


def test_the_analysis_is_of_the_training_split_alone(graph, frame):
    import tensorflow_transform as tft

    vocabulary = tft.TFTransformOutput(graph).vocabulary_by_name("dest")
    trained_on = frame.iloc[: ROWS // 2]["dest"]
    assert {word.decode() for word in vocabulary} == set(trained_on)


def test_beam_with_arguments_gives_the_same_vocabulary(home, examples, schema, graph):
    import tensorflow_transform as tft

    from retrainer.components.transform_features.transform import transform

    transform(
        examples,
        schema,
        str(home / "graph-2"),
        "",
        SOURCE,
        ["--runner=DirectRunner", "--direct_running_mode=multi_threading"],
    )
    for name in ("carrier", "dest", "origin"):
        words = [
            tft.TFTransformOutput(path).vocabulary_by_name(name)
            for path in (graph, str(home / "graph-2"))
        ]
        assert words[0] == words[1]


def test_named_features_and_examples_give_the_same_predictions(model, frame):
    import tensorflow as tf

    loaded = tf.saved_model.load(model)
    rows = frame.head(50)
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
    from retrainer.components.train_model.data import training_dataset
    from retrainer.components.train_model.export import raw_kinds

    kinds = raw_kinds(tft.TFTransformOutput(graph))
    read = Examples.read(examples)

    def labels(seed):
        batches = training_dataset(read, kinds, lambda features: features, 512, seed).take(4)
        return np.concatenate([label.numpy()[:, 0] for _, label in batches])

    assert (labels(1) == labels(1)).all()
    assert (labels(1) != labels(2)).any()


def test_every_row_comes_once_an_epoch(examples, graph):
    import tensorflow_transform as tft

    from retrainer.components.lib.examples import Examples
    from retrainer.components.train_model.data import training_dataset
    from retrainer.components.train_model.export import raw_kinds

    kinds = raw_kinds(tft.TFTransformOutput(graph))
    read = Examples.read(examples)
    batches = list(training_dataset(read, kinds, lambda features: features, 500, 1).take(4))
    seen = np.concatenate([features["distance"].numpy()[:, 0] for features, _ in batches])
    assert sorted(seen) == sorted(read.read_table("train").column("distance").to_pylist())
    # Mixed across row groups, not only within them.
    first = read.read_table("train").column("distance").to_pylist()[:700]
    assert sorted(seen[:700]) != sorted(first)


def test_a_warm_start_begins_where_the_champion_ended(home, train, model):
    write_champion(str(home / "champion"), ModelVersion(4, model, "d"))
    cold, warm = train("cold", steps=10), train("warm", steps=10, champion=str(home / "champion"))
    assert "started from version 4" in warm.verdict
    assert warm.metrics["loss"] < cold.metrics["loss"]


def test_a_warm_start_from_another_shape_starts_cold_and_says_so(home, train, model):
    write_champion(str(home / "champion-2"), ModelVersion(4, model, "d"))
    trained = train(
        "wider", steps=5, champion=str(home / "champion-2"), hyperparameters={"hidden_units": [7]}
    )
    assert "started cold (shapes differ from version 4)" in trained.verdict


def test_without_a_champion_a_warm_start_is_a_cold_one(home, train):
    write_champion(str(home / "nobody"), None)
    assert "started" not in train("first", steps=5, champion=str(home / "nobody")).verdict


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'features["hour"] = ',
            'features["hour"] = inputs["hours"] * ',
            "asks for the column 'hours'",
        ),
        (
            "features = {}",
            "features = {}\n    1 / 0",
            r"preprocessing_fn in model\.py raised, line \d+: 1 / 0",
        ),
    ],
)
def test_a_preprocessing_fn_that_fails_names_its_line(home, examples, schema, old, new, says):
    from retrainer.components.transform_features.transform import transform

    with pytest.raises(RetrainerError, match=says):
        transform(examples, schema, str(home / "none"), "", SOURCE.replace(old, new, 1))


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
        ('activation="sigmoid"', "activation=lambda x: x / 0.0", "training ended with loss = "),
    ],
)
def test_a_build_model_that_fails_says_how(train, old, new, says):
    with pytest.raises(RetrainerError, match=says):
        train("none", SOURCE.replace(old, new, 1), steps=3)


def test_a_label_that_is_one_value_is_named(train, write_examples, frame):
    constant = write_examples("constant", frame.assign(late=0))
    with pytest.raises(RetrainerError, match=r"the label 'late' is 0 in all 4,000 training rows"):
        train("none", on=constant)


def test_a_served_model_is_checked_in_a_clean_process(home, model, examples):
    from retrainer.components.check_serving.check import check

    verdict = check(model, examples, str(home / "check"), rows=20, requests=10)
    assert verdict.startswith("serves 20 rows, both signatures agree")
    result = json.loads((home / "check" / "serving_check.json").read_text())
    assert result["ok"] is True
    assert result["latency_ms"]["p95"] > 0


def test_a_model_that_is_too_slow_is_told(home, model, examples):
    from retrainer.components.check_serving.check import check

    verdict = check(
        model, examples, str(home / "slow"), rows=5, requests=10, max_latency_ms=0.000001
    )
    assert "more than max_latency_ms" in verdict
    assert json.loads((home / "slow" / "serving_check.json").read_text())["ok"] is False


def test_a_model_whose_file_is_broken_does_not_serve(home, model, examples):
    import shutil

    from retrainer.components.check_serving.check import check

    broken = home / "broken"
    shutil.copytree(model, broken)
    (broken / "saved_model.pb").write_bytes(b"no graph")
    verdict = check(str(broken), examples, str(home / "broken-check"), rows=5)
    assert verdict.startswith("does not serve: ")


def test_a_feature_that_the_rows_lack_is_named(home, model, write_examples, frame):
    from retrainer.components.check_serving.check import check

    lacking = write_examples("lacking", frame.drop(columns=["dest"]))
    assert "'dest'" in check(model, lacking, str(home / "lacking-check"), rows=5)


def test_missing_numbers_reach_the_model_as_nan(graph):
    import pyarrow as pa

    from retrainer.components.lib.features import to_arrays

    table = pa.Table.from_pandas(pd.DataFrame({"a": [1.0, None], "s": ["x", None]}))
    arrays = to_arrays(table, {"a": "float32", "s": "string"})
    assert np.isnan(arrays["a"][1])
    assert arrays["s"].tolist() == [b"x", b""]


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
