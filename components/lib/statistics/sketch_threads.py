"""Sketching rows batch by batch, on all cores.

The batches depend on the files alone. The sketches of a file's batches are merged in the order of the rows, and those
of files in the order of the files: so a sketch does not depend on the number of cores or machines.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, TypeVar

import pyarrow as pa
from tensorflow_data_validation.statistics import stats_impl

from ..errors import RetrainerError
from ..examples import SpanPart, to_list_batch
from ..threads import cores, ordered_map
from .part_reader import PartReader, cast_to_float
from .sketches import (
    AccumulatorMerge,
    SketchSettings,
    column_blocks,
    encode_sketch,
    pack,
    settle,
)

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Columns: TypeAlias = tuple[str, ...]


class _Block(NamedTuple):
    """The start of a block of columns of a part, which may have no file."""

    columns: _Columns


class _File(Enum):
    """The start of a file, to which all batches until the next start belong."""

    START = "start"


_Mark: TypeAlias = _Block | _File


class _Batch(NamedTuple):
    """A batch of rows.

    Attributes:
        marks: What starts before it.
        rows: The rows, or None.
    """

    marks: tuple[_Mark, ...]
    rows: pa.RecordBatch | None


class _Sketched(NamedTuple):
    """The accumulators of a batch.

    Attributes:
        marks: What starts before it.
        accumulators: One per generator, or None without rows.
    """

    marks: tuple[_Mark, ...]
    accumulators: list[Any] | None


def make_sketches(
    parts: Sequence[SpanPart], settings: SketchSettings, as_float: Sequence[str] = ()
) -> Iterator[tuple[SpanPart, bytes]]:
    """Sketch the rows of parts, within the memory of a few batches.

    Args:
        parts: The parts.
        settings: TFDV's options.
        as_float: Integer columns to take as floating point, because they are floating point in other spans.

    Yields:
        Each part with its sketch in its file format, in the order of the parts.
    """
    # Created once, before threads use it.
    _ = settings.generators
    workers = cores()
    blocks: deque[int] = deque()
    # Threads, since TFDV's sketches and NumPy release the GIL; processes would be forked from one with TensorFlow.
    with ThreadPoolExecutor(workers) as pool:
        sketched = ordered_map(
            pool,
            lambda batch: _sketch(batch, settings, as_float),
            _batches(parts, settings, blocks),
            workers,
        )
        packed = ordered_map(
            pool, lambda one: pack(*one, settings), _by_block(sketched, settings), workers
        )
        for part in parts:
            # With the first block, their number is known.
            first = next(packed)
            yield part, encode_sketch([first, *islice(packed, blocks.popleft() - 1)])


def sketch_file(part: SpanPart, columns: _Columns, settings: SketchSettings) -> list[Any]:
    """Sketch some columns of a file by itself, as `make_sketches` does.

    Args:
        part: A part of one file.
        columns: A block of its columns.
        settings: TFDV's options.

    Returns:
        Accumulators, one per generator.
    """
    merging = AccumulatorMerge(settings)
    with ExitStack() as files:
        for batch in PartReader(part, files).batches(columns):
            merging.add(sketch_batch(batch, settings))
    return merging.result()


def sketch_batch(
    flat: pa.RecordBatch, settings: SketchSettings, as_float: Sequence[str] = ()
) -> list[Any]:
    """Sketch the rows of a batch.

    Args:
        flat: The batch, a cell in each row of a column.
        settings: TFDV's options.
        as_float: Integer columns to take as floating point.

    Returns:
        Accumulators, one per generator, which depend on the rows alone.

    Raises:
        RetrainerError: If a row has no weight, and the options require one.
    """
    batch = to_list_batch(cast_to_float(flat, as_float))
    try:
        accumulators = stats_impl.generate_partial_statistics_in_memory(
            batch, settings.stats_options, settings.generators
        )
    except (LookupError, TypeError, ValueError) as error:
        weight = settings.options.get("weight_feature")
        if weight is None:
            raise
        reason = str(error.args[0] if error.args else error).rstrip(".")
        raise RetrainerError(
            f"TFDV can't weigh rows by '{weight}' (stats_options.weight_feature): {reason}. Each row of each span "
            "needs a number in that column."
        ) from error
    settle(accumulators, batch, settings)
    return accumulators


def _sketch(batch: _Batch, settings: SketchSettings, as_float: Sequence[str]) -> _Sketched:
    accumulators = None if batch.rows is None else sketch_batch(batch.rows, settings, as_float)
    return _Sketched(batch.marks, accumulators)


def _batches(
    parts: Sequence[SpanPart], settings: SketchSettings, blocks: deque[int]
) -> Iterator[_Batch]:
    # Marks travel with the rows after them, so that the pool queues work only.
    marks: list[_Mark] = []
    for part in parts:
        with ExitStack() as files:
            readers = [PartReader(file, files) for file in part.one_by_one()]
            names = dict.fromkeys(name for reader in readers for name in reader.columns)
            of_part = column_blocks(tuple(names), settings)
            blocks.append(len(of_part))
            for columns in of_part:
                marks.append(_Block(columns))
                for reader in readers:
                    marks.append(_File.START)
                    for rows in reader.batches(columns):
                        yield _Batch(tuple(marks), rows)
                        marks = []
    yield _Batch((*marks, _Block(())), None)


def _by_block(
    sketched: Iterable[_Sketched], settings: SketchSettings
) -> Iterator[tuple[list[Any], _Columns]]:
    columns: _Columns | None = None
    merged, file = AccumulatorMerge(settings), AccumulatorMerge(settings)
    for one in sketched:
        for mark in one.marks:
            # By file, as if each file was sketched by itself.
            merged.add(file.result())
            file = AccumulatorMerge(settings)
            if isinstance(mark, _Block):
                if columns is not None:
                    yield merged.result(), columns
                columns, merged = mark.columns, AccumulatorMerge(settings)
        if one.accumulators is not None:
            file.add(one.accumulators)
