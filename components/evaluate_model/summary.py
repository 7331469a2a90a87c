"""The numbers that the registry keeps of an evaluation."""

from collections.abc import Mapping

from ..lib.evaluation.metric_value import Value
from ..lib.registry.evaluation_summary import EvaluationSummary, SliceMetrics
from .tfma_results import Evaluation, SliceResult, finite


def summarize(
    evaluation: Evaluation, verdict: str, champion_version: int | None
) -> EvaluationSummary:
    """Return the metrics of an evaluation by slice.

    Args:
        evaluation: The evaluation.
        verdict: The gate's verdict.
        champion_version: Version of the champion that the model was compared with; None for none.

    Returns:
        The metrics that are numbers, all rows first, then the largest slices.
    """
    slices = tuple(_slice(slice_result) for slice_result in evaluation.slices)
    return EvaluationSummary(slices, verdict=verdict, champion_version=champion_version)


def _slice(result: SliceResult) -> SliceMetrics:
    metrics = finite(result.challenger.items())
    return SliceMetrics(
        slice={column: str(value) for column, value in result.key},
        metrics=metrics,
        rows=result.rows,
        champion=finite(result.champion.items()),
        intervals=_intervals(result.challenger, metrics),
    )


def _intervals(
    values: Mapping[str, Value], kept: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    return {
        name: value.interval for name, value in values.items() if name in kept and value.interval
    }
