"""Which label belongs to which prediction, in arrays: memory grows with the predictions, and not with the labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.parquet_reader import open_parquet
from ..lib.predictions.prediction_sets import PredictionSet
from ..lib.predictions.prediction_table import COLUMNS, OK, read_columns, read_predictions
from ..lib.uris import join
from ..lib.words import did_you_mean
from .key_hashes import hash_keys
from .label_rows import NO_TIME, ROW, LabelBatch
from .settings import LabelSettings

# So many labels wait before those of one prediction are made one.
_MOST_WAITING = 4_000_000
_CANDIDATE = np.dtype(
    [("slot", "<i8"), ("at", "<i8"), ("order", "<i8"), ("value", "<f8"), ("weight", "<f8")]
)


@dataclass(frozen=True)
class SpanKeys:
    """The keys of one span's predictions.

    Attributes:
        predictions: The span.
        keys: Hash of each row's key.
        occurred: When each occurred, in microseconds since 1970; `NO_TIME` if it is not known.
        usable: Whether a label can belong to the row: it has a prediction and a key.
        several: Hashes of the first rows of requests that have more of them.
        counts: Counts of the span, as `JoinedSet` has them.
    """

    predictions: PredictionSet
    keys: np.ndarray
    occurred: np.ndarray
    usable: np.ndarray
    several: np.ndarray
    counts: Counter[str]


@dataclass(frozen=True)
class SpanLabels:
    """The labels of one span's predictions.

    Attributes:
        values: Label of each row; NaN without one.
        at: When each label was known; `NO_TIME` if it is not known.
        weights: Weight of each row by its label; NaN if the labels have none.
        expected: Whether a label can come for the row: of rows with one key only the newest gets it.
        counts: Counts of the span, as `JoinedSet` has them.
    """

    values: np.ndarray
    at: np.ndarray
    weights: np.ndarray
    expected: np.ndarray
    counts: Counter[str]


def read_keys(predictions: PredictionSet, settings: LabelSettings) -> SpanKeys:
    """Read the keys of a span's predictions.

    Args:
        predictions: The span.
        settings: The key.

    Raises:
        RetrainerError: If the predictions lack a column of the key.
    """
    columns = key_columns(predictions, settings)
    wanted = list(dict.fromkeys([*columns, "occurred_at", "status", "request_id", ROW]))
    keys, occurred, usable, several = [], [], [], []
    counts: Counter[str] = Counter()
    for batch in read_predictions(predictions, wanted):
        cells = {name: batch.column(batch.schema.get_field_index(name)) for name in wanted}
        hashes, present = hash_keys([_filled(name, cells[name], settings) for name in columns])
        answered = np.array(cells["status"].to_numpy(zero_copy_only=False) == OK)
        times = cells["occurred_at"].cast(pa.int64()).fill_null(NO_TIME)
        keys.append(hashes)
        occurred.append(times.to_numpy(zero_copy_only=False))
        usable.append(answered & present)
        counts.update(
            predictions=batch.num_rows,
            answered=int(answered.sum()),
            without_key=int((answered & ~present).sum()),
        )
        if settings.by_request and ROW in settings.key:
            second = np.array(cells[ROW].to_numpy(zero_copy_only=False) == 1)
            if second.any():
                zero = pa.array(np.zeros(int(second.sum()), np.int64))
                rest = [
                    zero if name == ROW else cells[name].filter(pa.array(second))
                    for name in columns
                ]
                several.append(hash_keys(rest)[0])
    empty = np.array([], np.uint64)
    return SpanKeys(
        predictions,
        np.concatenate([empty, *keys]),
        np.concatenate([empty.astype(np.int64), *occurred]),
        np.concatenate([empty.astype(bool), *usable]),
        np.unique(np.concatenate([empty, *several])),
        counts,
    )


def key_columns(predictions: PredictionSet, settings: LabelSettings) -> list[str]:
    """Return the table's columns of the key.

    Args:
        predictions: The span.
        settings: The key.

    Raises:
        RetrainerError: If the table lacks one.
    """
    inputs = _inputs(predictions)
    found = []
    for name in settings.key:
        column = name if name in COLUMNS.names else inputs.get(name)
        if column is None:
            there = sorted(inputs)
            raise RetrainerError(
                f"the predictions of span {predictions.span} have no column '{name}', by which labels find them "
                f"(monitoring.labels.key).{did_you_mean(name, there)} They have: {', '.join(there) or 'none'}. Let the "
                "predictions keep it (predict.key, monitoring.predictions), or join by another key."
            )
        found.append(column)
    return found


def lacks_key(predictions: PredictionSet, settings: LabelSettings) -> bool:
    """Return whether the table lacks a column of the key."""
    inputs = _inputs(predictions)
    return not set(settings.key) <= {*COLUMNS.names, *inputs}


def _inputs(predictions: PredictionSet) -> Mapping[str, str]:
    if not predictions.files:
        raise RetrainerError(
            f"the predictions of span {predictions.span} in '{predictions.uri}' have no file. Delete the folder, and "
            "make them again."
        )
    with open_parquet(join(predictions.uri, predictions.files[0])) as parquet:
        return read_columns(parquet.schema_arrow).inputs


@dataclass
class Matcher:
    """Finds the prediction of each label, for spans whose keys fit into memory.

    Attributes:
        spans: The spans.
        settings: The settings.
        unknown: Hashes were looked up of so many labels that belong to no prediction.
    """

    spans: Sequence[SpanKeys]
    settings: LabelSettings
    unknown: int = 0
    _counts: list[Counter[str]] = field(default_factory=list)
    _waiting: list[np.ndarray] = field(default_factory=list)
    _waiting_rows: int = 0
    _read: int = 0

    def __post_init__(self) -> None:
        owners, rows, keys = [], [], []
        self._expected = []
        for number, span in enumerate(self.spans):
            chosen = _newest_of_each_key(span)
            owners.append(np.full(len(chosen), number, np.int32))
            rows.append(chosen)
            keys.append(span.keys[chosen])
            expected = np.zeros(len(span.keys), bool)
            expected[chosen] = True
            self._expected.append(expected)
            shared = int(span.usable.sum()) - len(chosen)
            self._counts.append(Counter({**span.counts, "shared_key": shared}))
        every = np.concatenate([np.array([], np.uint64), *keys])
        order = np.argsort(every, kind="stable")
        self._keys = every[order]
        self._owners = np.concatenate([np.array([], np.int32), *owners])[order]
        self._rows = np.concatenate([np.array([], np.int64), *rows])[order]
        times = [one.occurred[chosen] for one, chosen in zip(self.spans, rows, strict=True)]
        self._occurred = np.concatenate([np.array([], np.int64), *times])[order]

    def add(self, labels: LabelBatch) -> np.ndarray:
        """Look labels up.

        Args:
            labels: n labels, in the order of their source.

        Returns:
            Whether each belongs to a prediction, shape (n,).
        """
        left = np.searchsorted(self._keys, labels.keys, "left")
        found = np.searchsorted(self._keys, labels.keys, "right") - left
        for place in range(int(found.max(initial=0))):
            which = np.flatnonzero(found > place)
            slots = left[which] + place
            which, slots = self._without_ambiguous(labels, which, slots)
            which, slots = self._without_early(labels, which, slots)
            chosen = np.empty(len(which), _CANDIDATE)
            chosen["slot"], chosen["at"] = slots, labels.at[which]
            chosen["order"] = self._read + which
            chosen["value"], chosen["weight"] = labels.values[which], labels.weights[which]
            self._waiting.append(chosen)
            self._waiting_rows += len(chosen)
        self._read += len(labels.keys)
        if self._waiting_rows > _MOST_WAITING:
            self._settle()
        return found > 0

    def finish(self) -> list[SpanLabels]:
        """Return the labels of each span."""
        self._settle()
        chosen = self._waiting[0]
        owners = self._owners[chosen["slot"]]
        result = []
        for number, span in enumerate(self.spans):
            own = chosen[owners == number]
            rows = self._rows[own["slot"]]
            count = len(span.keys)
            values, weights = np.full(count, np.nan), np.full(count, np.nan)
            at = np.full(count, NO_TIME)
            values[rows], weights[rows], at[rows] = own["value"], own["weight"], own["at"]
            result.append(
                SpanLabels(values, at, weights, self._expected[number], self._counts[number])
            )
        return result

    def _without_ambiguous(
        self, labels: LabelBatch, which: np.ndarray, slots: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        wrong = np.zeros(len(which), bool)
        for number, span in enumerate(self.spans):
            if len(span.several):
                own = (self._owners[slots] == number) & labels.rowless[which]
                wrong |= own & np.isin(labels.keys[which], span.several)
        return self._drop(which, slots, wrong, "ambiguous")

    def _without_early(
        self, labels: LabelBatch, which: np.ndarray, slots: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        at, occurred = labels.at[which], self._occurred[slots]
        known = (at != NO_TIME) & (occurred != NO_TIME)
        early = np.zeros(len(which), bool)
        early[known] = at[known] < occurred[known] - self.settings.clock_seconds * 1_000_000
        if not self.settings.by_request:
            return self._drop(which, slots, early, "early")
        # A request's own id proves that the label is about it, whatever the clocks say.
        self._count(slots[early], "early_used")
        return which, slots

    def _drop(
        self, which: np.ndarray, slots: np.ndarray, wrong: np.ndarray, reason: str
    ) -> tuple[np.ndarray, np.ndarray]:
        if not wrong.any():
            return which, slots
        self._count(slots[wrong], reason)
        return which[~wrong], slots[~wrong]

    def _count(self, slots: np.ndarray, reason: str) -> None:
        for number, rows in zip(*np.unique(self._owners[slots], return_counts=True), strict=True):
            self._counts[number][reason] += int(rows)

    def _settle(self) -> None:
        """Keep one label of each prediction: the newest, by its time, else by its place in the sources."""
        waiting = np.concatenate([np.empty(0, _CANDIDATE), *self._waiting])
        waiting = waiting[np.lexsort((waiting["order"], waiting["at"], waiting["slot"]))]
        last = np.ones(len(waiting), bool)
        last[:-1] = waiting["slot"][1:] != waiting["slot"][:-1]
        winner = np.flatnonzero(last)[np.cumsum(last) - last] if len(waiting) else last
        equal = waiting["value"] == waiting["value"][winner]
        self._count(waiting["slot"][~last & equal], "duplicates")
        self._count(waiting["slot"][~last & ~equal], "conflicts")
        self._waiting = [waiting[last]]
        self._waiting_rows = int(last.sum())


def _filled(name: str, column: pa.Array, settings: LabelSettings) -> pa.Array:
    if pa.types.is_null(column.type):
        return column.cast(pa.string())
    return column


def _newest_of_each_key(span: SpanKeys) -> np.ndarray:
    """Return one row of each key: the newest, of two at one time the later."""
    rows = np.flatnonzero(span.usable)
    keys = span.keys[rows]
    order = np.lexsort((rows, span.occurred[rows], keys))
    ordered = keys[order]
    last = np.ones(len(order), bool)
    last[:-1] = ordered[1:] != ordered[:-1]
    return np.sort(rows[order[last]])
