"""Turning accumulators into statistics, as TFDV does, without its slowest loops."""

from collections.abc import Sequence
from typing import Any

from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators import basic_stats_generator as basic
from tensorflow_data_validation.statistics.generators import (
    top_k_uniques_sketch_stats_generator as top_k,
)
from tensorflow_data_validation.utils import quantiles_util, top_k_uniques_stats_util
from tfx_bsl.sketches import QuantilesSketch

from ..lib.statistics import Feature, Statistics
from .histograms import equi_width_histogram

_QUANTILE_ATTRIBUTES = (
    "quantiles_summary",
    "weighted_quantiles_summary",
    "num_values_summary",
    "innermost_num_values_summary",
)
_FACTOR = basic._NUM_QUANTILES_FACTOR_FOR_STD_HISTOGRAM


def extract(
    accumulators: Sequence[Any], generators: Sequence[Any], keep: bool = False
) -> Statistics:
    """Turn accumulators into statistics.

    TFDV does it, but for the histograms and the median of unweighted number columns.

    Args:
        accumulators: One per generator. Sketches of quantiles take nothing more once they were asked.
        generators: TFDV's generators.
        keep: Whether the accumulators will be merged into later.

    Returns:
        What `stats_impl.extract_statistics_output` returns.
    """
    numbers: dict[tuple[str, ...], tuple[Any, Any]] = {}
    settings: Any = None
    kept: list[tuple[Any, str, bytes]] = []
    prepared = []
    for generator, accumulator in zip(generators, accumulators, strict=True):
        if isinstance(generator, basic.BasicStatsGenerator):
            kept = _quantile_sketches(accumulator) if keep else []
            settings = generator
            for path, stats in accumulator.items():
                numeric = stats.numeric_stats
                if numeric.quantiles_summary is not None and not numeric.has_weights:
                    # TFDV leaves the histograms of a column out that has no sketch of its quantiles.
                    numbers[path.steps()] = (numeric.quantiles_summary, numeric)
                    numeric.quantiles_summary = None
        if isinstance(generator, top_k.TopKUniquesSketchStatsGenerator):
            accumulator = {path: _Estimated(sketch) for path, sketch in accumulator.items()}
        prepared.append(accumulator)
    statistics = stats_impl.extract_statistics_output(prepared, list(generators))
    for dataset in statistics.datasets:
        for feature in dataset.features:
            steps = tuple(feature.path.step)
            if steps in numbers and _has_values(feature):
                _add_histograms(feature, *numbers[steps], settings)
    for holder, name, state in kept:
        setattr(holder, name, _restored(state))
    return statistics


def _quantile_sketches(accumulator: Any) -> list[tuple[Any, str, bytes]]:
    """List the sketches of quantiles: what holds each, as which attribute, and its state."""
    holders: list[Any] = []
    for stats in accumulator.values():
        holders += [stats.numeric_stats, *(stats.common_stats.presence_and_valency_stats or ())]
    return [
        (holder, name, sketch.__getstate__())
        for holder in holders
        for name in _QUANTILE_ATTRIBUTES
        if (sketch := getattr(holder, name, None)) is not None
    ]


def _restored(state: bytes) -> Any:
    sketch = QuantilesSketch.__new__(QuantilesSketch)
    sketch.__setstate__(state)
    return sketch


class _Estimated:
    """Estimates of a text column, read from its sketch array by array instead of value by value."""

    def __init__(self, sketch: Any) -> None:
        self._sketch = sketch

    def estimate(self) -> Any:
        return top_k._CombinedEstimate(
            self._sketch._distinct.Estimate(),
            _pairs(self._sketch._topk_unweighted),
            _pairs(self._sketch._topk_weighted),
        )


def _pairs(sketch: Any) -> list[Any]:
    values, counts = sketch.Estimate().flatten()
    return list(
        map(top_k_uniques_stats_util.FeatureValueCount, values.to_pylist(), counts.to_pylist())
    )


def _has_values(feature: Feature) -> bool:
    stats = feature.num_stats
    return (
        feature.HasField("num_stats")
        and stats.common_stats.tot_num_values > 0
        # With not-a-number in every cell TFDV has written the histograms, which hold their count alone.
        and not stats.histograms
    )


def _add_histograms(feature: Feature, summary: Any, numeric: Any, settings: Any) -> None:
    buckets = _FACTOR * settings._num_quantiles_histogram_buckets
    summary.Compact()
    quantiles, counts = basic._get_quantiles_counts(summary, buckets)
    feature.num_stats.median = float(quantiles_util.find_median(quantiles))
    standard = equi_width_histogram(
        quantiles,
        counts,
        numeric.finite_min,
        numeric.finite_max,
        settings._num_histogram_buckets,
        numeric.pos_inf_count,
    )
    rebinned = quantiles_util.rebin_quantiles(quantiles, counts, _FACTOR)
    for histogram in (standard, quantiles_util.generate_quantiles_histogram(*rebinned)):
        histogram.num_nan = numeric.num_nan
        feature.num_stats.histograms.append(histogram)
