"""Joining small blocks, so that what is done once for each column of a block is done for many rows."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from .base import BLOCK_BYTES, Block

# CSV comes in small blocks, since Arrow reads ahead by their number; and of many columns a block has few rows.
FEW_ROWS = 16_384
_MOST_BYTES = 4 * BLOCK_BYTES


def join_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """Join blocks of few rows with those that follow them.

    Args:
        blocks: Blocks of one source, in order.

    Yields:
        The same rows in the same order. Blocks whose columns differ are not joined, and none gets larger than a few
        blocks of the usual size.
    """
    waiting: list[Block] = []
    rows = size = 0
    for block in blocks:
        if waiting and not _alike(waiting[0], block):
            yield _joined(waiting)
            waiting, rows, size = [], 0, 0
        waiting.append(block)
        rows += len(block.batch)
        size += block.batch.nbytes
        if rows >= FEW_ROWS or size >= _MOST_BYTES:
            yield _joined(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield _joined(waiting)


def _alike(one: Block, other: Block) -> bool:
    return one.batch.schema.equals(other.batch.schema) and list(one.excluded) == list(
        other.excluded
    )


def _joined(blocks: Sequence[Block]) -> Block:
    first = blocks[0]
    if len(blocks) == 1:
        return first
    columns = [
        pa.concat_arrays([block.batch.column(i) for block in blocks])
        for i in range(first.batch.num_columns)
    ]
    return Block(
        pa.RecordBatch.from_arrays(columns, schema=first.batch.schema),
        first.first,
        [row for block in blocks for row in block.bad],
        first.excluded,
        np.concatenate([block.row_numbers() for block in blocks]),
    )
