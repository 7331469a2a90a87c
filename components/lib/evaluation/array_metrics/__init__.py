"""TFMA's metrics over whole arrays: the combiners that have an array path, in one list.

A combiner without one, or with options that its path does not handle, is computed by TFMA on Beam: an unknown version
of TFMA is slow, never wrong. Only this folder, `in_process` and `confidence_intervals` use TFMA's private names.

To add one, write a module with a tuple `PATHS` of `ArrayPath`, and add it to `ARRAY_PATHS`.
"""

from tensorflow_model_analysis.metrics import metric_types

from . import (
    calibration,
    class_counts,
    confusion_matrices,
    correlation,
    cross_entropy,
    example_count,
    keras_metrics,
    regression_errors,
)
from .array_path import ArrayPath, Columns, Fill, NotCoveredError
from .class_views import settings_of, view_classes

ARRAY_PATHS: tuple[ArrayPath, ...] = (
    *example_count.PATHS,
    *calibration.PATHS,
    *class_counts.PATHS,
    *confusion_matrices.PATHS,
    *correlation.PATHS,
    *regression_errors.PATHS,
    *cross_entropy.PATHS,
    *keras_metrics.PATHS,
)


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
    path = next((one for one in ARRAY_PATHS if one.combiner is type(combiner)), None)
    name = ", ".join(dict.fromkeys(key.name for key in computation.keys))
    if path is None:
        raise NotCoveredError(f"{name} ({type(combiner).__name__})")
    plain = all(
        type(preprocessor) is metric_types.StandardMetricInputsPreprocessor
        for preprocessor in computation.preprocessors
    )
    key = computation.keys[0]
    if not plain or key.output_name:
        raise NotCoveredError(f"{name} (by output or feature)")
    if path.several_outputs:
        return path.prepare(combiner, columns)
    try:
        return path.prepare(combiner, view_classes(columns, *settings_of(combiner, key)))
    except NotCoveredError as error:
        raise NotCoveredError(f"{name} ({error})") from None
