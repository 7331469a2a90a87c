"""A model that reads a file outside of its folder does not serve elsewhere."""

import shutil

import pytest
import tensorflow as tf

from retrainer.components.check_serving.file_reads import READERS, find_outside_reads
from retrainer.components.check_serving.served_model import Server

pytestmark = pytest.mark.usefixtures("serving_here")


@pytest.fixture
def words(tmp_path):
    """A vocabulary of the training machine."""
    file = tmp_path / "words.txt"
    file.write_text("a\nb\nc\n")
    return file


def table(file):
    lines = tf.lookup.TextFileInitializer(
        str(file), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )  # fmt: skip
    return tf.lookup.StaticHashTable(lines, -1)


def test_a_vocabulary_among_the_models_assets_is_served(served, words):
    places = table(words)
    verdict, record = served(
        lambda word: tf.cast(places.lookup(word), tf.float32),
        kinds={"word": tf.string},
        state=places,
    )
    assert record["ok"], verdict


def test_a_file_that_is_read_by_its_path_is_named(served, words):
    def first_line(x):
        size = tf.strings.length(tf.io.read_file(str(words)))
        return tf.where(tf.math.is_nan(x), 0.0, x) + tf.cast(size, tf.float32)

    verdict, record = served(first_line)
    assert (
        f"does not serve: the model reads '{words}' (ReadFile), which is not in its folder"
        in verdict
    )
    assert not record["ok"]


def test_a_file_that_a_dataset_or_a_branch_reads_is_named(served, words):
    def lines(x):
        count = tf.data.TextLineDataset([str(words)]).reduce(0.0, lambda total, _: total + 1.0)
        return tf.cond(tf.size(x) > 0, lambda: x + count, lambda: x)

    assert f"the model reads '{words}' (TextLineDataset" in served(lines)[0]

    def one(x):
        content = tf.map_fn(
            lambda _: tf.strings.length(tf.io.read_file(str(words))),
            x,
            fn_output_signature=tf.int32,
        )
        return tf.cast(content, tf.float32)

    assert f"the model reads '{words}' (ReadFile)" in served(one)[0]


def test_a_file_that_a_request_names_is_an_error(served, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        shutil.copy(words, name)

    def content(word):
        sizes = tf.map_fn(
            lambda one: tf.strings.length(tf.io.read_file(one)), word, fn_output_signature=tf.int32
        )
        return tf.cast(sizes, tf.float32)

    assert (
        "the model reads files that a request names (ReadFile)"
        in served(content, kinds={"word": tf.string})[0]
    )


def test_a_transform_with_vocabularies_reads_nothing_else(model):
    meta_graph = Server(model).meta_graph
    functions = meta_graph.graph_def.library.function
    assert {node.op for one in functions for node in one.node_def} & set(READERS)
    assert find_outside_reads(meta_graph) == []


def test_a_table_that_the_graph_fills_from_a_path_is_named(served, words):
    def place(word):
        table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
        filled = tf.raw_ops.InitializeTableFromTextFileV2(
            table_handle=table, filename=str(words), key_index=-2, value_index=-1
        )
        with tf.control_dependencies([filled] if filled is not None else []):
            missing = tf.constant(-1, tf.int64)
            found = tf.raw_ops.LookupTableFindV2(
                table_handle=table, keys=word, default_value=missing
            )
        return tf.cast(found, tf.float32)

    verdict, _ = served(place, kinds={"word": tf.string})
    assert f"the model reads '{words}' (InitializeTableFromTextFileV2)" in verdict
