"""TFMA's metrics over whole arrays: the combiners that have an array path, in one list.

A combiner without one, or with options that its path does not handle, is computed by TFMA on Beam: an unknown version
of TFMA is slow, never wrong. Only this folder, `in_process` and `confidence_intervals` use TFMA's private names.

To add one, write a module with a tuple `PATHS` of `ArrayPath`, and add it to `ARRAY_PATHS`.
"""

import numpy as np
import pyarrow as pa
from tensorflow_model_analysis.metrics import metric_types

from ...errors import RetrainerError
from ...words import plural
from . import (
    calibration,
    class_counts,
    confusion_matrices,
    correlation,
    cross_entropy,
    example_count,
    keras_metrics,
    label_counts,
    ranking,
    regression_errors,
)
from .array_path import ArrayPath, Columns, Fill, NotCoveredError, QueryPath
from .class_views import settings_of, view_classes
from .queries import Queries

ARRAY_PATHS: tuple[ArrayPath, ...] = (
    *example_count.PATHS,
    *calibration.PATHS,
    *class_counts.PATHS,
    *confusion_matrices.PATHS,
    *correlation.PATHS,
    *regression_errors.PATHS,
    *cross_entropy.PATHS,
    *keras_metrics.PATHS,
    *label_counts.PATHS,
)
QUERY_PATHS: tuple[QueryPath, ...] = ranking.QUERY_PATHS


def prepare(computation: metric_types.MetricComputation, columns: Columns) -> Fill:
    """Prepare a computation over all rows, once.

    Args:
        computation: One of TFMA's computations with a combiner.
        columns: All rows of the model that the computation is about.

    Returns:
        A function from the rows of a slice to the combiner's accumulator.

    Raises:
        NotCoveredError: If TFMA's own pipeline has to compute it.
    """
    combiner = computation.combiner
    path = next(
        (array_path for array_path in ARRAY_PATHS if array_path.combiner is type(combiner)), None
    )
    name = _name(computation)
    if path is None:
        raise NotCoveredError(f"{name} ({type(combiner).__name__})")
    plain = all(
        type(preprocessor) is metric_types.StandardMetricInputsPreprocessor
        for preprocessor in computation.preprocessors
    )
    key = computation.keys[0]
    if not plain:
        raise NotCoveredError(f"{name} (by feature)")
    if path.several_outputs:
        return path.prepare(combiner, columns)
    try:
        return path.prepare(combiner, view_classes(columns, *settings_of(combiner, key)))
    except NotCoveredError as error:
        raise NotCoveredError(f"{name} ({error})") from None


def prepare_by_query(
    computation: metric_types.MetricComputation,
    columns: Columns,
    queries: Queries,
    features: pa.Table,
) -> Fill:
    """Prepare a computation over all rows, grouped by query.

    Args:
        computation: One of TFMA's computations with a combiner.
        columns: All rows of the model that the computation is about.
        queries: Their queries.
        features: The columns that metrics name, such as NDCG's gains.

    Returns:
        A function from numbers of queries to the combiner's accumulator.

    Raises:
        NotCoveredError: If TFMA's own pipeline has to compute it.
        RetrainerError: If the rows of a query differ in their weight, of which TFMA takes one for each query.
    """
    combiner = computation.combiner
    path = next(
        (query_path for query_path in QUERY_PATHS if query_path.combiner is type(combiner)), None
    )
    name = _name(computation)
    if path is None:
        raise NotCoveredError(f"{name} by query ({type(combiner).__name__})")
    if columns.prediction.ndim > 1 or any(key.output_name for key in computation.keys):
        raise NotCoveredError(f"{name} by query, of several outputs")
    differ = columns.weight != queries.firsts(columns.weight)[queries.number]
    if differ.any():
        count = len(np.unique(queries.number[differ]))
        raise RetrainerError(
            f"{name} takes one weight for each query, and in {count:,} of {plural(len(queries), 'query', 'queries')} "
            "the rows differ in it. Give the rows of a query the same weight, or add example_weights: {unweighted: "
            "true} beside query_key."
        )
    return path.prepare(combiner, columns, queries, features)


def _name(computation: metric_types.MetricComputation) -> str:
    return ", ".join(dict.fromkeys(key.name for key in computation.keys))
