"""Making sketches from rows, batch by batch, on all cores.

The batches are those of the files, whatever machine reads them, and their sketches are merged in the order of the
rows: so a sketch does not depend on how many cores made it.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from typing import Any, TypeAlias, TypeVar

import pyarrow as pa
from tensorflow_data_validation.statistics import stats_impl

from ..lib.examples import SpanPart
from .batches import PartReader
from .sketches import (
    SketchSettings,
    column_blocks,
    encode_sketch,
    merge_accumulators,
    pack,
    settle,
)

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Columns: TypeAlias = tuple[str, ...]


def make_sketches(
    parts: Sequence[SpanPart], settings: SketchSettings, as_float: Sequence[str] = ()
) -> Iterator[tuple[SpanPart, bytes]]:
    """Sketch the rows of parts, within the memory of a few batches.

    Args:
        parts: The parts.
        settings: TFDV's options.
        as_float: Integer columns to take as floating point, because they are in other spans.

    Yields:
        Each part with its sketch in its file format, in the order of the parts.
    """
    # Made once, before threads ask for it.
    _ = settings.generators
    workers = _cores()
    blocks: deque[int] = deque()
    # Threads share the work, since TFDV's sketches and NumPy let go of the interpreter's lock; a process would
    # have to be forked from one that holds TensorFlow.
    with ThreadPoolExecutor(workers) as pool:
        sketched = _in_order(
            pool,
            workers,
            lambda batch: _sketch(batch, settings),
            _batches(parts, as_float, settings, blocks),
        )
        packed = _in_order(
            pool, workers, lambda one: pack(*one, settings), _by_block(sketched, settings)
        )
        for part in parts:
            # The first block tells how many there are.
            first = next(packed)
            yield part, encode_sketch([first, *islice(packed, blocks.popleft() - 1)])


def _batches(
    parts: Sequence[SpanPart],
    as_float: Sequence[str],
    settings: SketchSettings,
    blocks: deque[int],
) -> Iterator[pa.RecordBatch | _Columns]:
    for part in parts:
        with ExitStack() as files:
            reader = PartReader(part, files)
            of_part = column_blocks(reader.columns, settings)
            blocks.append(len(of_part))
            for columns in of_part:
                # Marks the start of a block, which may have no rows.
                yield columns
                yield from reader.list_batches(columns, as_float)


def _sketch(batch: pa.RecordBatch | _Columns, settings: SketchSettings) -> list[Any] | _Columns:
    if isinstance(batch, tuple):
        return batch
    accumulators = stats_impl.generate_partial_statistics_in_memory(
        batch, settings.stats_options, settings.generators
    )
    settle(accumulators, batch, settings)
    return accumulators


def _by_block(
    sketched: Iterable[list[Any] | _Columns], settings: SketchSettings
) -> Iterator[tuple[list[Any], _Columns]]:
    columns: _Columns | None = None
    merged: list[Any] = []
    for one in sketched:
        if isinstance(one, tuple):
            if columns is not None:
                yield merged, columns
            columns = one
            merged = [generator.create_accumulator() for generator in settings.generators]
            continue
        merged = merge_accumulators([merged, one], settings)
    if columns is not None:
        yield merged, columns


def _in_order(
    pool: Executor, ahead: int, work: Callable[[_In], _Out], items: Iterable[_In]
) -> Iterator[_Out]:
    """Map items in a pool: results in order, and no more than a few items waiting in memory."""
    waiting: deque[Future[_Out]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
