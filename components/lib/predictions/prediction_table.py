"""The table of predictions: what a model was asked and what it answered, row by row.

Batch prediction, logs of servers and monitoring share it. First come `COLUMNS`, then the columns that the model was
sent, then its predictions. Parquet's metadata names which column is what.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import RetrainerError
from ..parquet_reader import read_files
from ..record_format import check_format
from .prediction_sets import PredictionSet

FORMAT = 1
OK, ERROR = "ok", "error"
"""Values of `status`: the model answered; it did not, and `error` says why."""
BATCH = "batch"
"""Value of `variant` for rows that no server answered."""
PREDICTION = "prediction"
COLUMNS = pa.schema(
    [
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("occurred_at", pa.timestamp("us", tz="UTC")),
        pa.field("model_version", pa.int64()),
        pa.field("variant", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("error", pa.string()),
        pa.field("sample_rate", pa.float64(), nullable=False),
        pa.field("latency_ms", pa.float64()),
    ]
)
"""The columns of every table. `request_id` and `row` name a row: the request, and the row's place in it, from 0.

`model_version` is the registry's number, null for a model from elsewhere. `variant` is the part that the model played:
`stable`, `canary`, `shadow` or `batch`. `sample_rate` is the share of rows that were kept, 1 for all.
"""
_OWN = frozenset(name.lower() for name in COLUMNS.names)
_PREDICTION = re.compile(rf"{PREDICTION}(_\w+)?")
_PREFIX = "input_"
_METADATA = b"retrainer.predictions"


@dataclass(frozen=True)
class TableColumns:
    """Which columns of a table are what, beside `COLUMNS`.

    Attributes:
        inputs: The table's column for each column that the model or the user knows by name.
        features: Names of the columns that the model was sent.
        key: Names of the columns that identify a row.
        predictions: The table's columns of predictions: `prediction`, or `prediction_0`, `prediction_1` and so on of a
            model with several numbers; with the output's name, as in `prediction_late` or `prediction_topics_0`, of a
            model with several outputs.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    predictions: tuple[str, ...] = (PREDICTION,)


def input_column(name: str) -> str:
    """Name the table's column for a column of the data.

    Args:
        name: The column's own name.

    Returns:
        The same name; with `input_` before it if the table has a column of that name, in capitals or not.
    """
    bare = name.lower()
    while bare.startswith(_PREFIX):
        bare = bare[len(_PREFIX) :]
    taken = bare in _OWN or _PREDICTION.fullmatch(bare)
    return f"{_PREFIX}{name}" if taken else name


def prediction_columns(outputs: int | Mapping[str, int]) -> tuple[str, ...]:
    """Name the columns of predictions.

    Args:
        outputs: How many numbers the model returns for a row; of a model with several outputs by the output's name.
    """
    if isinstance(outputs, Mapping):
        return tuple(
            f"{PREDICTION}_{name}{column.removeprefix(PREDICTION)}"
            for name, width in outputs.items()
            for column in prediction_columns(width)
        )
    if outputs == 1:
        return (PREDICTION,)
    return tuple(f"{PREDICTION}_{number}" for number in range(outputs))


def table_schema(
    inputs: pa.Schema,
    outputs: int | Mapping[str, int],
    features: Sequence[str] = (),
    key: Sequence[str] = (),
    about: Mapping[str, Any] | None = None,
) -> pa.Schema:
    """Make the schema of a table.

    Args:
        inputs: Columns of the data, by their own names.
        outputs: As for `prediction_columns`.
        features: Names of those columns that the model is sent.
        key: Names of those columns that identify a row.
        about: What else the files' metadata say, such as the model's digest; JSON values.

    Returns:
        `COLUMNS`, the inputs and the predictions, with metadata that `read_columns` reads.
    """
    names = {name: input_column(name) for name in inputs.names}
    predictions = prediction_columns(outputs)
    metadata = {
        **(about or {}),
        "format": FORMAT,
        "inputs": names,
        "features": list(features),
        "key": list(key),
        "predictions": list(predictions),
    }
    columns = [
        *COLUMNS,
        *(pa.field(names[one.name], one.type) for one in inputs),
        *(pa.field(name, pa.float32()) for name in predictions),
    ]
    text = json.dumps(metadata, sort_keys=True, ensure_ascii=False)
    return pa.schema(columns, metadata={_METADATA: text.encode()})


def make_rows(
    schema: pa.Schema,
    inputs: pa.RecordBatch | pa.Table,
    predictions: np.ndarray,
    *,
    request_id: str,
    rows: np.ndarray,
    model_version: int | None,
    variant: str,
    errors: Sequence[str | None] | None = None,
    occurred_at: pa.Array | None = None,
    latency_ms: float | None = None,
    sample_rate: float = 1.0,
) -> pa.Table:
    """Make rows of a table.

    Args:
        schema: What `table_schema` returned.
        inputs: The columns that it was made for, n rows.
        predictions: Shape (n,) or (n, outputs); of rows with an error they are left out.
        request_id: The request.
        rows: Place of each row in the request, from 0.
        model_version: Number of the model in the registry.
        variant: The part that the model played.
        errors: Why a row has no prediction; None for rows that have one, and altogether if all have.
        occurred_at: When each row was scored, or what it is about happened.
        latency_ms: How long the request took, in milliseconds.
        sample_rate: The share of rows that are kept.
    """
    count = len(rows)
    why = pa.nulls(count, pa.string()) if errors is None else pa.array(errors, pa.string())
    own = {
        "request_id": _repeat(request_id, count),
        "row": pa.array(rows, pa.int64()),
        "occurred_at": occurred_at,
        "model_version": _repeat(model_version, count),
        "variant": _repeat(variant, count),
        "status": _repeat(OK, count),
        "error": why,
        "sample_rate": _repeat(sample_rate, count),
        "latency_ms": _repeat(latency_ms, count),
    }
    failed = np.zeros(count, bool)
    if why.null_count < count:
        failed = why.is_valid().to_numpy(zero_copy_only=False)
        own["status"] = pa.array(np.where(failed, ERROR, OK))
    return make_table(schema, own, inputs.columns, predictions, failed)


def make_table(
    schema: pa.Schema,
    own: Mapping[str, pa.Array | None],
    inputs: Sequence[pa.Array | pa.ChunkedArray],
    predictions: np.ndarray,
    failed: np.ndarray,
) -> pa.Table:
    """Make rows of a table, of whatever requests.

    Args:
        schema: What `table_schema` returned.
        own: The cells of each of `COLUMNS`, n of them; None for a column without any.
        inputs: The columns of the data, in the schema's order.
        predictions: Shape (n,) or (n, outputs).
        failed: Shape (n,): the rows whose predictions are left out.
    """
    count = len(failed)
    # Without rows, NumPy can't infer how many there are of each.
    outputs = len(schema) - len(COLUMNS) - len(inputs)
    values = predictions.reshape(count, outputs)
    arrays = [
        *(
            pa.nulls(count, column.type) if cells is None else cells.cast(column.type)
            for column, cells in ((column, own[column.name]) for column in COLUMNS)
        ),
        *inputs,
        *(pa.array(values[:, number], mask=failed) for number in range(values.shape[1])),
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def read_columns(schema: pa.Schema) -> TableColumns:
    """Read which columns of a table are what.

    Args:
        schema: The schema of one of its files.

    Raises:
        RetrainerError: If it is no table of predictions, or of a format that this release does not read.
    """
    about = read_about(schema)
    return TableColumns(
        dict(about["inputs"]),
        tuple(about["features"]),
        tuple(about["key"]),
        tuple(about["predictions"]),
    )


def read_about(schema: pa.Schema) -> dict[str, Any]:
    """Read a table's metadata; see `read_columns`."""
    text = (schema.metadata or {}).get(_METADATA)
    if text is None:
        raise RetrainerError(
            f"this is no table of predictions: its Parquet metadata lack '{_METADATA.decode()}'. Use a file that "
            "predict_batch wrote."
        )
    about: dict[str, Any] = json.loads(text)
    check_format(about, FORMAT, "this table of predictions")
    return about


def read_predictions(
    found: PredictionSet, columns: Sequence[str] | None = None, batch_rows: int = 65_536
) -> Iterator[pa.RecordBatch]:
    """Read a set of predictions in order, with bounded memory.

    Args:
        found: The set.
        columns: The table's columns to read; all if None.
        batch_rows: Rows of a batch at most.

    Returns:
        Record batches.
    """
    return read_files(found.uri, found.files, columns, batch_rows)


# Blocks of rows mostly have one size, and the same values.
@lru_cache(maxsize=16, typed=True)
def _repeat(value: Any, count: int) -> pa.Array | None:
    return None if value is None else pa.array([value]).take(pa.array(np.zeros(count, np.int32)))
