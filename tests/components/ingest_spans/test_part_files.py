"""Tests of the Parquet files that rows are added to block by block."""

import pyarrow as pa
import pyarrow.parquet as pq

from retrainer.components.ingest_spans.part_files import RowFile

ROWS = 100_000


def test_a_file_that_gets_no_rows_of_any_block_holds_on_to_none_of_them(tmp_path):
    schema = pa.schema([("distance", pa.int64())])
    file = RowFile(tmp_path / "unlabelled.parquet", schema)
    before = pa.total_allocated_bytes()
    block_bytes = 0
    for _ in range(20):
        block = pa.table({"distance": pa.array(range(ROWS), pa.int64())})
        block_bytes = block.nbytes
        file.write(block.slice(0, 0))
        del block
    assert pa.total_allocated_bytes() - before < 2 * block_bytes
    file.close()
    assert pq.read_table(tmp_path / "unlabelled.parquet").equals(schema.empty_table())


def test_rows_come_back_in_order_whatever_the_blocks_were(tmp_path):
    schema = pa.schema([("distance", pa.int64())])
    file = RowFile(tmp_path / "all.parquet", schema)
    for begin, end in ((0, 0), (0, 1), (1, 70_000), (70_000, 70_000), (70_000, 150_000)):
        file.write(pa.table({"distance": pa.array(range(begin, end), pa.int64())}))
    file.close()
    read = pq.read_table(tmp_path / "all.parquet")
    assert read.column("distance").to_pylist() == list(range(150_000))
    assert file.rows == 150_000
