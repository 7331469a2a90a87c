"""Which vocabularies are counted from the distinct cells of a column, and that they are those of the rows."""

from collections import Counter

import numpy as np
import pytest

SHOPS = [b"ab", b" ab ", b"AB", b"", b"missing", b"x\ny", "Köln".encode(), b"b", b"\xff"]
KINDS = {"shop": "string", "city": "string", "number": "float32"}
BY_CELL = {
    "the column": "shop",
    "without its last dimension": "tf.squeeze(shop, 1)",
    "reshaped": "tf.reshape(shop, [-1])",
    "in lower case, stripped": "tf.strings.lower(tf.strings.strip(shop))",
    "by a regular expression": "tf.strings.regex_replace(shop, '[ab]', 'c')",
    "filled": "tf.where(tf.equal(shop, ''), 'none', shop)",
    "short": "tf.where(tf.strings.length(shop) < 3, shop, 'long')",
}
OTHERWISE = {
    "of two columns": "tf.strings.join([shop, city])",
    "chosen by another column": "tf.where(tf.equal(city, 'Ulm'), shop, 'elsewhere')",
    "the first rows": "shop[:2]",
    "some rows": "tf.gather(shop, [0, 0])",
    "in another order": "tf.reverse(shop, [0])",
    "words of a cell": "tf.strings.split(tf.squeeze(shop, 1)).flat_values",
    "distinct in a batch": "tf.unique(tf.squeeze(shop, 1))[0]",
    "pairs of rows": "tf.squeeze(shop, 1) + shop",
    "after an assertion": "after_a_check(shop)",
    "of numbers": "tf.strings.as_string(number)",
    "filtered by another column": "tf.boolean_mask(shop, tf.not_equal(tf.squeeze(city, 1), 'Ulm'))",
    "filtered before": "tf.boolean_mask(shop, tf.not_equal(tf.squeeze(shop, 1), 'ab'))",
    "compared with several": "tf.where(tf.equal(shop, ['ab', 'b']), 'known', 'other')",
}


@pytest.fixture(scope="module")
def find():
    """A function that finds the cells behind a vocabulary of an expression, with its graph and its tensor."""
    import tensorflow as tf
    import tensorflow_transform as tft

    from retrainer.components.transform_features.in_process.cell_tokens import find_cell_tokens
    from retrainer.components.transform_features.tracing import trace

    def after_a_check(words):
        with tf.control_dependencies([tf.debugging.assert_less(tf.size(words), 9)]):
            return tf.identity(words)

    def make(expression):
        def preprocess(inputs):
            names = {"tf": tf, "after_a_check": after_a_check, **inputs}
            tft.vocabulary(eval(expression, names), vocab_filename="words")
            return {"number": inputs["number"]}

        graph = trace(preprocess, KINDS).graph
        tokens = next(
            operation.outputs[0]
            for operation in graph.get_operations()
            if operation.type == "GatherV2" and operation.name.startswith("vocabulary")
        )
        return find_cell_tokens(tokens), graph, tokens

    return make


@pytest.mark.parametrize("case", BY_CELL)
def test_counts_of_cells_are_those_of_the_rows(find, monkeypatch, case):
    import tensorflow as tf
    from tensorflow.python.eager import wrap_function

    from retrainer.components.transform_features.in_process import cell_tokens

    # Some wait for the end, and some do not.
    monkeypatch.setattr(cell_tokens, "_MOST_CELLS", 5)
    found, graph, tokens = find(BY_CELL[case])
    assert found.column.op.type == "Placeholder"
    gatherer = cell_tokens.CountedCells(cell_tokens.compute_cell_tokens(graph, found))
    rows = np.random.default_rng(1).choice(np.array(SHOPS, object), (2, 300))
    for batch in rows:
        words, codes = np.unique(batch, return_inverse=True)
        gatherer.add(gatherer.reduce((words, codes)))
    wrapped = wrap_function.WrappedFunction(
        graph, variable_holder=wrap_function.VariableHolder(share_variables=True)
    )
    whole = wrapped.prune([found.column], [tokens])(tf.constant(rows.reshape(-1, 1), tf.string))
    assert gatherer.result() == Counter(whole[0].numpy().tolist())


@pytest.mark.parametrize("case", OTHERWISE)
def test_tokens_that_depend_on_more_than_a_cell_are_counted_by_rows(find, case):
    assert find(OTHERWISE[case])[0] is None


def test_vocabularies_of_columns_that_one_span_lacks_count_its_rows_as_missing(tmp_path):
    import pandas as pd
    from servers.transform_graphs import make_rows, write_inputs

    from retrainer.components.transform_features.transform import transform

    spans = [make_rows(1, 900), make_rows(2, 700).drop(["group"])]
    examples, schema = write_inputs(tmp_path, spans)
    body = """
import tensorflow as tf
import tensorflow_transform as tft

def preprocessing_fn(inputs):
    group = tf.strings.upper(inputs["group"])
    return {
        name: tft.compute_and_apply_vocabulary(words, vocab_filename=name)
        for name, words in {"group": group, "word": inputs["word"]}.items()
    }
"""
    transform(examples, schema, str(tmp_path / "graph"), "", body)
    rows = pd.concat([span.to_pandas() for span in spans]).fillna("")
    for name, words in {"group": rows["group"].str.upper(), "word": rows["word"]}.items():
        # Neither missing words nor lines are tokens (`tft.vocabulary`).
        counts = words[(words != "") & ~words.str.contains("\n")].value_counts()
        expected = sorted(
            counts.index, key=lambda word: (counts[word], word.encode()), reverse=True
        )
        found = (tmp_path / "graph" / "transform_fn" / "assets" / name).read_bytes()
        assert found.decode().splitlines() == expected
