"""Training batches: Parquet row groups, shuffled, transformed and cut to size by tf.data."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from ..lib.errors import RetrainerError
from ..lib.examples import TRAIN, Examples
from ..lib.features import FLOAT, INT, STRING, to_arrays
from ..lib.parquet_reader import open_parquet
from ..lib.uris import join
from .held_out import HeldOut
from .row_weights import RowWeights

# Row groups that are mixed with one another; with the 32,768 rows that ingestion gives each, a quarter of a million
# rows in memory at once.
GROUPS_PER_CHUNK = 8
# Slices of different row groups that show how the champion's transform differs from the new one.
SAMPLE_SLICES = 8
# The transform graph costs per call, not per row: it gets large slices, the model small batches.
ROWS_PER_SLICE = 8_192
_DTYPES = {INT: tf.int64, FLOAT: tf.float32, STRING: tf.string}


@dataclass(frozen=True)
class TrainingRows:
    """The training split as batches for Keras.

    Attributes:
        examples: The examples.
        kinds: Raw features with their kinds.
        transform: The transform graph: raw features of shape (rows, 1) to transformed ones.
        batch_size: Rows in a batch.
        weights: How much each row counts.
        held_out: The part that is not trained on.
    """

    examples: Examples
    kinds: Mapping[str, str]
    transform: Callable[..., Any]
    batch_size: int
    weights: RowWeights = field(default_factory=RowWeights)
    held_out: HeldOut = field(default_factory=lambda: HeldOut(0.0, ()))

    def training(self, seed: int) -> tf.data.Dataset:
        """Make an endless, shuffled stream of the rows that are trained on.

        Row groups are read in a random order, eight at a time, and their rows mixed; so memory is bounded by the
        row groups' size, whatever the number of rows.

        Args:
            seed: Of the order.

        Returns:
            A dataset of (features, label), or (features, label, weight) if rows weigh differently, of `batch_size` rows
            each; the label is float32 of shape (rows, labels), of several outputs a mapping of such; the weight of
            shape (rows,).
        """
        return self._batches(lambda: self._slices(seed))

    def validation(self) -> tf.data.Dataset:
        """Return the rows that are held out, once, in batches as `training` returns them."""
        return self._batches(self._held_out_slices)

    def _batches(self, slices: Callable[[], Iterator[tuple]]) -> tf.data.Dataset:
        features = {
            name: tf.TensorSpec([None, 1], _DTYPES[kind]) for name, kind in self.kinds.items()
        }
        labels = {
            output: tf.TensorSpec([None, len(columns)], tf.float32)
            for output, columns in self.examples.outputs.items()
        }
        signature: tuple[Any, ...] = (features, labels.get("", labels))
        if self.weights.given:
            signature = (*signature, tf.TensorSpec([None], tf.float32))
        raw = tf.data.Dataset.from_generator(
            lambda: _remembering_errors(slices()), output_signature=signature
        )
        return (
            raw.map(lambda features, *others: (self.transform(features), *others))
            .rebatch(self.batch_size)
            .prefetch(tf.data.AUTOTUNE)
        )

    def _slices(self, seed: int) -> Iterator[tuple]:
        random = np.random.default_rng(seed)
        groups = _groups(self.examples)
        while True:
            random.shuffle(groups)
            for start in range(0, len(groups), GROUPS_PER_CHUNK):
                read = [
                    # Each span by itself: one may lack a column that another has, and errors name it.
                    self._read(span, uri, group, held_out=False)
                    for span, uri, group in groups[start : start + GROUPS_PER_CHUNK]
                ]
                arrays = _Arrays.joined(read)
                yield from self._cut(arrays, random.permutation(arrays.rows))

    def _held_out_slices(self) -> Iterator[tuple]:
        for span, uri, group in _groups(self.examples):
            arrays = self._read(span, uri, group, held_out=True)
            yield from self._cut(arrays, np.arange(arrays.rows))

    def _read(self, span: str, uri: str, group: int, held_out: bool) -> "_Arrays":
        columns = [*self.kinds, *self.examples.labels, self.weights.column, *self.held_out.columns]
        table = _read(uri, group, list(dict.fromkeys(filter(None, columns))))
        if self.held_out.fraction:
            mask = self.held_out.mask(table)
            table = table.filter(pa.array(mask if held_out else ~mask))
        where = f"span {span}"
        found = to_arrays(table, dict.fromkeys(self.examples.labels, FLOAT), where)
        labels = {
            output: np.stack([found[name] for name in names], axis=1)
            for output, names in self.examples.outputs.items()
        }
        weights = self.weights.of(table, found[self.examples.label])
        return _Arrays(to_arrays(table, self.kinds, where), labels, weights)

    def _cut(self, arrays: "_Arrays", order: np.ndarray) -> Iterator[tuple]:
        for first in range(0, len(order), ROWS_PER_SLICE):
            rows = order[first : first + ROWS_PER_SLICE]
            features = {name: array[rows, np.newaxis] for name, array in arrays.features.items()}
            labels = {output: values[rows] for output, values in arrays.labels.items()}
            known = (features, labels.get("", labels))
            yield (*known, arrays.weights[rows]) if self.weights.given else known


@dataclass(frozen=True)
class _Arrays:
    """Rows as arrays of shape (rows,); the labels of each output of shape (rows, labels)."""

    features: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    weights: np.ndarray

    @property
    def rows(self) -> int:
        return len(self.weights)

    @classmethod
    def joined(cls, parts: Sequence["_Arrays"]) -> "_Arrays":
        return cls(
            {
                name: np.concatenate([part.features[name] for part in parts])
                for name in parts[0].features
            },
            {
                output: np.concatenate([part.labels[output] for part in parts])
                for output in parts[0].labels
            },
            np.concatenate([part.weights for part in parts]),
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
