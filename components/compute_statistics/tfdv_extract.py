"""Turning accumulators into statistics, as TFDV does, without its slowest loops."""

from collections.abc import Sequence
from typing import Any

from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators import basic_stats_generator as basic
from tensorflow_data_validation.statistics.generators import (
    top_k_uniques_sketch_stats_generator as top_k,
)
from tensorflow_data_validation.utils import quantiles_util

from ..lib.statistics_artifact import Feature, Statistics
from .histograms import equi_width_histogram
from .top_values import TopValues

_FACTOR = basic._NUM_QUANTILES_FACTOR_FOR_STD_HISTOGRAM


def extract(accumulators: Sequence[Any], generators: Sequence[Any]) -> Statistics:
    """Turn accumulators into statistics.

    TFDV does it, but for the histograms and the median of unweighted number columns and the top values of text.

    Args:
        accumulators: One per generator; they are used up, since sketches of quantiles take nothing more once they
            were asked.
        generators: TFDV's generators.

    Returns:
        What `stats_impl.extract_statistics_output` returns.
    """
    numbers: dict[tuple[str, ...], tuple[Any, Any]] = {}
    settings: Any = None
    extractors: list[Any] = []
    for generator, accumulator in zip(generators, accumulators, strict=True):
        if isinstance(generator, basic.BasicStatsGenerator):
            settings = generator
            for path, stats in accumulator.items():
                numeric = stats.numeric_stats
                if numeric.quantiles_summary is not None and not numeric.has_weights:
                    # TFDV leaves the histograms of a column out that has no sketch of its quantiles.
                    numbers[path.steps()] = (numeric.quantiles_summary, numeric)
                    numeric.quantiles_summary = None
        is_top_k = isinstance(generator, top_k.TopKUniquesSketchStatsGenerator)
        extractors.append(TopValues(generator) if is_top_k else generator)
    statistics = stats_impl.extract_statistics_output(list(accumulators), extractors)
    for dataset in statistics.datasets:
        for feature in dataset.features:
            steps = tuple(feature.path.step)
            if steps in numbers and _has_values(feature):
                _add_histograms(feature, *numbers[steps], settings)
    return statistics


def join_columns(blocks: Sequence[Statistics]) -> Statistics:
    """Join statistics of the same rows, each of other columns, into one.

    Args:
        blocks: At least one; the first is written to.
    """
    joined, *others = blocks
    for other in others:
        for dataset, more in zip(joined.datasets, other.datasets, strict=True):
            dataset.features.extend(more.features)
    return joined


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
