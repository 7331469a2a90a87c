"""Challenger and champion compared row by row, as the settings ask."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tensorflow_model_analysis.metrics import metric_specs
from tensorflow_model_analysis.proto import config_pb2

from ...lib.errors import RetrainerError
from ...lib.evaluation.array_metrics.array_path import NotCoveredError
from ...lib.evaluation.eval_config import BASELINE, CANDIDATE, named_columns
from ...lib.evaluation.metric_directions import NEITHER, direction_of, metric_directions
from ...lib.evaluation.metric_names import result_names
from ...lib.evaluation.paired.differences import PairedDifference, paired_differences
from ...lib.evaluation.paired.groups import assign_groups
from ...lib.evaluation.scores import Scores
from ...lib.evaluation.slices import slice_name
from ...lib.progress import progress
from ...lib.words import did_you_mean
from ..tfma_results import Evaluation
from .checks import EvidenceCheck, judge_differences
from .settings import GateSettings


class OutputShape(NamedTuple):
    """What an output has for a row.

    Attributes:
        labels: How many labels.
        predictions: How many numbers.
    """

    labels: int
    predictions: int


def compared_metrics(
    config: config_pb2.EvalConfig, settings: GateSettings, outputs: Mapping[str, OutputShape]
) -> dict[str, int]:
    """Find the metrics to compare by, before any row is read.

    Args:
        config: The config of the evaluation, with a champion.
        settings: The gate's settings.
        outputs: What each output has for a row, by its name; that of models with one has none.

    Returns:
        `HIGHER` or `LOWER` by the metric's name; none without `significance`.

    Raises:
        RetrainerError: If a metric can't be compared, or none is left to compare by.
    """
    significance = settings.significance
    if significance is None:
        return {}
    known = metric_directions(config)
    named = significance.metrics or [
        name for name in _with_threshold(config) if direction_of(name, known) != NEITHER
    ]
    directions = {name: direction_of(name, known) for name in named}
    if not directions:
        raise RetrainerError(
            "gate.require_significance finds no metric to compare by: none with a threshold is known to be better when "
            "it is higher or lower. Name some as gate.require_significance.metrics, or give a metric a threshold."
        )
    computed = _computed(config)
    for name, direction in directions.items():
        place = f"gate.require_significance.metrics names '{name}', which is"
        if name not in computed:
            near = did_you_mean(name, computed, "Computed are", cutoff=0.4)
            raise RetrainerError(f"{place} not computed.{near}")
        if direction == NEITHER:
            raise RetrainerError(f"{place} no better when it is higher or lower.")
    _check_comparable(config, list(directions), outputs)
    return directions


def compare_on_evidence(
    config: config_pb2.EvalConfig,
    scores: Scores,
    evaluation: Evaluation,
    settings: GateSettings,
    directions: Mapping[str, int],
    champion: str,
) -> list[EvidenceCheck]:
    """Compare two models on the same rows.

    Args:
        config: The config of the evaluation, with a champion.
        scores: Rows with the predictions of both models; with `cluster` that column is among its slice columns.
        evaluation: What TFMA computed of the same rows.
        settings: The gate's settings.
        directions: The metrics to compare by, from `compared_metrics`.
        champion: The champion's name in messages.

    Returns:
        The checks; none without `significance`.
    """
    significance = settings.significance
    if significance is None:
        return []
    progress("comparing with the champion row by row")
    cluster = scores.slices[settings.cluster] if settings.cluster else None
    groups = assign_groups(scores.rows, significance.draws, cluster)
    least = settings.slices.min_rows
    differences = paired_differences(config, scores, list(directions), groups, least)
    differences += _small_slices(evaluation, list(directions), least)
    undefined = {
        (result.name, metric): value.undefined
        for result in evaluation.slices
        for metric, value in result.challenger.items()
        if value.undefined
    }
    differences = [
        replace(
            difference,
            undefined=undefined.get((slice_name(difference.slice_key), difference.metric), ""),
        )
        for difference in differences
    ]
    return judge_differences(differences, directions, settings, champion)


def _small_slices(
    evaluation: Evaluation, metrics: Sequence[str], least: int
) -> Iterator[PairedDifference]:
    """List the slices that no draws are made of, because they don't count: with the values that TFMA computed."""
    for slice_result in evaluation.slices:
        if not slice_result.key or slice_result.rows is None or slice_result.rows >= least:
            continue
        for metric in metrics:
            ours, theirs = (
                side[metric].value if metric in side else math.nan
                for side in (slice_result.challenger, slice_result.champion)
            )
            yield PairedDifference(
                metric, slice_result.key, slice_result.rows, 0, ours, theirs, math.nan, math.nan
            )


def _with_threshold(config: config_pb2.EvalConfig) -> list[str]:
    """List the names of results that have a threshold, each once."""
    names = result_names(config)
    thresholds = metric_specs.metric_thresholds_from_metrics_specs(config.metrics_specs, config)
    return list(
        dict.fromkeys(
            names(key._replace(is_diff=False)) for key in thresholds if key.model_name != BASELINE
        )
    )


def _computed(config: config_pb2.EvalConfig) -> list[str]:
    """List the names of all results: a metric by class or of the k best has several, and none of its own name."""
    names = result_names(config)
    computations = metric_specs.to_computations(list(config.metrics_specs), eval_config=config)
    keys = (key for computation in computations for key in computation.keys)
    return list(dict.fromkeys(names(key) for key in keys if not key.name.startswith("_")))


def _check_comparable(
    config: config_pb2.EvalConfig, metrics: Sequence[str], outputs: Mapping[str, OutputShape]
) -> None:
    """Compare by each metric on a few made-up rows: what has no sums for a part of the rows fails here, not later."""
    columns = named_columns(config)
    rows = Scores.of_outputs({name: _made_up(shape, columns) for name, shape in outputs.items()})
    for name in metrics:
        try:
            # What else is wrong with labels or predictions is said of the real ones.
            with suppress(ValueError, TypeError, IndexError, tf.errors.OpError):
                paired_differences(config, rows, [name], np.array([0, 0, 1, 1]))
        except NotCoveredError as missing:
            raise RetrainerError(
                f"gate.require_significance can't compare by '{name}': its sums can't be made for a part of the rows "
                f"({missing}). Name other metrics as gate.require_significance.metrics."
            ) from missing


def _made_up(shape: OutputShape, columns: Sequence[str]) -> Scores:
    """Make up four rows of two labels, with some columns beside them."""
    label = np.array([0, 1, 0, 1])
    prediction = np.full((4, shape.predictions), 1 / max(shape.predictions, 2), np.float32)
    predictions = {
        name: prediction.squeeze(1) if shape.predictions == 1 else prediction
        for name in (CANDIDATE, BASELINE)
    }
    labels = label if shape.labels == 1 else np.tile(label[:, None], (1, shape.labels))
    return Scores(labels, predictions, None, pa.table(dict.fromkeys(["", *columns], label)))
