"""Which rows are in which slice."""

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_model_analysis.proto import config_pb2

from retrainer.components.lib.evaluation.slices import slice_rows


def rows_of(table: pa.Table, *columns: str) -> dict:
    found: dict = {}
    for row, values in enumerate(table.to_pylist()):
        key = tuple((name, values[name]) for name in columns)
        if None not in values.values():
            found.setdefault(key, []).append(row)
    return found


@pytest.mark.parametrize("columns", [("word",), ("number",), ("number", "word")])
def test_each_row_is_in_the_slices_of_its_values_in_order(columns):
    random = np.random.default_rng(5)
    words = [None if draw == 3 else f"w{draw}" for draw in random.integers(0, 9, 500)]
    numbers = random.integers(-2, 3, 500)
    table = pa.table({"word": words, "number": numbers}).select(columns)
    spec = config_pb2.SlicingSpec(feature_keys=columns)
    slices = slice_rows(table, [config_pb2.SlicingSpec(), spec])
    assert slices.pop(()) == slice(None)
    assert {key: rows.tolist() for key, rows in slices.items()} == rows_of(table, *columns)


def test_more_values_than_a_short_number_counts_and_chunks_with_words_of_their_own():
    numbers = [number % 40_000 for number in range(40_002)]
    table = pa.table(
        {"number": pa.chunked_array([numbers[:7], numbers[7:]]), "no": pa.nulls(len(numbers))}
    )
    specs = [config_pb2.SlicingSpec(feature_values={"number": value}) for value in ("1", "39999")]
    slices = slice_rows(table, [*specs, config_pb2.SlicingSpec(feature_keys=["no"])])
    assert {key: rows.tolist() for key, rows in slices.items()} == {
        (("number", 1),): [1, 40_001],
        (("number", 39_999),): [39_999],
    }


def test_a_row_is_once_in_the_slice_of_each_value_of_its_list():
    column = pa.chunked_array(
        [[["b", "a", "b"], None, []], [["a"], ["ü", None]]], pa.list_(pa.string())
    )
    table = pa.table({"tags": column, "place": ["x", "x", "x", "y", None]})
    specs = [
        config_pb2.SlicingSpec(feature_keys=["tags"]),
        config_pb2.SlicingSpec(feature_keys=["place"], feature_values={"tags": "a"}),
        config_pb2.SlicingSpec(feature_values={"tags": "b"}),
    ]
    slices = slice_rows(table, specs)
    assert {key: rows.tolist() for key, rows in slices.items()} == {
        (("place", "x"), ("tags", "a")): [0],
        (("place", "y"), ("tags", "a")): [3],
        (("tags", "a"),): [0, 3],
        (("tags", "b"),): [0],
        (("tags", "ü"),): [4],
    }


def test_the_values_of_two_lists_are_crossed():
    table = pa.table({"tags": [["a", "b"], ["a"], []], "stops": [[7, 3], [7, 7], [7]]})
    slices = slice_rows(table, [config_pb2.SlicingSpec(feature_keys=["tags", "stops"])])
    assert {key: rows.tolist() for key, rows in slices.items()} == {
        (("stops", 3), ("tags", "a")): [0],
        (("stops", 3), ("tags", "b")): [0],
        (("stops", 7), ("tags", "a")): [0, 1],
        (("stops", 7), ("tags", "b")): [0],
    }
