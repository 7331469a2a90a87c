"""Small blocks become larger ones of the same rows."""

import pyarrow as pa
import pytest

from retrainer.components.lib.source_rows.sources import join_blocks as join_blocks_module
from retrainer.components.lib.source_rows.sources.base import BadRow, Block
from retrainer.components.lib.source_rows.sources.join_blocks import join_blocks


def block(first, values, bad=(), excluded=(), name="a"):
    rows = tuple(BadRow("f", row, "broken") for row in bad)
    return Block(
        pa.RecordBatch.from_arrays([pa.array(values)], names=[name]), first, rows, excluded
    )


def test_rows_their_numbers_and_bad_rows_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(join_blocks_module, "FEW_ROWS", 4)
    blocks = [block(1, ["a", "b"], bad=[2]), block(4, ["c"]), block(5, ["d"], bad=[6])]
    blocks.append(block(7, ["e"]))
    joined = list(join_blocks(blocks))
    assert [one.batch.column(0).to_pylist() for one in joined] == [["a", "b", "c", "d"], ["e"]]
    assert [one.row_numbers().tolist() for one in joined] == [[1, 3, 4, 5], [7]]
    assert [[row.row for row in one.bad] for one in joined] == [[2, 6], []]


def test_blocks_of_other_columns_stay_apart():
    blocks = [
        block(1, ["a"]),
        block(2, [2]),
        block(3, [3], name="b"),
        block(4, [4], excluded=["x"]),
    ]
    assert len(list(join_blocks(blocks))) == 4


def test_blocks_of_many_rows_are_handed_on_as_they_are(monkeypatch):
    monkeypatch.setattr(join_blocks_module, "FEW_ROWS", 2)
    blocks = [block(1, ["a", "b"]), block(3, ["c", "d"])]
    assert all(one is other for one, other in zip(join_blocks(blocks), blocks, strict=True))


def test_blocks_of_bad_rows_alone_are_kept():
    blocks = [block(1, pa.array([], pa.string()), bad=[1, 2])]
    (joined,) = join_blocks(blocks)
    assert len(joined.bad) == 2


@pytest.mark.parametrize("limit", ["FEW_ROWS", "_MOST_BYTES"])
def test_each_joined_block_has_as_many_rows_or_bytes(monkeypatch, limit):
    monkeypatch.setattr(join_blocks_module, "FEW_ROWS", 1000)
    monkeypatch.setattr(join_blocks_module, limit, 4)

    def tiny(first, rows=1):
        # A row is a byte.
        column = pa.array([7] * rows, pa.int8())
        return Block(pa.RecordBatch.from_arrays([column], names=["a"]), first)

    blocks = [tiny(row) for row in range(1, 10)]
    assert [len(one.batch) for one in join_blocks(blocks)] == [4, 4, 1]
    blocks.insert(2, block(3, ["x"]))
    assert [len(one.batch) for one in join_blocks(blocks)] == [2, 1, 4, 3]
    monkeypatch.setattr(join_blocks_module, limit, 5)
    two = [tiny(row, 2) for row in range(1, 10, 2)]
    assert [len(one.batch) for one in join_blocks(two)] == [6, 4]
