"""TFDV's statistics of a column, made of its values without TFDV."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from retrainer.components.lib.statistics.dataset import Column

_BUCKETS = 200


def numbers(values: Sequence[float] | np.ndarray, missing: int = 0) -> Column:
    """A number column; NaN counts as a value that no histogram has, as in TFDV."""
    array = np.asarray(values, float)
    finite = array[~np.isnan(array)]
    feature = statistics_pb2.FeatureNameStatistics(type="FLOAT")
    feature.path.step.append("x")
    stats = feature.num_stats
    stats.common_stats.num_non_missing = len(array)
    stats.common_stats.num_missing = missing
    if len(finite):
        ends = np.quantile(finite, np.linspace(0, 1, _BUCKETS + 1), method="inverted_cdf")
        stats.min, stats.max = float(finite.min()), float(finite.max())
        histogram = stats.histograms.add(type="QUANTILES", num_nan=len(array) - len(finite))
        for low, high in pairwise(ends):
            histogram.buckets.add(
                low_value=low, high_value=high, sample_count=len(finite) / _BUCKETS
            )
    return Column("x", feature)


def texts(values: Sequence[Any], missing: int = 0) -> Column:
    """A text column whose values are all counted."""
    counts = Counter(values)
    return counted(counts, len(counts), missing)


def counted(counts: dict[str, float], unique: int, missing: int = 0, rows: int = 0) -> Column:
    """A text column with these counts, of which TFDV may have counted a part only."""
    feature = statistics_pb2.FeatureNameStatistics(type="STRING")
    feature.path.step.append("x")
    stats = feature.string_stats
    stats.common_stats.num_non_missing = rows or int(sum(counts.values()))
    stats.common_stats.num_missing = missing
    stats.unique = unique
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:1000]
    for rank, (text, count) in enumerate(ranked):
        stats.rank_histogram.buckets.add(
            low_rank=rank, high_rank=rank, sample_count=count, label=text
        )
    return Column("x", feature)
