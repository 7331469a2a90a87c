"""Extracting statistics from accumulators, as TFDV does, without its slowest loops."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators import basic_stats_generator as basic
from tensorflow_data_validation.statistics.generators import (
    top_k_uniques_sketch_stats_generator as top_k,
)
from tensorflow_data_validation.utils import quantiles_util, top_k_uniques_stats_util
from tensorflow_metadata.proto.v0 import statistics_pb2

from .statistics_artifact import Feature, Statistics

_FACTOR = basic._NUM_QUANTILES_FACTOR_FOR_STD_HISTOGRAM


def extract(accumulators: Sequence[Any], generators: Sequence[Any]) -> Statistics:
    """Extract the statistics of accumulators.

    TFDV does it, except for the histograms and median of unweighted number columns and the top values of text.

    Args:
        accumulators: One per generator; they are used up: extraction finalises quantile
            sketches.
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
                    # Without a quantile sketch TFDV makes no histograms.
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
        # If every cell is NaN, TFDV has written histograms with their count alone.
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


def equi_width_histogram(
    quantiles: np.ndarray,
    cumulative_counts: np.ndarray,
    finite_min: float,
    finite_max: float,
    num_buckets: int,
    num_pos_inf: float,
) -> statistics_pb2.Histogram:
    """Make a standard histogram of quantile boundaries.

    TFDV makes one from a thousand quantile buckets, each a message, in Python loops: most of the cost of extracting a
    number column's statistics. The same arithmetic in the same order on arrays gives the same digits.

    The twin of `quantiles_util.generate_equi_width_histogram` of tensorflow_data_validation, which says what the
    arguments are: rows spread evenly within a quantile bucket, point buckets belong to the bucket below, but for
    the first.

    Args:
        quantiles: Quantile boundaries, ascending.
        cumulative_counts: Rows up to each.
        finite_min: The least finite value.
        finite_max: The largest finite value.
        num_buckets: How many buckets of equal width.
        num_pos_inf: Rows with positive infinity.

    Returns:
        The histogram.
    """
    result = statistics_pb2.Histogram(type=statistics_pb2.Histogram.STANDARD)
    if not np.isfinite(finite_min) and not np.isfinite(finite_max):
        result.buckets.add(
            low_value=finite_min, high_value=finite_max, sample_count=cumulative_counts[-1]
        )
        return result
    quantiles, cumulative_counts, num_neg_inf = quantiles_util._strip_infinities(
        quantiles, cumulative_counts, finite_max, num_pos_inf
    )
    edges = np.array([finite_min, finite_max], dtype=np.float64)
    if finite_min != finite_max:
        # A range beyond the largest double has no edges, and gets no histogram.
        with np.errstate(over="ignore", invalid="ignore"):
            edges = np.linspace(finite_min, finite_max, num_buckets + 1)
        if not np.isfinite(edges).all():
            return result
    counts = _rebinned(quantiles, _bin_weights(quantiles, cumulative_counts), edges)
    if num_neg_inf:
        result.buckets.add(low_value=-np.inf, high_value=-np.inf, sample_count=num_neg_inf)
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        result.buckets.add(low_value=low, high_value=high, sample_count=count)
    if num_pos_inf:
        result.buckets.add(low_value=np.inf, high_value=np.inf, sample_count=num_pos_inf)
    return result


def _bin_weights(boundaries: np.ndarray, cumulative: np.ndarray) -> np.ndarray:
    cumulative = cumulative.astype(np.float64)
    low, high = boundaries[:-1], boundaries[1:]
    if not low.size:
        return np.zeros(0)
    # Bins that end at the same value share their rows.
    starts = np.flatnonzero(np.append(True, high[1:] != high[:-1]))
    sizes = np.diff(np.append(starts, high.size))
    weights = np.repeat(np.add.reduceat(np.diff(cumulative), starts) / sizes, sizes)
    differs = np.flatnonzero((low != low[0]) | (high != high[0]))
    first = differs[0] if differs.size else low.size
    weights[:first] += cumulative[0] / first
    return weights


def _rebinned(boundaries: np.ndarray, weights: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Spread the rows of bins over other bins."""
    low, high = boundaries[:-1], boundaries[1:]
    first = np.searchsorted(edges[1:], low, side="left")
    last = np.searchsorted(edges[:-1], high, side="right") - 1
    spans = np.maximum(last - first + 1, 0)
    # One entry for each pair of a bin and an edge interval that it touches, in the order of the bins.
    source = np.repeat(np.arange(low.size), spans)
    target = np.arange(spans.sum()) - np.repeat(np.cumsum(spans) - spans, spans) + first[source]
    start, end = edges[target], edges[target + 1]
    left, right = low[source], high[source]
    shares = np.ones(target.size)
    # Nearly all bins lie within one interval.
    cut = np.flatnonzero((start > left) | (end < right))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        inside = np.minimum(end[cut], right[cut]) - np.maximum(start[cut], left[cut])
        shares[cut] = inside / (right[cut] - left[cut])
    point = (left == right) & (right == start)
    shares[point] = target[point] == 0
    # Adds one after the other, as TFDV does; a pairwise sum would move the last digits.
    return np.bincount(target, shares * weights[source], edges.size - 1)


class TopValues:
    """Replaces TFDV's generator of top values when statistics are extracted.

    TFDV makes a tuple of each value that a sketch counts, sorts them by a key made in Python, and decodes each: most of
    the cost of extracting a text column's statistics. Here they are sorted and decoded as whole arrays.
    """

    def __init__(self, generator: top_k.TopKUniquesSketchStatsGenerator) -> None:
        """Take the generator whose accumulators they are."""
        self._generator = generator

    def compact(self, accumulator: Any) -> Any:
        """Return the accumulator unchanged, as the generator does."""
        return accumulator

    def extract_output(
        self, accumulator: Mapping[Any, Any]
    ) -> statistics_pb2.DatasetFeatureStatistics:
        """Make the statistics of text columns that the generator makes.

        Args:
            accumulator: Sketches by the column's path; they are not changed.
        """
        result = statistics_pb2.DatasetFeatureStatistics()
        for path, sketch in accumulator.items():
            counted = sketch._topk_unweighted.Estimate()
            if not len(counted):
                continue
            weighted = sketch._topk_weighted.Estimate()
            feature = None if len(weighted) else self._from_arrays(path, sketch, counted)
            if feature is None:
                feature = self._from_lists(path, sketch, counted, weighted)
            result.features.append(feature)
        return result

    def _from_arrays(
        self, path: Any, sketch: Any, counted: pa.StructArray
    ) -> statistics_pb2.FeatureNameStatistics | None:
        values, counts = counted.flatten()
        try:
            texts = values.cast(pa.string()).to_numpy(zero_copy_only=False).tolist()
        except pa.ArrowInvalid:
            # Only a sketch of another writer counts text that is not UTF-8.
            return None
        generator = self._generator
        # UTF-8 sorts as its characters do.
        ranked = sorted(zip(counts.to_numpy().tolist(), texts, strict=True), reverse=True)
        feature = statistics_pb2.FeatureNameStatistics(path=path.to_proto())
        stats = feature.string_stats
        stats.unique = sketch._distinct.Estimate()
        frequent = [one for one in ranked if one[0] >= generator._frequency_threshold]
        for count, text in frequent[: generator._num_top_values]:
            stats.top_values.add(value=text, frequency=count)
        add = stats.rank_histogram.buckets.add
        for rank, (count, text) in enumerate(frequent[: generator._num_rank_histogram_buckets]):
            add(low_rank=rank, high_rank=rank, sample_count=count, label=text)
        return feature

    def _from_lists(
        self, path: Any, sketch: Any, counted: pa.StructArray, weighted: pa.StructArray
    ) -> statistics_pb2.FeatureNameStatistics:
        generator = self._generator
        return top_k_uniques_stats_util.make_feature_stats_proto_topk_uniques(
            feature_path=path,
            frequency_threshold=generator._frequency_threshold,
            weighted_frequency_threshold=generator._weighted_frequency_threshold,
            num_top_values=generator._num_top_values,
            num_rank_histogram_buckets=generator._num_rank_histogram_buckets,
            num_unique=sketch._distinct.Estimate(),
            value_count_list=_pairs(counted),
            weighted_value_count_list=_pairs(weighted),
        )


def _pairs(estimate: pa.StructArray) -> list[Any]:
    values, counts = estimate.flatten()
    return list(
        map(top_k_uniques_stats_util.FeatureValueCount, values.to_pylist(), counts.to_pylist())
    )
