"""The batches that a span's rows are sketched in."""

from contextlib import ExitStack

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.examples import SpanPart
from retrainer.components.lib.statistics import part_reader
from retrainer.components.lib.statistics.part_reader import PartReader, cast_to_float


def write(folder, rows, group_rows):
    table = pa.table({"number": range(rows), "text": [str(row) for row in range(rows)]})
    pq.write_table(table, folder / "all-00000.parquet", row_group_size=group_rows)
    return SpanPart("2024-01", str(folder), "all", rows, ("all-00000.parquet",))


def read(part, columns=("number", "text")):
    with ExitStack() as files:
        return list(PartReader(part, files).batches(columns))


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [(0, []), (1, [1]), (100, [100]), (101, [51, 50]), (250, [84, 84, 82]), (400, [100] * 4)],
)
@pytest.mark.parametrize("group_rows", [30, 1_000])
def test_a_file_is_cut_into_even_batches(rows, sizes, group_rows, tmp_path, monkeypatch):
    monkeypatch.setattr(part_reader, "BATCH_ROWS", 100)
    found = read(write(tmp_path, rows, group_rows))
    assert [len(batch) for batch in found if len(batch)] == sizes
    assert [n for batch in found for n in batch.column("number").to_pylist()] == list(range(rows))


def test_only_the_wanted_columns_are_read(tmp_path):
    (batch,) = read(write(tmp_path, 5, 5), ("text", "nowhere"))
    assert batch.schema.names == ["text"]


def test_integers_become_floating_point_where_that_is_asked():
    batch = pa.RecordBatch.from_pydict({"a": [1, None, 2**53 + 1], "b": [1, 2, 3]})
    cast = cast_to_float(batch, ["a", "nowhere"])
    assert cast.schema.types == [pa.float64(), pa.int64()]
    assert cast.column("a").to_pylist() == [1.0, None, 2.0**53]
    assert cast_to_float(batch, []) is batch
