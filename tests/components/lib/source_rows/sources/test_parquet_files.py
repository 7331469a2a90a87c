"""Parquet files as a source."""

from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows.sources import parquet_files
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.components.lib.source_rows.sources.open_source import read_blocks
from retrainer.components.lib.source_rows.sources.parquet_files import ParquetSource


@pytest.fixture
def blocks(tmp_path):
    """A function that reads the blocks of a table written as Parquet."""

    def read(table, written=None, **options):
        path = tmp_path / "a.parquet"
        pq.write_table(table, path, **(written or {}))
        file = SourceFile("gs://bucket/a.parquet", path.stat().st_size, "")
        return list(ParquetSource(file, str(path), SourceOptions(**options)).blocks())

    return read


def test_blocks_follow_each_other_and_are_the_table(blocks, monkeypatch):
    monkeypatch.setattr(parquet_files, "BLOCK_ROWS", 30)
    table = pa.table({"a": range(100), "b": [str(i) for i in range(100)]})
    found = blocks(table)
    assert [(block.first, len(block.batch)) for block in found] == [
        (1, 30), (31, 30), (61, 30), (91, 10),
    ]  # fmt: skip
    assert pa.Table.from_batches([block.batch for block in found]) == table


def test_columns_left_out_are_reported_and_a_nested_one_is_left_out_whole(blocks):
    table = pa.table({"a": [1], "b": [{"x": 1, "y": [2]}], "a.b": [3]})
    (block,) = blocks(table, exclude=("b", "a.b", "none"))
    assert block.batch.to_pylist() == [{"a": 1}]
    assert list(block.excluded) == ["b", "a.b"]


def test_of_the_columns_asked_for_all_are_read_and_no_other(blocks):
    table = pa.table({"a": [1], "b": [2], "c": [3]})
    (block,) = blocks(table, only=("c", "b", "none"))
    assert block.batch.to_pylist() == [{"b": 2, "c": 3}]
    (block,) = blocks(table, only=("none",))
    assert len(block.batch) == 1


def test_moments_beyond_what_nanoseconds_hold_are_themselves_in_96_bits_too(blocks):
    moments = [datetime(1, 1, 1), datetime(9999, 12, 31), datetime(2013, 1, 31, 5, 0, 0, 123456)]
    table = pa.table({"t": pa.array(moments, pa.timestamp("us"))})
    (block,) = blocks(table, written={"use_deprecated_int96_timestamps": True})
    assert block.batch.column(0).to_pylist() == moments


def test_wide_rows_come_in_blocks_of_fewer_rows(blocks, monkeypatch):
    monkeypatch.setattr(parquet_files, "_BLOCK_BYTES", 10_000)
    many_columns = pa.table({f"c{i}": range(100) for i in range(50)})
    long_texts = pa.table({"a": [f"{i}" * 500 for i in range(100)]})
    for table in (many_columns, long_texts):
        found = blocks(table)
        assert max(len(block.batch) for block in found) <= 25
        assert pa.Table.from_batches([block.batch for block in found]) == table


def test_a_row_larger_than_a_block_is_read(blocks, monkeypatch):
    monkeypatch.setattr(parquet_files, "_BLOCK_BYTES", 10)
    assert [len(block.batch) for block in blocks(pa.table({"a": ["x" * 100, "y" * 100]}))] == [1, 1]


def test_a_file_without_rows_or_with_a_name_twice_is_named(blocks):
    with pytest.raises(RetrainerError, match=r"a\.parquet' has columns and no rows"):
        blocks(pa.table({"a": pa.array([], pa.int64())}))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(RetrainerError, match=r"a\.parquet' has the column 'a' more than once"):
        blocks(twice)


def test_a_whole_file_that_arrow_does_not_understand_is_distinguished_from_one_cut_off(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1, 2]}), path)
    content = path.read_bytes()
    size = int.from_bytes(content[-8:-4], "little")
    path.write_bytes(content[: -8 - size] + b"\xff" * size + content[-8:])
    source = ParquetSource(
        SourceFile("gs://b/a.parquet", len(content), ""), str(path), SourceOptions()
    )
    with pytest.raises(RetrainerError, match=r"a\.parquet' is Parquet that Arrow .*newer Arrow"):
        list(source.blocks())
    path.write_bytes(content[:-1])
    said = r"^'gs://b/a\.parquet' can't be read: Parquet magic bytes .* Upload the span again"
    with pytest.raises(RetrainerError, match=said):
        list(read_blocks(source, "gs://b/a.parquet"))
