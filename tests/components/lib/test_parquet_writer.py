"""Parts of a span as Parquet files."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib import parquet_writer
from retrainer.components.lib.parquet_writer import Encoding, PartFiles, RowFile

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.string())])


def rows(start, end):
    return pa.table({"a": range(start, end), "b": [f"row {i}" for i in range(start, end)]}, SCHEMA)


@pytest.fixture
def part(tmp_path, monkeypatch):
    """A closed part of 500 rows in files of 200, written in blocks of 70."""
    monkeypatch.setattr(parquet_writer, "ROWS_PER_FILE", 200)
    monkeypatch.setattr(parquet_writer, "ROWS_PER_GROUP", 60)
    part = PartFiles(tmp_path, "all", SCHEMA)
    for start in range(0, 500, 70):
        part.write(rows(start, min(start + 70, 500)))
    part.close()
    return part


def read(folder, part):
    return pa.concat_tables([pq.read_table(folder / file) for file in part.files])


def test_rows_come_back_in_order_from_files_of_a_size(part, tmp_path):
    assert part.files == ["all-00000.parquet", "all-00001.parquet", "all-00002.parquet"]
    assert [pq.read_metadata(tmp_path / file).num_rows for file in part.files] == [200, 200, 100]
    assert read(tmp_path, part) == rows(0, 500)
    assert part.rows == 500


def test_a_part_without_rows_has_one_file_with_its_columns(tmp_path):
    part = PartFiles(tmp_path, "eval", SCHEMA)
    part.close()
    assert part.files == ["eval-00000.parquet"]
    assert pq.read_table(tmp_path / "eval-00000.parquet") == SCHEMA.empty_table()


def test_a_part_that_just_fills_a_file_has_no_empty_one_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_writer, "ROWS_PER_FILE", 200)
    part = PartFiles(tmp_path, "all", SCHEMA)
    part.write(rows(0, 200))
    part.close()
    assert part.files == ["all-00000.parquet"]


def test_removed_rows_go_elsewhere_and_the_others_keep_their_order(part, tmp_path):
    gone = np.array([0, 1, 59, 60, 199, 200, 399, 499])
    removed = RowFile(tmp_path / "duplicate.parquet", SCHEMA)
    rest = part.without(gone, removed)
    removed.close()
    assert pq.read_table(tmp_path / "duplicate.parquet") == rows(0, 500).take(gone)
    kept = np.setdiff1d(np.arange(500), gone)
    assert read(tmp_path, rest) == rows(0, 500).take(kept)
    assert rest.rows == 492
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {*rest.files, "duplicate.parquet"}


def test_row_groups_are_bounded_by_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_writer, "ROWS_PER_GROUP", 100)
    file = RowFile(tmp_path / "a.parquet", SCHEMA)
    for start in range(0, 250, 50):
        file.write(rows(start, start + 50))
    file.close()
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [
        100, 100, 50,
    ]  # fmt: skip
    assert pq.read_table(tmp_path / "a.parquet") == rows(0, 250)


def test_rows_of_long_texts_wait_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_writer, "BYTES_PER_GROUP", 10_000)
    file = RowFile(tmp_path / "a.parquet", SCHEMA)
    long = pa.table({"a": [1], "b": ["x" * 6_000]}, SCHEMA)
    for _ in range(5):
        file.write(long)
    # Four are on disk, though not a row group's number of rows is there.
    assert (tmp_path / "a.parquet").exists()
    file.close()
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [2, 2, 1]


def test_row_groups_of_many_columns_have_fewer_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_writer, "CELLS_PER_GROUP", 3_000)
    file = RowFile(tmp_path / "a.parquet", SCHEMA)
    file.write(rows(0, 3_500))
    file.close()
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert metadata.row_group(0).num_rows == 1_500


def test_a_file_that_gets_no_rows_of_any_block_holds_on_to_none_of_them(tmp_path):
    schema = pa.schema([("distance", pa.int64())])
    file = RowFile(tmp_path / "unlabelled.parquet", schema)
    before = pa.total_allocated_bytes()
    block_bytes = 0
    for _ in range(20):
        block = pa.table({"distance": pa.array(range(100_000), pa.int64())})
        block_bytes = block.nbytes
        file.write(block.slice(0, 0))
        del block
    assert pa.total_allocated_bytes() - before < 2 * block_bytes
    file.close()
    assert pq.read_table(tmp_path / "unlabelled.parquet").equals(schema.empty_table())


def test_an_encoding_holds_for_every_file(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_writer, "ROWS_PER_FILE", 200)
    part = PartFiles(tmp_path, "all", SCHEMA, Encoding(dictionary=["b"], statistics=["a"]))
    part.write(rows(0, 300))
    part.close()
    assert read(tmp_path, part) == rows(0, 300)
    for file in part.files:
        group = pq.read_metadata(tmp_path / file).row_group(0)
        first, second = group.column(0), group.column(1)
        assert ["DICTIONARY" in str(one.encodings) for one in (first, second)] == [False, True]
        assert [one.is_stats_set for one in (first, second)] == [True, False]
