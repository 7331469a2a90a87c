"""TFMA's metrics of labelled rows with their standard errors, by slice."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from ..lib.evaluation.array_metrics.array_path import NotCoveredError
from ..lib.evaluation.eval_config import CANDIDATE, build_eval_config
from ..lib.evaluation.in_process import evaluate_in_process
from ..lib.evaluation.input_counts import binarized_classes, count_inputs, slice_id
from ..lib.evaluation.metric_directions import NEITHER, direction_of, metric_directions
from ..lib.evaluation.metric_names import ROWS, result_names
from ..lib.evaluation.metric_requirements import requirements
from ..lib.evaluation.scores import Scores
from ..lib.evaluation.slices import slice_name
from ..lib.evaluation.undefined_metrics import metric_classes, why_undefined
from .labelled_rows import SPAN

# They grow with the number of rows, so that those of two windows can't be compared.
_COUNTS = frozenset({"TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives"})
# TFMA's jackknife leaves one of so many parts out at a time.
_INTERVALS = {"compute_confidence_intervals": True, "confidence_intervals": {"method": "JACKKNIFE"}}
_WEIGHT = "joined_weight"


@dataclass(frozen=True)
class Measured:
    """A metric on labelled rows.

    Attributes:
        value: On all rows; NaN where it is undefined.
        error: Its standard error; NaN if it is not known.
        direction: `HIGHER` or `LOWER` is better.
        undefined: Why it has no value; empty if it has one.
        by_slice: Value and rows by slice, as the registry names slices.
        by_span: Value and standard error of each span where it is defined.
    """

    value: float
    error: float
    direction: int
    undefined: str = ""
    by_slice: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    by_span: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """The metrics of some rows.

    Attributes:
        metrics: By name. Metrics without a better side, and counts, are left out.
        rows: Rows that were measured.
        invalid: Rows that were left out, because a metric is not defined for their label or prediction.
        not_covered: Metrics that are only computed by TFMA's own pipeline, and were left out.
    """

    metrics: Mapping[str, Measured]
    rows: int
    invalid: int
    not_covered: tuple[str, ...]


def measure(scores: Scores, evaluation: Mapping[str, Any], label: str) -> Measurement:
    """Compute the metrics of the section `evaluation`.

    Args:
        scores: The rows.
        evaluation: The section.
        label: Name of the label's column.

    Raises:
        RetrainerError: If the section's settings are wrong.
    """
    weight = _WEIGHT if scores.weight is not None else ""
    options = {
        name: value
        for name, value in (evaluation.get("options") or {}).items()
        if name not in _INTERVALS
    }
    own_slices = [one for one in evaluation.get("slicing_specs") or () if one]
    found: dict[str, Measured] = {}
    not_covered = []
    rows = invalid = 0
    every_spec = _without_plots(evaluation["metrics_specs"])
    # Of a model with several outputs the metrics are those of the one that is judged, and have its name.
    outputs = sorted({name for spec in every_spec for name in spec.get("output_names") or ()})
    if outputs:
        scores = Scores.of_outputs(dict.fromkeys(outputs, scores))
    for specs in _attempts(every_spec) if every_spec else ():
        # Only what is judged needs an error: the slices are shown.
        judged = [{}, {"feature_keys": [SPAN]}]
        config = build_eval_config(
            specs, judged, {**options, **_INTERVALS}, label, weight, outputs=outputs
        )
        shown = (
            build_eval_config(specs, own_slices, options, label, weight, outputs=outputs)
            if own_slices
            else None
        )
        every = [*config.slicing_specs, *(shown.slicing_specs if shown else ())]
        counts, good = count_inputs(scores, requirements(config), every, binarized_classes(config))
        own = scores if good.all() else scores.of(good)
        rows, invalid = own.rows, max(invalid, int((~good).sum()))
        if not own.rows:
            break
        try:
            results = evaluate_in_process(config, own)
            if shown:
                results += [one for one in evaluate_in_process(shown, own) if one[0]]
        except NotCoveredError as error:
            if len(specs) == 1 and len(specs[0].get("metrics", [])) <= 1:
                not_covered.append(str(error))
            continue
        holds = counts.slices
        found.update(_read(config, results, holds, own))
        if specs is every_spec:
            break
    return Measurement(found, rows, invalid, tuple(dict.fromkeys(not_covered)))


def _without_plots(specs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Leave out TFMA's plots, which have no value to judge and take long."""
    kept = [
        {
            **spec,
            "metrics": [
                metric
                for metric in spec.get("metrics", [])
                if not str(metric.get("class_name", "")).endswith("Plot")
            ],
        }
        for spec in specs
    ]
    return [spec for spec in kept if spec["metrics"]]


def _attempts(specs: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield all metrics at once, then each alone: one that has no array path must not hide the others."""
    yield specs
    for spec in specs:
        for metric in spec.get("metrics", []):
            yield [{**spec, "metrics": [metric]}]


def _read(
    config: config_pb2.EvalConfig,
    results: Sequence[tuple[Any, Mapping[Any, Any]]],
    holds: Mapping[str, Any],
    scores: Scores,
) -> dict[str, Measured]:
    names, classes = result_names(config), metric_classes(config)
    directions = metric_directions(config)
    one_output = scores.predictions[CANDIDATE].ndim == 1
    found: dict[str, Measured] = {}
    slices: dict[str, dict[str, tuple[float, int]]] = {}
    spans: dict[str, dict[str, tuple[float, float]]] = {}
    for key, metrics in results:
        held = holds.get(slice_id(key))
        for metric, value in metrics.items():
            if not isinstance(metric, metric_types.MetricKey) or metric.is_diff:
                continue
            name, of_class = names(metric), classes.get(metric.name, "")
            direction = direction_of(name, directions)
            if name == ROWS or direction == NEITHER or of_class in _COUNTS:
                continue
            number, error = _number(value)
            if number is None:
                continue
            why = why_undefined(of_class, metric, held, one_output) if held else ""
            if not key:
                found[name] = Measured(math.nan if why else number, error, direction, why)
            elif why or not math.isfinite(number):
                continue
            elif key[0][0] == SPAN:
                spans.setdefault(name, {})[str(key[0][1])] = (number, error)
            else:
                rows = held.rows if held else 0
                slices.setdefault(name, {})[slice_name(key)] = (number, rows)
    return {
        name: replace(one, by_slice=slices.get(name, {}), by_span=spans.get(name, {}))
        for name, one in found.items()
    }


def _number(value: Any) -> tuple[float | None, float]:
    """Return a value and its standard error: TFMA's jackknife scales the deviation of its samples to that."""
    error = math.nan
    if isinstance(value, types.ValueWithTDistribution):
        error = float(value.sample_standard_deviation)
        value = value.unsampled_value
    try:
        return float(value), error
    except (TypeError, ValueError):
        return None, error
