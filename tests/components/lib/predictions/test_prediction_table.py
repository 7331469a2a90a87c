"""The table of predictions: its columns, their names, and reading it back."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.predictions.prediction_sets import (
    RECORD_FILE,
    find_predictions,
    list_predictions,
)
from retrainer.components.lib.predictions.prediction_table import (
    BATCH,
    COLUMNS,
    input_column,
    make_rows,
    read_about,
    read_columns,
    read_predictions,
    table_schema,
)
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_json


def rows_of(inputs: pa.Table, predictions: np.ndarray, **options: object) -> pa.Table:
    outputs = predictions.reshape(len(inputs), -1).shape[1]
    schema = table_schema(inputs.schema, outputs, ["distance"], ["status"], {"model_digest": "ab"})
    return make_rows(
        schema,
        inputs,
        predictions,
        request_id="one",
        rows=np.arange(len(inputs)),
        model_version=3,
        variant=BATCH,
        **options,  # type: ignore[arg-type]
    )


def test_own_columns_come_first_and_a_column_of_the_same_name_gets_a_prefix(tmp_path: Path) -> None:
    inputs = pa.table({"status": ["late", "ok"], "distance": [1.5, None], "ähnlich 数": [1, 2]})
    table = rows_of(inputs, np.array([0.25, 0.5], np.float32))
    assert table.column_names == [
        *COLUMNS.names, "input_status", "distance", "ähnlich 数", "prediction",
    ]  # fmt: skip
    pq.write_table(table, tmp_path / "part-00000.parquet")
    back = pq.read_table(tmp_path / "part-00000.parquet")
    assert back.to_pylist() == table.to_pylist()
    columns = read_columns(back.schema)
    assert columns.inputs["status"] == "input_status"
    assert (columns.key, columns.features) == (("status",), ("distance",))
    assert columns.predictions == ("prediction",)
    assert read_about(back.schema)["model_digest"] == "ab"
    assert back["model_version"].to_pylist() == [3, 3]
    assert back["status"].to_pylist() == ["ok", "ok"]
    assert back["latency_ms"].null_count == 2


def test_no_two_columns_of_the_data_get_one_name() -> None:
    names = [
        "row", "Row", "input_row", "input_input_row", "prediction", "prediction_0", "input_prediction_0",
        "predictions", "input_", "inputs", "error",
    ]  # fmt: skip
    columns = [input_column(name) for name in names]
    assert len(set(columns)) == len(names)
    assert not {column.lower() for column in columns} & {"row", "error", "prediction"}
    assert (input_column("predictions"), input_column("distance")) == ("predictions", "distance")


def test_a_row_with_an_error_has_no_prediction() -> None:
    inputs = pa.table({"status": ["a", "b"], "distance": [1.0, 2.0]})
    table = rows_of(inputs, np.array([[0.1, 0.9], [0.5, 0.5]], np.float32), errors=["why", None])
    assert table["status"].to_pylist() == ["error", "ok"]
    assert table["error"].to_pylist() == ["why", None]
    assert table["prediction_0"].to_pylist() == [None, np.float32(0.5)]
    assert table["prediction_1"].null_count == 1


def test_only_whole_sets_are_listed_and_read_in_order(tmp_path: Path) -> None:
    home = Store(str(tmp_path)).predictions_of_span_uri("2026/01")
    inputs = pa.table({"status": ["a", "b"], "distance": [1.0, 2.0]})
    table = rows_of(inputs, np.array([0.1, 0.9], np.float32))
    for version in ("half", "whole"):
        folder = Path(home, version)
        folder.mkdir(parents=True)
        pq.write_table(table.slice(0, 1), folder / "part-00000.parquet")
        pq.write_table(table.slice(1), folder / "part-00001.parquet")
    record = {
        "format": 1, "span": "2026/01", "version": "whole", "rows": 2, "errors": 0, "model_version": 3,
        "files": ["part-00000.parquet", "part-00001.parquet"], "model_digest": "ab",
        "scored": "2026-01-02T00:00:00+00:00",
    }  # fmt: skip
    write_json(f"{home}/whole/{RECORD_FILE}", record)
    (found,) = list_predictions(str(tmp_path))
    assert (found.span, found.version) == ("2026/01", "whole")
    assert list_predictions(str(tmp_path), "2026/01") == [found]
    assert list_predictions(str(tmp_path / "nothing")) == []
    assert find_predictions(f"{home}/half") is None
    batches = read_predictions(found, ["row", "prediction"])
    assert [row for batch in batches for row in batch["row"].to_pylist()] == [0, 1]


def test_other_parquet_and_other_formats_are_named() -> None:
    with pytest.raises(RetrainerError, match="no table of predictions"):
        read_columns(pa.schema([pa.field("a", pa.int64())]))
    text = b'{"format": 2}'
    with pytest.raises(
        RetrainerError, match="format 2, and this version of retrainer reads format 1"
    ):
        read_columns(pa.schema([], metadata={b"retrainer.predictions": text}))
