"""Counts of what eval rows hold, made batch by batch and added up, in this process as on Beam's workers."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from .metric_requirements import Demand, Demands
from .predict import Scores
from .slices import SliceKey, slice_rows

TALLY_FILE = "eval_rows.json"
"""Beside TFMA's result files, for `read_evaluation`."""

EMPTY, INFINITE, NEGATIVE, UNDEFINED = "empty", "infinite", "negative", "undefined"
LABEL, WEIGHT = "label", "weight"
FRACTION = "fraction"

# A softmax or sigmoid in 16 bits is off by a thousandth.
_TOLERANCE = 1e-3
_TOLERANCE_OF_SUMS = 1e-2


@dataclass
class Found:
    """Rows that break a rule.

    Attributes:
        rows: How many.
        low: The lowest value seen that the rule is about; infinity if there was none.
        high: The highest.
    """

    rows: int = 0
    low: float = math.inf
    high: float = -math.inf

    def add(self, other: "Found") -> None:
        """Count other rows as well."""
        self.rows += other.rows
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)


@dataclass
class SliceRows:
    """What the rows of a slice hold.

    Attributes:
        rows: How many rows.
        weight: Sum of their weights; the number of rows where all weigh the same.
        low: Lowest label; infinity without rows.
        high: Highest label.
        weighted_rows: Rows that weigh something.
        weighted_low: Lowest label of a row that weighs something.
        weighted_high: Highest label of a row that weighs something.
        classes: Rows that weigh something by class number, as text; only of classes that metrics are binarized by.
    """

    rows: int = 0
    weight: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    weighted_rows: int = 0
    weighted_low: float = math.inf
    weighted_high: float = -math.inf
    classes: dict[str, int] = field(default_factory=dict)

    def add(self, other: "SliceRows") -> None:
        """Count other rows as well."""
        self.rows += other.rows
        self.weight += other.weight
        self.weighted_rows += other.weighted_rows
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.weighted_low = min(self.weighted_low, other.weighted_low)
        self.weighted_high = max(self.weighted_high, other.weighted_high)
        for name, rows in other.classes.items():
            self.classes[name] = self.classes.get(name, 0) + rows


@dataclass
class Tally:
    """What all eval rows hold.

    Attributes:
        rows: How many rows.
        outputs: How many outputs each model has, by TFMA's name of the model.
        found: Rows that break a rule, by the rule and what it is about: label, weight or a model.
        slices: By `slice_id`, the rows that break no rule.
    """

    rows: int = 0
    outputs: dict[str, int] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)
    slices: dict[str, SliceRows] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Count other rows as well."""
        self.rows += other.rows
        self.outputs.update(other.outputs)
        for name, found in other.found.items():
            self.found.setdefault(name, Found()).add(found)
        for key, rows in other.slices.items():
            self.slices.setdefault(key, SliceRows()).add(rows)

    def to_json(self) -> dict[str, Any]:
        """Write it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Tally":
        """Read what `to_json` wrote."""
        return cls(
            record["rows"],
            record["outputs"],
            {name: Found(**found) for name, found in record["found"].items()},
            {key: SliceRows(**rows) for key, rows in record["slices"].items()},
        )


def add_up(tallies: Iterable[Tally]) -> Tally:
    """Add tallies up."""
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total


def slice_id(key: SliceKey) -> str:
    """Name a slice by TFMA's own encoding of its key, which values of any kind survive."""
    return slicer_lib.serialize_slice_key(key).SerializeToString(deterministic=True).hex()


def binarized_classes(config: config_pb2.EvalConfig) -> list[int]:
    """List the class numbers that metrics are computed for one by one."""
    return sorted({int(c) for spec in config.metrics_specs for c in spec.binarize.class_ids.values})


def take(
    scores: Scores,
    demands: Demands,
    slicing_specs: Sequence[config_pb2.SlicingSpec],
    classes: Sequence[int] = (),
) -> tuple[Tally, np.ndarray]:
    """Count what rows hold.

    Args:
        scores: The rows.
        demands: What the metrics ask of them.
        slicing_specs: The slices to count by.
        classes: Class numbers to count rows of.

    Returns:
        The counts, and for each row whether it breaks no rule: TFMA would fail on the others, or misread them.
    """
    tally = Tally(
        scores.rows,
        {
            name: 1 if values.ndim == 1 else values.shape[1]
            for name, values in scores.predictions.items()
        },
    )
    good = np.ones(scores.rows, bool)
    for rule, about, broken, low, high in _rules(scores, demands):
        if broken.any():
            seen = np.isfinite(low) & np.isfinite(high)
            tally.found[f"{rule}|{about}"] = Found(
                int(np.count_nonzero(broken)),
                float(low[seen].min(initial=math.inf)),
                float(high[seen].max(initial=-math.inf)),
            )
            good &= ~broken
    # The other rows are left out, or nothing is evaluated at all.
    kept = scores if good.all() else scores.of(good)
    label = kept.label.astype(np.float64)
    weight = np.ones(kept.rows) if kept.weight is None else kept.weight
    for key, rows in slice_rows(kept.slices, slicing_specs).items():
        tally.slices[slice_id(key)] = _slice(label[rows], weight[rows], classes)
    return tally, good


def _slice(label: np.ndarray, weight: np.ndarray, classes: Sequence[int]) -> SliceRows:
    weighs = label[weight > 0]
    return SliceRows(
        len(label),
        float(weight.sum()),
        float(label.min(initial=math.inf)),
        float(label.max(initial=-math.inf)),
        len(weighs),
        float(weighs.min(initial=math.inf)),
        float(weighs.max(initial=-math.inf)),
        {str(number): int(np.count_nonzero(weighs == number)) for number in classes},
    )


_Rule = tuple[str, str, np.ndarray, np.ndarray, np.ndarray]
"""A rule, what it is about, which rows break it, and the lowest and highest value of each row to show."""


def _rules(scores: Scores, demands: Demands) -> Iterator[_Rule]:
    label = scores.label.astype(np.float64)
    yield EMPTY, LABEL, np.isnan(label), label, label
    yield INFINITE, LABEL, np.isinf(label), label, label
    if scores.weight is not None:
        weight = scores.weight.astype(np.float64)
        yield EMPTY, WEIGHT, np.isnan(weight), weight, weight
        yield INFINITE, WEIGHT, np.isinf(weight), weight, weight
        yield NEGATIVE, WEIGHT, weight < 0, np.where(weight < 0, weight, np.nan), weight
    fraction = np.isfinite(label) & (label != np.round(label))
    if Demand.CLASSES in demands:
        yield FRACTION, LABEL, fraction, *_where(fraction, label)
    for demand, low, high in (
        (Demand.BINARY, 0.0, 1.0),
        (Demand.HINGE, -1.0, 1.0),
        (Demand.COUNTS, 0.0, math.inf),
    ):
        one = demand is not Demand.BINARY or all(v.ndim == 1 for v in scores.predictions.values())
        if demand in demands and one:
            outside = (label < low) | (label > high)
            yield demand, LABEL, outside, *_where(outside, label)
    if Demand.LOGARITHM in demands:
        outside = label <= -1
        yield Demand.LOGARITHM, LABEL, outside, *_where(outside, label)
    for name, values in scores.predictions.items():
        yield from _rules_of_model(name, values.reshape(scores.rows, -1), label, demands)


def _rules_of_model(
    name: str, outputs: np.ndarray, label: np.ndarray, demands: Demands
) -> Iterator[_Rule]:
    finite = np.isfinite(outputs).all(axis=1)
    low = np.where(finite, outputs.min(axis=1), np.nan).astype(np.float64)
    high = np.where(finite, outputs.max(axis=1), np.nan).astype(np.float64)
    every = np.ones(len(outputs), bool)
    yield UNDEFINED, name, ~finite, low, high
    if Demand.PROBABILITIES in demands:
        outside = finite & ((low < -_TOLERANCE) | (high > 1 + _TOLERANCE))
        yield Demand.PROBABILITIES, name, outside, low, high
        if Demand.DISTRIBUTION in demands and outputs.shape[1] > 1:
            sums = outputs.sum(axis=1, dtype=np.float64)
            off = finite & ~outside & (np.abs(sums - 1) > _TOLERANCE_OF_SUMS)
            yield Demand.DISTRIBUTION, name, off, sums, sums
    if Demand.COUNTS in demands:
        yield Demand.COUNTS, name, finite & (low < 0), low, high
    if Demand.LOGARITHM in demands:
        yield Demand.LOGARITHM, name, finite & (low <= -1), low, high
    if outputs.shape[1] > 1:
        if Demand.ONE_OUTPUT in demands:
            yield Demand.ONE_OUTPUT, name, every, low, high
        if Demand.KNOWN_CLASSES in demands or Demand.BINARY in demands:
            # A fraction is no class: TFMA would cut it off.
            unknown = (label < 0) | (label >= outputs.shape[1]) | (label != np.round(label))
            unknown &= np.isfinite(label)
            yield Demand.KNOWN_CLASSES, name, unknown, *_where(unknown, label)
    elif Demand.CLASSES in demands:
        yield Demand.CLASSES, name, every, low, high


def _where(rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shown = np.where(rows, values, np.nan)
    return shown, shown
