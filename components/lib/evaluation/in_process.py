"""TFMA's evaluation without Beam: the same metric definitions over whole arrays.

What `_EvaluateMetricsPlotsAndValidations` and `MetricsPlotsAndValidationsWriter` do as Beam
transforms is done here in plain calls of the same functions. Only this module, `array_metrics` and
`intervals` use TFMA's private names.
"""

import functools
import heapq
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.evaluators import (
    metrics_plots_and_validations_evaluator as evaluator,
)
from tensorflow_model_analysis.evaluators import metrics_validator
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.writers import eval_config_writer
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

from ..garbage_collection import collection_paused
from ..progress import progress
from .array_metrics import prepare, prepare_by_query
from .array_metrics.array_path import Fill, NotCoveredError, Rows
from .array_metrics.histograms import Derive, derive_over_arrays, extract_output
from .array_metrics.queries import Queries
from .confidence_intervals import Compute, public, sampler
from .eval_config import query_keys
from .metric_columns import columns_of
from .scores import Scores
from .slices import SliceKey, slice_rows
from .tfma_errors import without_rows

# TFMA reads it first.
EVAL_CONFIG_FILE = (
    f"{eval_config_writer.EVAL_CONFIG_FILE}.{eval_config_writer.EVAL_CONFIG_FILE_FORMAT}"
)

MOST_PLOTTED = 500
"""Plots are kept of so many of the largest slices: one has up to 10,000 buckets for each model."""

Metrics = dict[Any, Any]


@without_rows()
def evaluate_in_process(
    config: config_pb2.EvalConfig, scores: Scores
) -> list[tuple[SliceKey, Metrics]]:
    """Compute every metric of every slice, and every plot of the largest `MOST_PLOTTED`.

    Args:
        config: A config as `build_eval_config` completes it.
        scores: Rows with predictions, by the names of the config's models; rows that `take` finds
            nothing wrong with.

    Returns:
        Each slice's key with TFMA's values by TFMA's keys; the overall slice first.

    Raises:
        NotCoveredError: If only TFMA's own pipeline computes what is asked for.
    """
    if config.cross_slicing_specs:
        raise NotCoveredError("cross-slice metrics")
    slices = slice_rows(scores.slices, config.slicing_specs)
    parts = [_prepare_part(config, scores, key) for key in query_keys(config)]
    # AutoGraph converts Keras's metrics at each call, most of the time of a small slice; eager code needs none of it.
    evaluations = [tf.autograph.experimental.do_not_convert(part.evaluate) for part in parts]
    plotted = _largest(slices, MOST_PLOTTED)
    results = []
    with collection_paused():
        for done, (key, rows) in enumerate(slices.items()):
            progress("computing metrics by slice", done, len(slices))
            metrics: Metrics = {}
            for evaluate in evaluations:
                metrics.update(evaluate(key, rows, key in plotted))
            results.append((key, metrics))
    return results


def _largest(slices: Mapping[SliceKey, Rows], count: int) -> set[SliceKey]:
    """Return the slices with the most rows."""
    return set(
        heapq.nlargest(
            count,
            slices,
            key=lambda key: np.inf if isinstance(rows := slices[key], slice) else len(rows),
        )
    )


def _are_plots(keys: Sequence[Any]) -> bool:
    """Return whether these are plots alone; not the private histograms, which AUC and others are made of, too."""
    return all(
        isinstance(key, metric_types.PlotKey) and not evaluator._is_private_metrics(key)
        for key in keys
    )


@dataclass(frozen=True)
class _Part:
    """The metrics of one query key, or those of rows.

    Attributes:
        config: The config.
        computations: What TFMA computes for them.
        fills: How the accumulators of those with a combiner are filled.
        derives: What is derived of their outputs, in TFMA's order.
        sample: How intervals are computed; None for none.
        units: How many rows or queries there are.
        queries: The queries; None for metrics of rows.
    """

    config: config_pb2.EvalConfig
    computations: evaluator.MetricComputations
    fills: list[tuple[metric_types.MetricComputation, Fill]]
    derives: list[Derive]
    sample: Callable[[Compute, np.ndarray, Metrics], Metrics] | None
    units: int
    queries: Queries | None

    def evaluate(self, key: SliceKey, rows: Rows, plots: bool) -> Metrics:
        """Compute the metrics of a slice, with or without its plots."""
        late = self.computations.ci_derived_computations
        units = rows if self.queries is None else self.queries.of_rows(rows)
        compute = functools.partial(self._compute, plots=plots)
        metrics = compute(units)
        if self.sample is not None:
            every = np.arange(self.units) if isinstance(units, slice) else units
            metrics = self.sample(compute, every, metrics)
        for derived in late:
            metrics.update(derived.result(metrics))
        return _hide_if_small(key, public(metrics, ()), units, self.config)

    def _compute(self, units: Rows, plots: bool) -> Metrics:
        metrics: Metrics = {}
        for computation, fill in self.fills:
            if plots or not _are_plots(computation.keys):
                metrics.update(self._by_model(extract_output(computation, fill, units)))
        for derive, derived in zip(
            self.derives, self.computations.derived_computations, strict=True
        ):
            if not plots and _are_plots(derived.keys):
                continue
            metrics.update(_derive(derive, derived.keys, metrics))
        baseline = next((spec.name for spec in self.config.model_specs if spec.is_baseline), None)
        if baseline:
            metrics.update(_differences(metrics, baseline))
        return public(metrics, self.computations.ci_derived_computations)

    def _by_model(self, found: Metrics) -> Metrics:
        """Give what is of the rows alone to each model: TFMA's statistics of queries fail where there are two."""
        names = [spec.name for spec in self.config.model_specs]
        if self.queries is None or len(names) == 1:
            return found
        return {
            key._replace(model_name=name): value
            for key, value in found.items()
            for name in ([key.model_name] if key.model_name else names)
        }


def _prepare_part(config: config_pb2.EvalConfig, scores: Scores, query_key: str) -> _Part:
    specs = [spec for spec in config.metrics_specs if spec.query_key == query_key]
    computations = evaluator._filter_and_separate_computations(
        metric_specs.to_computations(specs, eval_config=config)
    )
    queries = None
    if query_key:
        queries = Queries.group(scores.slices, query_key)
    fills = _fills(computations.non_derived_computations, config, scores, queries)
    derives = [
        derive_over_arrays(derived, computations.non_derived_computations)
        for derived in computations.derived_computations
    ]
    units = scores.rows if queries is None else len(queries)
    return _Part(config, computations, fills, derives, sampler(config), units, queries)


@collection_paused()
def write_results(
    results: list[tuple[SliceKey, Metrics]],
    config: config_pb2.EvalConfig,
    folder: str,
    rubber_stamp: bool,
    data: str,
    models: dict[str, str],
) -> None:
    """Write the result files that TFMA's own loaders read.

    Args:
        results: What `evaluate_in_process` returned.
        config: The config it ran with.
        folder: An existing folder.
        rubber_stamp: Whether this is a first model, judged without a baseline.
        data: Description of the data.
        models: Description of each model, by its name in the config.
    """
    by_kind: dict[str, list[Any]] = {
        constants.METRICS_KEY: [],
        constants.PLOTS_KEY: [],
        "attributions": [],
    }
    combine = writer.CombineValidations(config, rubber_stamp=rubber_stamp)
    validation = combine.create_accumulator()
    thresholds = _only_thresholds(config)
    for key, values in results:
        metrics = evaluator._filter_by_key_type((key, values), metric_types.MetricKey)
        plots = evaluator._filter_by_key_type((key, values), metric_types.PlotKey)
        attributions = evaluator._filter_by_key_type((key, values), metric_types.AttributionsKey)
        by_kind[constants.METRICS_KEY].append(writer.convert_slice_metrics_to_proto(metrics, []))
        by_kind[constants.PLOTS_KEY].append(writer.convert_slice_plots_to_proto(plots, []))
        by_kind["attributions"].append(writer.convert_slice_attributions_to_proto(attributions))
        validation = combine.add_input(
            validation, metrics_validator.validate_metrics(metrics, thresholds)
        )
    for kind, messages in by_kind.items():
        _write_records(os.path.join(folder, f"{kind}-00000-of-00001.tfrecord"), messages)
    _write_records(
        os.path.join(folder, f"{constants.VALIDATIONS_KEY}.tfrecord"),
        [combine.extract_output(validation)],
    )
    with open(os.path.join(folder, EVAL_CONFIG_FILE), "w", encoding="utf-8") as file:
        file.write(eval_config_writer._serialize_eval_run(config, data, "parquet", models) + "\n")


def _only_thresholds(config: config_pb2.EvalConfig) -> config_pb2.EvalConfig:
    """Leave out the metrics without a threshold: TFMA makes each of them again for every slice that it judges."""
    kept = config_pb2.EvalConfig()
    kept.CopyFrom(config)
    for spec in kept.metrics_specs:
        judged = [
            metric
            for metric in spec.metrics
            if metric.HasField("threshold")
            or metric.per_slice_thresholds
            or metric.cross_slice_thresholds
        ]
        del spec.metrics[:]
        spec.metrics.extend(judged)
    return kept


def _fills(
    computations: list[metric_types.MetricComputation],
    config: config_pb2.EvalConfig,
    scores: Scores,
    queries: Queries | None,
) -> list[tuple[metric_types.MetricComputation, Fill]]:
    names = [spec.name for spec in config.model_specs]
    fills: list[tuple[metric_types.MetricComputation, Fill]] = []
    uncovered: dict[str, None] = {}
    for computation in computations:
        if not computation.keys:
            raise NotCoveredError(type(computation.combiner).__name__)
        key = computation.keys[0]
        # With one model TFMA calls it '' whatever its name.
        model = key.model_name or names[0]
        try:
            columns = columns_of(key, scores, model or tfma.CANDIDATE_KEY)
        except KeyError:
            place = f"the model '{model}'"
            place += f", output '{key.output_name}'" if key.output_name else ""
            raise NotCoveredError(f"{key.name} of {place}") from None
        try:
            fill = (
                prepare(computation, columns)
                if queries is None
                else prepare_by_query(computation, columns, queries, scores.slices)
            )
            fills.append((computation, fill))
        except NotCoveredError as error:
            uncovered[str(error)] = None
    if uncovered:
        raise NotCoveredError("; ".join(uncovered))
    return fills


def _derive(derive: Derive, keys: Sequence[metric_types.MetricKey], metrics: Metrics) -> Metrics:
    try:
        return derive(metrics)
    except (IndexError, ZeroDivisionError):
        # TFMA fails where some metrics are undefined: those of the k best on a slice whose rows all have the weight 0,
        # the prevalence threshold of a model that predicts one class.
        return dict.fromkeys(keys, np.nan)


def _differences(metrics: Metrics, baseline: str) -> Metrics:
    """Candidate minus baseline, as TFMA's `add_diff_metrics` (a closure there) has it."""
    return {
        key.make_diff_key(): value - metrics[key.make_baseline_key(baseline)]
        for key, value in metrics.items()
        if not evaluator._is_private_metrics(key)
        and not key.is_diff
        and key.model_name != baseline
        and key.make_baseline_key(baseline) in metrics
        and evaluator._is_metric_diffable(value)
    }


def _hide_if_small(
    key: SliceKey, metrics: Metrics, rows: np.ndarray | slice, config: config_pb2.EvalConfig
) -> Metrics:
    """Replace a small slice's metrics with the reason, as TFMA's `FilterOutSlices` does."""
    least = config.options.min_slice_size.value
    if least <= 1 or isinstance(rows, slice) or len(rows) >= least:
        return metrics
    return {
        "__ERROR__": (
            f"Example count for this slice key is lower than the minimum required value: {least}. "
            "No data is aggregated for this slice."
        )
    }


def _write_records(path: str, messages: list[Any]) -> None:
    with tf.io.TFRecordWriter(path) as file:
        for message in messages:
            file.write(message.SerializeToString())
