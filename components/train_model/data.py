"""Training batches: Parquet row groups, shuffled, transformed and cut to size by tf.data."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import tensorflow as tf

from ..lib.errors import RetrainerError
from ..lib.examples import TRAIN, Examples, open_parquet
from ..lib.features import FLOAT, INT, STRING, to_arrays
from ..lib.files import join

# Row groups that are mixed with one another; with the 32,768 rows that ingestion gives each, a quarter of a million
# rows in memory at once.
GROUPS_PER_CHUNK = 8
# Slices of different row groups that tell how the champion's transform differs from the new one.
SAMPLE_SLICES = 8
# The transform graph costs per call, not per row: it gets large slices, the model small batches.
ROWS_PER_SLICE = 8_192
_DTYPES = {INT: tf.int64, FLOAT: tf.float32, STRING: tf.string}


def training_dataset(
    examples: Examples,
    kinds: Mapping[str, str],
    transform_fn: Callable,
    batch_size: int,
    seed: int,
) -> tf.data.Dataset:
    """Make an endless, shuffled stream of training batches.

    Row groups are read in a random order, eight at a time, and their rows mixed; so memory is bounded by the
    row groups' size, whatever the number of rows.

    Args:
        examples: The examples; the training split is read.
        kinds: Raw features with their kinds.
        transform_fn: The transform graph: raw features of shape (rows, 1) to transformed ones.
        batch_size: Rows in a batch.
        seed: Of the order.

    Returns:
        A dataset of (features, label) of `batch_size` rows each; the label is float32 of shape (rows, 1).
    """
    signature = (
        {name: tf.TensorSpec([None, 1], _DTYPES[kind]) for name, kind in kinds.items()},
        tf.TensorSpec([None, 1], tf.float32),
    )
    raw = tf.data.Dataset.from_generator(
        lambda: _remembering_errors(_slices(examples, kinds, seed)), output_signature=signature
    )
    return (
        raw.map(lambda features, label: (transform_fn(features), label))
        .rebatch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


# What a generator below TensorFlow raised: TensorFlow hands on the text of its traceback alone.
_raised: list[RetrainerError] = []


@contextlib.contextmanager
def reading_errors() -> Iterator[None]:
    """Raise what reading the rows of a training dataset failed with, in place of TensorFlow's error about it."""
    _raised.clear()
    try:
        yield
    except Exception as error:
        if _raised:
            raise _raised[0] from error
        raise


def _remembering_errors(slices: Iterator[tuple]) -> Iterator[tuple]:
    try:
        yield from slices
    except RetrainerError as error:
        _raised.append(error)
        raise


def sample_rows(
    examples: Examples, kinds: Mapping[str, str], more: Mapping[str, str], seed: int
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    """Read some rows of the training split, of row groups taken at random.

    Args:
        examples: The examples.
        kinds: Columns with their kinds.
        more: Columns wanted besides, each in a kind of its own; those that the examples lack, or have otherwise, are
            filled with missing values.
        seed: Of the order.

    Yields:
        Up to eight times the columns of `kinds` and those of `more`, each array of shape (rows, 1).
    """
    random = np.random.default_rng(seed)
    groups = _groups(examples)
    random.shuffle(groups)
    for span, uri, group in groups[:SAMPLE_SLICES]:
        table = _read(uri, group, None).slice(0, ROWS_PER_SLICE)
        arrays = to_arrays(table, kinds, f"span {span}")
        yield (
            {name: array[:, np.newaxis] for name, array in arrays.items()},
            {name: _of_kind(table, name, kind)[:, np.newaxis] for name, kind in more.items()},
        )


def _of_kind(table: pa.Table, name: str, kind: str) -> np.ndarray:
    with contextlib.suppress(RetrainerError):
        return to_arrays(table, {name: kind})[name]
    if kind == STRING:
        return np.full(len(table), b"", object)
    return (
        np.zeros(len(table), np.int64) if kind == INT else np.full(len(table), np.nan, np.float32)
    )


def _slices(examples: Examples, kinds: Mapping[str, str], seed: int) -> Iterator[tuple]:
    random = np.random.default_rng(seed)
    groups = _groups(examples)
    columns = {**kinds, examples.label: FLOAT}
    while True:
        random.shuffle(groups)
        for start in range(0, len(groups), GROUPS_PER_CHUNK):
            read = [
                # Each span by itself: one may lack a column that another has, and errors name it.
                to_arrays(_read(uri, group, list(columns)), columns, f"span {span}")
                for span, uri, group in groups[start : start + GROUPS_PER_CHUNK]
            ]
            arrays = {name: np.concatenate([one[name] for one in read]) for name in columns}
            order = random.permutation(len(arrays[examples.label]))
            for first in range(0, len(order), ROWS_PER_SLICE):
                rows = order[first : first + ROWS_PER_SLICE]
                yield (
                    {name: arrays[name][rows, np.newaxis] for name in kinds},
                    arrays[examples.label][rows, np.newaxis],
                )


def _groups(examples: Examples) -> list[tuple[str, str, int]]:
    return [
        (part.span, join(part.uri, file), group)
        for part in examples.splits[TRAIN]
        for file in part.files
        for group in range(_row_groups(join(part.uri, file)))
    ]


def _row_groups(uri: str) -> int:
    with open_parquet(uri) as file:
        return file.num_row_groups


def _read(uri: str, group: int, columns: list[str] | None) -> pa.Table:
    with open_parquet(uri) as file:
        names = file.schema_arrow.names
        wanted = names if columns is None else [name for name in columns if name in names]
        return file.read_row_group(group, columns=wanted)
