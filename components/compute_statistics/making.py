"""Making sketches from rows, batch by batch, on all cores.

The batches are those of the files, whatever machine reads them, and their sketches are merged in the order of the
rows: so a sketch does not depend on how many cores made it.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pyarrow as pa
from tensorflow_data_validation.statistics import stats_impl

from ..lib.examples import SpanPart
from .batches import column_count, list_batches
from .sketches import SketchSettings, merge_accumulators, pack, settle

# TFDV's sketches take some 200 kilobytes a column, however few its rows: a wide table is sketched one batch at a time.
WIDE_COLUMNS = 10_000

_In = TypeVar("_In")
_Out = TypeVar("_Out")


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
    widest = max((column_count(part) for part in parts), default=0)
    workers = min(_cores(), max(1, WIDE_COLUMNS // max(1, widest)))
    # Threads share the work, since TFDV's sketches and NumPy let go of the interpreter's lock; a process would
    # have to be forked from one that holds TensorFlow.
    with ThreadPoolExecutor(workers) as pool:
        sketched = _in_order(
            pool, workers, lambda batch: _sketch(batch, settings), _batches(parts, as_float)
        )
        packed = _in_order(
            pool, workers, lambda sets: pack(sets, settings), _by_part(sketched, settings)
        )
        yield from zip(parts, packed, strict=True)


def _batches(parts: Sequence[SpanPart], as_float: Sequence[str]) -> Iterator[pa.RecordBatch | None]:
    for part in parts:
        # Marks the start of a part, which may have no rows.
        yield None
        yield from list_batches(part, as_float)


def _sketch(batch: pa.RecordBatch | None, settings: SketchSettings) -> list[Any] | None:
    if batch is None:
        return None
    accumulators = stats_impl.generate_partial_statistics_in_memory(
        batch, settings.stats_options, settings.generators
    )
    settle(accumulators, batch, settings)
    return accumulators


def _by_part(sketched: Iterable[list[Any] | None], settings: SketchSettings) -> Iterator[list[Any]]:
    merged: list[Any] | None = None
    for accumulators in sketched:
        if accumulators is not None:
            assert merged is not None
            merged = merge_accumulators([merged, accumulators], settings)
            continue
        if merged is not None:
            yield merged
        merged = [generator.create_accumulator() for generator in settings.generators]
    if merged is not None:
        yield merged


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
