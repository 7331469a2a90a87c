import shutil

import pytest

from retrainer.components.lib.errors import RetrainerError


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


def test_the_analysis_is_of_the_training_split_alone(graph, sample):
    import tensorflow_transform as tft

    vocabulary = tft.TFTransformOutput(graph).vocabulary_by_name("dest")
    trained_on = sample.iloc[:2_000]["dest"]
    assert {word.decode() for word in vocabulary} == set(trained_on)


def test_beam_with_arguments_gives_the_same_vocabulary(
    chain, examples, schema, graph, model_source
):
    import tensorflow_transform as tft

    from retrainer.components.transform_features.transform import transform

    # What an attempt that failed has left.
    shutil.copytree(graph, chain / "graph-2")
    (chain / "graph-2" / "transform_fn" / "assets" / "old").write_text("a")
    transform(
        examples,
        schema,
        str(chain / "graph-2"),
        "",
        model_source,
        ["--runner=DirectRunner", "--direct_running_mode=multi_threading"],
    )
    for name in ("carrier", "dest", "origin"):
        words = [
            tft.TFTransformOutput(path).vocabulary_by_name(name)
            for path in (graph, str(chain / "graph-2"))
        ]
        assert words[0] == words[1]
    assert not list(chain.glob("graph-2-*"))
    assert not list(chain.glob("graph-2/**/old"))


EVERYTHING = """
import tensorflow as tf


def preprocessing_fn(inputs):
    assert "late" not in inputs and inputs.get("late") is None
    return {
        name: tf.cast(tf.strings.length(column), tf.int64) if column.dtype == tf.string else column
        for name, column in inputs.items()
    }
"""


def test_a_preprocessing_fn_that_takes_every_column_gets_neither_label_nor_key(
    chain, write_examples, sample, schema
):
    import tensorflow_transform as tft

    from retrainer.components.lib.features import read_schema
    from retrainer.components.train_model.export import raw_kinds
    from retrainer.components.transform_features.transform import transform

    keyed = write_examples("keyed", sample, key=("flight", "tailnum"))
    transform(keyed, schema, str(chain / "all"), "", EVERYTHING)
    graph = tft.TFTransformOutput(str(chain / "all"))
    everything = {feature.name for feature in read_schema(schema).feature}
    assert set(raw_kinds(graph)) == everything - {"late", "flight", "tailnum"}
    assert set(graph.transformed_feature_spec()) == set(raw_kinds(graph))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'features["hour"] = ',
            'features["hour"] = inputs["late"] * ',
            r"asks for the column 'late'.*The label and the key are no features",
        ),
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
        (
            "features = {}",
            'features = {}\n    tft.scale_to_z_score(inputs["carrier"])',
            r"(?s)raised, line \d+: tft.scale_.*read last is 'carrier', which holds text\.",
        ),
    ],
)
def test_a_preprocessing_fn_that_fails_names_its_line(
    chain, examples, schema, old, new, says, model_source
):
    from retrainer.components.transform_features.transform import transform

    with pytest.raises(RetrainerError, match=says):
        transform(examples, schema, str(chain / "none"), "", model_source.replace(old, new, 1))


def test_a_column_that_a_span_lacks_is_empty_in_its_rows_and_a_whole_number_can_not_be(
    make_examples, sample
):
    from retrainer.components.lib.examples import Examples
    from retrainer.components.transform_features.on_beam import read_list_batches

    examples = Examples.read(make_examples({"1": sample[:50], "2": sample[50:90]}))
    (part,) = examples.splits["train"]
    kinds = {"distance": "int64", "gust": "float32", "note": "string"}
    (batch,) = read_list_batches(part, kinds)
    assert str(batch.column(1).to_pylist()) == str([[float("nan")]] * 50)
    assert batch.column(2).to_pylist() == [[b""]] * 50
    with pytest.raises(RetrainerError, match="column 'gate' has 50 missing cells in span 1"):
        list(read_list_batches(part, {**kinds, "gate": "int64"}))
