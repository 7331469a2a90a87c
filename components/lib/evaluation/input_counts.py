"""Counts of labels, weights and predictions in eval rows, batch by batch, in this process as on Beam's workers."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from .metric_requirements import Requirement, Requirements
from .prediction_counts import PredictionCounts, count_predictions
from .scores import Scores
from .slices import SliceKey, slice_rows

COUNTS_FILE = "eval_rows.json"
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
        """Add the counts of other rows."""
        self.rows += other.rows
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)


@dataclass
class SliceRows:
    """Counts of the rows of a slice.

    Attributes:
        rows: How many rows.
        weight: Sum of their weights; the number of rows without weights.
        low: Lowest label; infinity without rows.
        high: Highest label.
        weighted_rows: Rows with a weight above 0.
        weighted_low: Lowest label of a row with a weight above 0.
        weighted_high: Highest label of a row with a weight above 0.
        classes: Rows with a weight above 0 by class number, as text; only of classes that metrics are binarized by.
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
        """Add the counts of other rows."""
        self.rows += other.rows
        self.weight += other.weight
        self.weighted_rows += other.weighted_rows
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.weighted_low = min(self.weighted_low, other.weighted_low)
        self.weighted_high = max(self.weighted_high, other.weighted_high)
        for name, rows in other.classes.items():
            self.classes[name] = self.classes.get(name, 0) + rows


@dataclass
class InputCounts:
    """Counts of all eval rows.

    Attributes:
        rows: How many rows.
        outputs: How many outputs each model has, by TFMA's name of the model.
        found: Rows that break a rule, by the rule and what it is about: label, weight or a model.
        slices: By `slice_id`, the rows that break no rule.
        predictions: What each model predicts on the rows that break no rule, by TFMA's name of the model.
    """

    rows: int = 0
    outputs: dict[str, int] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)
    slices: dict[str, SliceRows] = field(default_factory=dict)
    predictions: dict[str, PredictionCounts] = field(default_factory=dict)

    def add(self, other: "InputCounts") -> None:
        """Add the counts of other rows."""
        self.rows += other.rows
        self.outputs.update(other.outputs)
        for name, found in other.found.items():
            self.found.setdefault(name, Found()).add(found)
        for key, rows in other.slices.items():
            self.slices.setdefault(key, SliceRows()).add(rows)
        for name, answers in other.predictions.items():
            self.predictions.setdefault(name, PredictionCounts()).add(answers)

    def to_json(self) -> dict[str, Any]:
        """Write it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "InputCounts":
        """Read what `to_json` wrote."""
        return cls(
            record["rows"],
            record["outputs"],
            {name: Found(**found) for name, found in record["found"].items()},
            {key: SliceRows(**rows) for key, rows in record["slices"].items()},
            {
                name: PredictionCounts(**answers)
                for name, answers in record.get("predictions", {}).items()
            },
        )


def add_up(counts: Iterable[InputCounts]) -> InputCounts:
    """Add counts up."""
    total = InputCounts()
    for one in counts:
        total.add(one)
    return total


def slice_id(key: SliceKey) -> str:
    """Return an id of a slice: TFMA's encoding of its key, which keeps values of any type."""
    return slicer_lib.serialize_slice_key(key).SerializeToString(deterministic=True).hex()


def binarized_classes(config: config_pb2.EvalConfig) -> list[int]:
    """Return the class numbers that metrics are binarized by."""
    return sorted({int(c) for spec in config.metrics_specs for c in spec.binarize.class_ids.values})


def count_inputs(
    scores: Scores,
    requirements: Requirements,
    slicing_specs: Sequence[config_pb2.SlicingSpec],
    classes: Sequence[int] = (),
) -> tuple[InputCounts, np.ndarray]:
    """Count labels, weights and predictions.

    Args:
        scores: The rows.
        requirements: What the metrics require.
        slicing_specs: The slices to count by.
        classes: Class numbers to count rows of.

    Returns:
        The counts, and for each row whether it breaks no rule: TFMA fails on the others, or misreads them.
    """
    counts = InputCounts(
        scores.rows,
        {
            name: 1 if values.ndim == 1 else values.shape[1]
            for name, values in scores.predictions.items()
        },
    )
    good = np.ones(scores.rows, bool)
    for rule, about, broken, low, high in _rules(scores, requirements):
        if broken.any():
            seen = np.isfinite(low) & np.isfinite(high)
            counts.found[f"{rule}|{about}"] = Found(
                int(np.count_nonzero(broken)),
                float(low[seen].min(initial=math.inf)),
                float(high[seen].max(initial=-math.inf)),
            )
            good &= ~broken
    # The other rows are left out, or nothing is evaluated at all.
    kept = scores if good.all() else scores.of(good)
    label = kept.label.astype(np.float64)
    weight = np.ones(kept.rows) if kept.weight is None else kept.weight
    for name, values in kept.predictions.items() if kept.rows else ():
        counts.predictions[name] = count_predictions(
            label, values.reshape(kept.rows, -1), Requirement.CLASSES in requirements
        )
    for key, rows in slice_rows(kept.slices, slicing_specs).items():
        counts.slices[slice_id(key)] = _slice(label[rows], weight[rows], classes)
    return counts, good


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


def _rules(scores: Scores, requirements: Requirements) -> Iterator[_Rule]:
    label = scores.label.astype(np.float64)
    yield EMPTY, LABEL, np.isnan(label), label, label
    yield INFINITE, LABEL, np.isinf(label), label, label
    if scores.weight is not None:
        weight = scores.weight.astype(np.float64)
        yield EMPTY, WEIGHT, np.isnan(weight), weight, weight
        yield INFINITE, WEIGHT, np.isinf(weight), weight, weight
        yield NEGATIVE, WEIGHT, weight < 0, np.where(weight < 0, weight, np.nan), weight
    fraction = np.isfinite(label) & (label != np.round(label))
    if Requirement.CLASSES in requirements:
        yield FRACTION, LABEL, fraction, *_where(fraction, label)
    for requirement, low, high in (
        (Requirement.BINARY, 0.0, 1.0),
        (Requirement.HINGE, -1.0, 1.0),
        (Requirement.COUNTS, 0.0, math.inf),
    ):
        one = requirement is not Requirement.BINARY or all(
            v.ndim == 1 for v in scores.predictions.values()
        )
        if requirement in requirements and one:
            outside = (label < low) | (label > high)
            yield requirement, LABEL, outside, *_where(outside, label)
    if Requirement.LOGARITHM in requirements:
        outside = label <= -1
        yield Requirement.LOGARITHM, LABEL, outside, *_where(outside, label)
    for name, values in scores.predictions.items():
        yield from _rules_of_model(name, values.reshape(scores.rows, -1), label, requirements)


def _rules_of_model(
    name: str, outputs: np.ndarray, label: np.ndarray, requirements: Requirements
) -> Iterator[_Rule]:
    finite = np.isfinite(outputs).all(axis=1)
    low = np.where(finite, outputs.min(axis=1), np.nan).astype(np.float64)
    high = np.where(finite, outputs.max(axis=1), np.nan).astype(np.float64)
    every = np.ones(len(outputs), bool)
    yield UNDEFINED, name, ~finite, low, high
    if Requirement.PROBABILITIES in requirements:
        outside = finite & ((low < -_TOLERANCE) | (high > 1 + _TOLERANCE))
        yield Requirement.PROBABILITIES, name, outside, low, high
        if Requirement.DISTRIBUTION in requirements and outputs.shape[1] > 1:
            sums = outputs.sum(axis=1, dtype=np.float64)
            off = finite & ~outside & (np.abs(sums - 1) > _TOLERANCE_OF_SUMS)
            yield Requirement.DISTRIBUTION, name, off, sums, sums
    if Requirement.COUNTS in requirements:
        yield Requirement.COUNTS, name, finite & (low < 0), low, high
    if Requirement.LOGARITHM in requirements:
        yield Requirement.LOGARITHM, name, finite & (low <= -1), low, high
    if outputs.shape[1] > 1:
        if Requirement.ONE_OUTPUT in requirements:
            yield Requirement.ONE_OUTPUT, name, every, low, high
        if Requirement.KNOWN_CLASSES in requirements or Requirement.BINARY in requirements:
            # A fraction is not a class: TFMA would truncate it.
            unknown = (label < 0) | (label >= outputs.shape[1]) | (label != np.round(label))
            unknown &= np.isfinite(label)
            yield Requirement.KNOWN_CLASSES, name, unknown, *_where(unknown, label)
    elif Requirement.CLASSES in requirements:
        yield Requirement.CLASSES, name, every, low, high


def _where(rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shown = np.where(rows, values, np.nan)
    return shown, shown
