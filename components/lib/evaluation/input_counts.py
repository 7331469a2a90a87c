"""Counts of labels, weights and predictions in eval rows, batch by batch, in this process as on Beam's workers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from .input_rules import EMPTY, UNDEFINED, rules
from .metric_requirements import Requirement, Requirements, is_about
from .prediction_counts import PredictionCounts, count_predictions
from .ranking_columns import rows_without
from .scores import Scores
from .slices import SliceKey, slice_rows

COUNTS_FILE = "eval_rows.json"
"""Beside TFMA's result files, for `read_evaluation`."""


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
        by_output: Of models with several outputs: the counts of each, by its name. The above are those of the first,
            but for `found`, which has the rows on which some output is NaN or infinite.
    """

    rows: int = 0
    outputs: dict[str, int] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)
    slices: dict[str, SliceRows] = field(default_factory=dict)
    predictions: dict[str, PredictionCounts] = field(default_factory=dict)
    by_output: dict[str, "InputCounts"] = field(default_factory=dict)

    def of_output(self, name: str) -> "InputCounts":
        """Return the counts of an output; an empty name is that of models with one."""
        return self.by_output.get(name, self)

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
        for name, counts in other.by_output.items():
            self.by_output.setdefault(name, InputCounts()).add(counts)

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
            {name: cls.from_json(one) for name, one in record.get("by_output", {}).items()},
        )


def add_up(counts: Iterable[InputCounts]) -> InputCounts:
    """Add counts up."""
    total = InputCounts()
    for count in counts:
        total.add(count)
    return total


def slice_id(key: SliceKey) -> str:
    """Return an id of a slice: TFMA's encoding of its key, which keeps values of any type."""
    return slicer_lib.serialize_slice_key(key).SerializeToString(deterministic=True).hex()


def binarized_classes(config: config_pb2.EvalConfig, output: str = "") -> list[int]:
    """Return the class numbers that metrics of an output are binarized by."""
    return sorted(
        {
            int(number)
            for spec in config.metrics_specs
            if is_about(spec, output)
            for number in spec.binarize.class_ids.values
        }
    )


def count_inputs(
    scores: Scores,
    requirements: Requirements,
    slicing_specs: Sequence[config_pb2.SlicingSpec],
    classes: Sequence[int] = (),
) -> tuple[InputCounts, np.ndarray]:
    """Count labels, weights and predictions of models with one output.

    Args:
        scores: The rows.
        requirements: What the metrics require.
        slicing_specs: The slices to count by.
        classes: Class numbers to count rows of.

    Returns:
        The counts, and for each row whether it breaks no rule: TFMA fails on the others, or misreads them.
    """
    found, good = _count({"": scores}, {"": requirements}, slicing_specs, {"": classes})
    return found[""], good


def count_outputs(
    scores: Scores, requirements: Mapping[str, Requirements], config: config_pb2.EvalConfig
) -> tuple[InputCounts, np.ndarray]:
    """Count labels, weights and predictions of each output.

    Args:
        scores: The rows.
        requirements: What the metrics of each output require, from `requirements_by_output`.
        config: The evaluation, with the slices to count by.

    Returns:
        As `count_inputs`; a row is good if it is for each output.
    """
    classes = {output: binarized_classes(config, output) for output in scores.by_output}
    lacking = dict(rows_without(config, scores.slices))
    found, good = _count(scores.by_output, requirements, config.slicing_specs, classes, lacking)
    first = next(iter(found.values()))
    if not scores.outputs:
        return first, good
    silent = {
        f"{UNDEFINED}|{name}": Found(rows)
        for name in scores.predictions
        if (rows := _count_silent(scores, name))
    }
    return replace(first, found=silent, by_output=found), good


def _count_silent(scores: Scores, model: str) -> int:
    """Count the rows on which some output of a model is NaN or infinite."""
    silent = np.zeros(scores.rows, bool)
    for one in scores.by_output.values():
        values = one.predictions[model].reshape(scores.rows, -1)
        silent |= ~np.isfinite(values).all(axis=1)
    return int(np.count_nonzero(silent))


def _count(
    scores: Mapping[str, Scores],
    requirements: Mapping[str, Requirements],
    slicing_specs: Sequence[config_pb2.SlicingSpec],
    classes: Mapping[str, Sequence[int]],
    lacking: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> tuple[dict[str, InputCounts], np.ndarray]:
    found: dict[str, InputCounts] = {}
    first = next(iter(scores.values()))
    good = np.ones(first.rows, bool)
    for output, score in scores.items():
        found[output], fine = _find_faults(score, requirements[output])
        good &= fine
        for setting, empty in lacking.items():
            if empty.any():
                count = int(np.count_nonzero(empty))
                found[output].found[f"{EMPTY}|{setting}"] = Found(count)
                good &= ~empty
    if not good.all():
        # The other rows are left out, or nothing is evaluated at all.
        scores = {output: score.of(good) for output, score in scores.items()}
        first = next(iter(scores.values()))
    for output, one in scores.items() if first.rows else ():
        has_classes = Requirement.CLASSES in requirements[output] and one.label.ndim == 1
        for name, values in one.predictions.items():
            found[output].predictions[name] = count_predictions(
                one.label.astype(np.float64), values.reshape(one.rows, -1), has_classes
            )
    weight = np.ones(first.rows) if first.weight is None else first.weight
    for key, rows in slice_rows(first.slices, slicing_specs).items():
        for output, score in scores.items():
            label = score.label[rows].astype(np.float64)
            found[output].slices[slice_id(key)] = _slice(label, weight[rows], classes[output])
    return found, good


def _find_faults(scores: Scores, requirements: Requirements) -> tuple[InputCounts, np.ndarray]:
    """Count the rows that break a rule; and for each row whether it breaks none."""
    counts = InputCounts(
        scores.rows,
        {
            name: 1 if values.ndim == 1 else values.shape[1]
            for name, values in scores.predictions.items()
        },
    )
    good = np.ones(scores.rows, bool)
    for rule, about, broken, low, high in rules(scores, requirements):
        if broken.any():
            seen = np.isfinite(low) & np.isfinite(high)
            counts.found[f"{rule}|{about}"] = Found(
                int(np.count_nonzero(broken)),
                float(low[seen].min(initial=math.inf)),
                float(high[seen].max(initial=-math.inf)),
            )
            good &= ~broken
    return counts, good


def _slice(label: np.ndarray, weight: np.ndarray, classes: Sequence[int]) -> SliceRows:
    weighs = label[weight > 0]
    several = label.ndim > 1
    return SliceRows(
        len(label),
        float(weight.sum()),
        float(label.min(initial=math.inf)),
        float(label.max(initial=-math.inf)),
        len(weighs),
        float(weighs.min(initial=math.inf)),
        float(weighs.max(initial=-math.inf)),
        {
            str(number): int(
                np.count_nonzero(weighs[:, number] > 0 if several else weighs == number)
            )
            for number in classes
            if not several or number < label.shape[1]
        },
    )
