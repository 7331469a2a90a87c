"""The table of predictions with their labels: the columns of predictions, and the label, its time and the row's weight.

`joined_sets` lists the sets; this module knows their columns and reads them.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from ..errors import RetrainerError
from ..parquet_reader import read_files
from .joined_sets import JoinedSet

LABEL, LABELLED_AT, WEIGHT = "joined_label", "joined_labelled_at", "joined_weight"
JOINED_COLUMNS = pa.schema(
    [
        pa.field(LABEL, pa.float64(), nullable=False),
        pa.field(LABELLED_AT, pa.timestamp("us", tz="UTC")),
        pa.field(WEIGHT, pa.float64(), nullable=False),
    ]
)
"""The columns after those of the predictions. `joined_label` is the label as a number; `joined_labelled_at` says when
it was known, null if its source does not; `joined_weight` is the row's weight in evaluation, divided by its
`sample_rate`."""


def joined_schema(predictions: pa.Schema) -> pa.Schema:
    """Make the schema of a joined table.

    Args:
        predictions: The schema of the table of predictions; its metadata stay, so that `read_columns` reads them.

    Raises:
        RetrainerError: If the predictions have a column of one of the names.
    """
    for name in JOINED_COLUMNS.names:
        if name in predictions.names:
            raise RetrainerError(
                f"the predictions have a column '{name}', which is the name of a column of joined tables. Give it "
                "another name in data.columns."
            )
    return pa.schema([*predictions, *JOINED_COLUMNS], metadata=predictions.metadata)


def add_labels(
    predictions: pa.Table, labels: pa.Array, labelled_at: pa.Array, weights: pa.Array
) -> pa.Table:
    """Add the label to rows of predictions.

    Args:
        predictions: n rows.
        labels: n labels.
        labelled_at: n times, null where unknown.
        weights: n weights.
    """
    schema = joined_schema(predictions.schema)
    added = [
        one.cast(field.type)
        for one, field in zip((labels, labelled_at, weights), JOINED_COLUMNS, strict=True)
    ]
    return pa.Table.from_arrays([*predictions.columns, *added], schema=schema)


def read_joined(
    found: JoinedSet, columns: Sequence[str] | None = None, batch_rows: int = 65_536
) -> Iterator[pa.RecordBatch]:
    """Read a set in the order of its predictions, with bounded memory.

    Args:
        found: The set.
        columns: The table's columns to read; all if None.
        batch_rows: Rows of a batch at most.

    Returns:
        Record batches.
    """
    return read_files(found.uri, found.files, columns, batch_rows)
