"""Metrics of rankings: NDCG, the position of the first label, and how many queries and rows there are."""

from typing import Any

import numpy as np
import pyarrow as pa
from tensorflow_model_analysis.metrics import min_label_position, ndcg, query_statistics

from ...errors import RetrainerError
from ..ranking_columns import empty_problem
from .array_path import Columns, Fill, NotCoveredError, QueryPath, Rows
from .queries import Queries


def _ndcg(combiner: Any, columns: Columns, queries: Queries, features: pa.Table) -> Fill:
    """Discounted cumulative gain over its best value (Jaervelin and Kekaelaeinen, ACM TOIS 20, 2002, section 2.2)."""
    gain = _numbers(features, combiner._gain_key, "gain_key")
    best_first = np.lexsort((-gain, queries.number))
    ranked = gain[queries.rank(columns.prediction)]
    places = queries.places()
    discount = np.log2(places + 2.0)
    # TFMA leaves queries without a positive gain out.
    counts = queries.sums((gain[queries.order] > 0).astype(np.float64)) > 0
    weight = np.where(counts, queries.firsts(columns.weight), 0.0)
    values = []
    for key in combiner._metric_keys:
        if key.sub_key is None or key.sub_key.top_k is None:
            raise NotCoveredError("NDCG without top_k")
        shown = places < key.sub_key.top_k
        found, best = (
            queries.sums(np.where(shown, order / discount, 0.0))
            for order in (ranked, gain[best_first])
        )
        positive = best > 0
        values.append(weight * np.where(positive, found / np.where(positive, best, 1.0), 0.0))

    def fill(numbers: Rows) -> Any:
        accumulator = ndcg._NDCGAccumulator(len(values))
        accumulator.ndcg = [float(value[numbers].sum()) for value in values]
        accumulator.total_weighted_examples = float(weight[numbers].sum())
        return accumulator

    return fill


def _min_label_position(
    combiner: Any, columns: Columns, queries: Queries, features: pa.Table
) -> Fill:
    label = columns.label
    if combiner._label_key:
        label = _numbers(features, combiner._label_key, "label_key")
    positive = label[queries.rank(columns.prediction)] > 0
    position = np.where(positive, queries.places() + 1.0, np.inf)
    first = np.minimum.reduceat(position, queries.starts) if len(queries) else np.zeros(0)
    labelled = np.isfinite(first)
    weight = np.where(labelled, queries.firsts(columns.weight), 0.0)
    weighted = np.where(labelled, first, 0.0) * weight

    def fill(numbers: Rows) -> Any:
        accumulator = min_label_position._MinLabelPositionAccumulator()
        accumulator.total_min_position = float(weighted[numbers].sum())
        accumulator.total_weighted_examples = float(weight[numbers].sum())
        return accumulator

    return fill


def _query_statistics(
    combiner: Any, columns: Columns, queries: Queries, features: pa.Table
) -> Fill:
    weight = queries.firsts(columns.weight)
    documents = queries.sizes * weight

    def fill(numbers: Rows) -> Any:
        accumulator = query_statistics._QueryStatisticsAccumulator()
        here = documents[numbers]
        accumulator.total_queries = float(weight[numbers].sum())
        accumulator.total_documents = float(here.sum())
        accumulator.min_documents = float(here.min(initial=np.inf))
        accumulator.max_documents = float(here.max(initial=0.0))
        return accumulator

    return fill


def _numbers(features: pa.Table, name: str, setting: str) -> np.ndarray:
    """Read the column that a metric's setting names."""
    if name not in features.column_names:
        raise NotCoveredError(f"{setting} '{name}', a column that is not here")
    column = features[name].combine_chunks()
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise RetrainerError(
            f"the {setting} '{name}' is {column.type}, but a ranking needs numbers. Name another column."
        )
    if column.null_count:
        raise RetrainerError(empty_problem(f"{setting} '{name}'", column.null_count, len(column)))
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


QUERY_PATHS = (
    QueryPath(ndcg, "_NDCGCombiner", _ndcg),
    QueryPath(min_label_position, "_MinLabelPositionCombiner", _min_label_position),
    QueryPath(query_statistics, "_QueryStatisticsCombiner", _query_statistics),
)
