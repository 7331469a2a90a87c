"""Challenger and champion compared row by row, as the settings ask."""

from dataclasses import replace

from tensorflow_model_analysis.proto import config_pb2

from ...lib.errors import RetrainerError
from ...lib.evaluation.array_metrics.array_path import NotCoveredError
from ...lib.evaluation.metric_directions import NEITHER, direction_of, metric_directions
from ...lib.evaluation.paired.differences import paired_differences
from ...lib.evaluation.paired.groups import assign_groups
from ...lib.evaluation.scores import Scores
from ...lib.evaluation.slices import slice_name
from ...lib.progress import progress
from ...lib.words import did_you_mean
from ..tfma_results import Evaluation
from .checks import EvidenceCheck, judge_differences
from .settings import GateSettings


def compare_on_evidence(
    config: config_pb2.EvalConfig,
    scores: Scores,
    evaluation: Evaluation,
    settings: GateSettings,
    champion: str,
) -> list[EvidenceCheck]:
    """Compare two models on the same rows.

    Args:
        config: The config of the evaluation, with a champion.
        scores: Rows with the predictions of both models; with `cluster` that column is among its slice columns.
        evaluation: What TFMA computed of the same rows.
        settings: The gate's settings.
        champion: The champion's name in messages.

    Returns:
        The checks; none without `significance`.

    Raises:
        RetrainerError: If a metric can't be compared, or none is left to compare by.
    """
    significance = settings.significance
    if significance is None:
        return []
    known = metric_directions(config)
    named = significance.metrics or tuple(
        dict.fromkeys(
            check.metric
            for check in evaluation.checks
            if direction_of(check.metric, known) != NEITHER
        )
    )
    directions = {name: direction_of(name, known) for name in named}
    if not directions:
        raise RetrainerError(
            "gate.require_significance finds no metric to compare by: none with a threshold is known to be better when "
            "it is higher or lower. Name some as gate.require_significance.metrics, or give a metric a threshold."
        )
    for name, direction in directions.items():
        if direction == NEITHER:
            raise RetrainerError(
                f"gate.require_significance.metrics names '{name}', "
                + (
                    "which is no better when it is higher or lower."
                    if name in known
                    else f"which is not computed.{did_you_mean(name, known, 'Computed are')}"
                )
            )
    progress("comparing with the champion row by row")
    cluster = scores.slices[settings.cluster] if settings.cluster else None
    groups = assign_groups(scores.rows, significance.draws, cluster)
    try:
        differences = paired_differences(config, scores, list(directions), groups)
    except NotCoveredError as missing:
        raise RetrainerError(
            f"gate.require_significance can't compare by {missing}: its sums can't be made for a part of the rows. "
            "Name other metrics as gate.require_significance.metrics."
        ) from missing
    undefined = {
        (result.name, metric): value.undefined
        for result in evaluation.slices
        for metric, value in result.challenger.items()
        if value.undefined
    }
    differences = [
        replace(one, undefined=undefined.get((slice_name(one.slice_key), one.metric), ""))
        for one in differences
    ]
    compared = {one.metric for one in differences if not one.slice_key and not one.undefined}
    for name in directions:
        if name not in compared:
            raise RetrainerError(
                f"gate.require_significance can't compare by '{name}': it is not a number on all rows. Name other "
                "metrics as gate.require_significance.metrics."
            )
    return judge_differences(differences, directions, settings, champion)
