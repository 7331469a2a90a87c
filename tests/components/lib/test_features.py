import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.features import find_fitting, raw_features, read_schema, to_arrays


def test_missing_numbers_reach_the_model_as_nan():
    table = pa.Table.from_pandas(pd.DataFrame({"a": [1.0, None], "s": ["x", None]}))
    arrays = to_arrays(table, {"a": "float32", "s": "string"})
    assert np.isnan(arrays["a"][1])
    assert arrays["s"].tolist() == [b"x", b""]


def test_large_integers_reach_the_model_rounded():
    arrays = to_arrays(pa.table({"a": [2**62 + 1, None]}), {"a": "float32"})
    np.testing.assert_equal(arrays["a"], np.array([2.0**62, np.nan], np.float32))


def test_an_integer_column_with_a_missing_cell_is_named():
    table = pa.table({"a": pa.array([1, None])})
    with pytest.raises(RetrainerError, match="column 'a' has 1 missing"):
        to_arrays(table, {"a": "int64"})


def test_text_where_a_number_is_expected_is_named():
    with pytest.raises(
        RetrainerError, match="column 'a' holds string, and the model takes float32"
    ):
        to_arrays(pa.table({"a": ["x"]}), {"a": "float32"})


def test_a_column_that_is_not_there_is_empty_and_an_integer_can_not_be():
    table = pa.table({"a": [1, 2]})
    arrays = to_arrays(table, {"n": "float32", "t": "string"})
    assert np.isnan(arrays["n"]).tolist() == [True, True]
    assert arrays["t"].tolist() == [b"", b""]
    with pytest.raises(RetrainerError, match=r"column 'b' has 2 missing cells in span 2026-01"):
        to_arrays(table, {"b": "int64"}, "span 2026-01")


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ([1.5, 2.0], "int64", "column 'a' holds double in span 3, and the model takes int64"),
        ([1, 2], "string", "column 'a' holds int64 in span 3, and the model takes string"),
        (["1", "2"], "float32", "column 'a' holds string in span 3, and the model takes float32"),
        ([2**40], "int32", "column 'a' holds int64 in span 3, and the model takes int32"),
    ],
)
def test_no_cell_is_cut_off_or_parsed_to_fit(values, kind, words):
    with pytest.raises(RetrainerError, match=words):
        to_arrays(pa.table({"a": values}), {"a": kind}, "span 3")


COLUMNS = [
    pa.array([1, None, -(2**63)]),
    pa.array([1.0, 1.5, None, float("nan"), 2.0**63, -(2.0**63)]),
    pa.array(["1", None]),
    pa.nulls(2),
]


@pytest.mark.parametrize("kind", ["int64", "int32", "float32", "string"])
@pytest.mark.parametrize("column", COLUMNS, ids=["whole", "floating", "text", "nothing"])
def test_cells_that_fit_are_those_that_become_arrays(column, kind):
    fits = find_fitting(column, kind)
    kept = column.filter(pa.array(fits))
    assert len(to_arrays(pa.table({"a": kept}), {"a": kind})["a"]) == fits.sum()
    for cell in column.filter(pa.array(~fits)):
        with pytest.raises(RetrainerError, match="column 'a'"):
            to_arrays(pa.table({"a": pa.array([cell.as_py()], column.type)}), {"a": kind})


@pytest.mark.parametrize("content", [b"feature {", b"\xff"])
def test_a_damaged_schema_is_named(tmp_path, content):
    (tmp_path / "schema.pbtxt").write_bytes(content)
    with pytest.raises(RetrainerError, match=r"schema.pbtxt' is not a schema"):
        read_schema(str(tmp_path))


def test_a_missing_schema_is_named(tmp_path):
    with pytest.raises(RetrainerError, match=r"no schema at '.*schema.pbtxt'"):
        read_schema(str(tmp_path))


def test_label_key_and_retired_columns_are_no_features():
    schema = schema_pb2.Schema()
    for name, kind, fraction in (
        ("always", schema_pb2.INT, 1.0),
        ("sometimes", schema_pb2.INT, 0.9),
        ("number", schema_pb2.FLOAT, 1.0),
        ("text", schema_pb2.BYTES, 1.0),
        ("label", schema_pb2.INT, 1.0),
        ("gone", schema_pb2.INT, 1.0),
    ):
        feature = schema.feature.add(name=name, type=kind)
        feature.presence.min_fraction = fraction
    schema.feature[5].lifecycle_stage = schema_pb2.DEPRECATED
    assert raw_features(schema, ["label"]) == {
        "always": "int64",
        "sometimes": "float32",
        "number": "float32",
        "text": "string",
    }
