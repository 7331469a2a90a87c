"""A pass over rows that fills accumulators of a phase's analysers, on all cores and in the memory of a few batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import tensorflow as tf

from ...lib.errors import RetrainerError
from ...lib.examples import SpanPart
from ...lib.features import STRING, column_of, to_array, to_words
from ...lib.progress import progress
from ...lib.threads import cores, ordered_map
from ...lib.user_code.user_errors import reason_of
from ..tracing import DTYPES
from .accumulators import Gatherer

Compute: TypeAlias = Callable[[Mapping[str, tf.Tensor]], Mapping[str, tf.Tensor]]


@dataclass(frozen=True)
class Reader:
    """An analyser that reads the results of a phase.

    Attributes:
        gatherer: What gathers its accumulator.
        names: The results that it reads.
        combiner: What combines its accumulators; None for a vocabulary.
        column: The column of text whose distinct cells it reads, in place of results; empty for none.
    """

    gatherer: Gatherer
    names: tuple[str, ...]
    combiner: Any = None
    column: str = ""


def gather(
    compute: Compute,
    kinds: Mapping[str, str],
    readers: Sequence[tuple[SpanPart, Sequence[Reader]]],
) -> None:
    """Read parts of spans once, and add each batch to the accumulators of those who read it.

    Args:
        compute: Computes the results of a phase from the columns of some rows.
        kinds: Columns wanted, with their kinds.
        readers: Parts, with who reads them; parts without a reader are not read.

    Raises:
        RetrainerError: If cells do not fit, or preprocessing_fn fails on a batch.
    """
    wanted = [(part, of_part) for part, of_part in readers if of_part]
    with ThreadPoolExecutor(max_workers=cores()) as pool:

        def reduce(item: "_Item") -> tuple[Sequence[Reader], list[Any]]:
            values = _compute(compute, kinds, item)
            cells = _cells(item)
            return item.readers, [
                reader.gatherer.reduce(
                    cells[reader.column]
                    if reader.column
                    else [values[name] for name in reader.names]
                )
                for reader in item.readers
            ]

        reduced = ordered_map(pool, reduce, _batches(wanted, kinds), ahead=cores())
        for of_part, batches in reduced:
            for reader, batch in zip(of_part, batches, strict=True):
                reader.gatherer.add(batch)


@dataclass(frozen=True)
class _Item:
    part: SpanPart
    readers: Sequence[Reader]
    batch: pa.RecordBatch


def _batches(
    wanted: Sequence[tuple[SpanPart, Sequence[Reader]]], kinds: Mapping[str, str]
) -> Iterator[_Item]:
    for done, (part, readers) in enumerate(wanted, start=1):
        columns = {reader.column for reader in readers if reader.column}
        for batch in part.iter_batches(sorted({*kinds, *columns})):
            yield _Item(part, readers, batch)
        progress("analysing", done, len(wanted))


def _cells(item: _Item) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    columns = dict.fromkeys(reader.column for reader in item.readers if reader.column)
    where = f"span {item.part.span}"
    return {name: to_words(column_of(item.batch, name), name, where) for name in columns}


def _compute(compute: Compute, kinds: Mapping[str, str], item: _Item) -> Mapping[str, tf.Tensor]:
    where = f"span {item.part.span}"
    tensors = {
        name: to_tensor(column_of(item.batch, name), name, kind, where)
        for name, kind in kinds.items()
    }
    try:
        return compute(tensors)
    except tf.errors.OpError as error:
        raise RetrainerError(
            f"preprocessing_fn fails on rows of {where}: {_reason(error, kinds)}"
        ) from error


def _reason(error: BaseException, kinds: Mapping[str, str]) -> str:
    reason = reason_of(error)
    text = [f"'{name}'" for name, kind in kinds.items() if kind == STRING]
    if "string" not in reason.lower() or not text:
        return reason
    # TensorFlow says nothing of which column it is.
    return (
        f"{reason}. These of its columns are text: {', '.join(text)}. If one of them has numbers, set data.types "
        "({name: number})."
    )


def to_tensor(column: pa.Array, name: str, kind: str, where: str) -> tf.Tensor:
    """Turn a column of n cells into a tensor of shape (n, 1), as preprocessing_fn gets it.

    Args:
        column: The cells.
        name: The column's name, for errors.
        kind: Its kind.
        where: What errors call the rows.

    Raises:
        RetrainerError: If cells are not of that kind, or an integer is missing.
    """
    if kind != STRING:
        return tf.constant(to_array(column, name, kind, where).reshape(-1, 1), DTYPES[kind])
    words, codes = to_words(column, name, where)
    return tf.gather(tf.constant(words, tf.string), codes.reshape(-1, 1))
