"""TFDV's top values and rank histograms, without a look at each value.

TFDV makes a tuple of each value that a sketch counts, sorts them by a key made in Python, and decodes each by itself:
most of what extracting a text column's statistics costs. Here they are sorted and decoded as whole arrays.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from tensorflow_data_validation.statistics.generators import (
    top_k_uniques_sketch_stats_generator as top_k,
)
from tensorflow_data_validation.utils import top_k_uniques_stats_util
from tensorflow_metadata.proto.v0 import statistics_pb2


class TopValues:
    """Takes the place of TFDV's generator of top values where its accumulators are turned into statistics."""

    def __init__(self, generator: top_k.TopKUniquesSketchStatsGenerator) -> None:
        """Take the generator whose accumulators they are."""
        self._generator = generator

    def compact(self, accumulator: Any) -> Any:
        """Give the accumulator as it is, as the generator does."""
        return accumulator

    def extract_output(
        self, accumulator: Mapping[Any, Any]
    ) -> statistics_pb2.DatasetFeatureStatistics:
        """Make the statistics of text columns, those that the generator makes.

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
            # Only a sketch from elsewhere counts what is not UTF-8.
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
