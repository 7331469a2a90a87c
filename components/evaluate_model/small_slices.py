"""Slices that `options.min_slice_size` hides.

TFMA counts what a metric is computed from, rows or the queries of `query_key`, and hides all metrics of a slice where
one of both counts is too low.
"""

from tensorflow_model_analysis.proto import config_pb2


def too_few(config: config_pb2.EvalConfig, rows: int | None = None) -> str:
    """Describe what a hidden slice has too few of, such as `fewer than 20 queries`.

    Args:
        config: The evaluation.
        rows: How many rows the slice has; None for any slice.

    Returns:
        The description; empty if no slice is hidden.
    """
    least = config.options.min_slice_size.value
    if least <= 1:
        return ""
    by_query = {bool(spec.query_key) for spec in config.metrics_specs}
    units = ["rows"] * (False in by_query) + ["queries"] * (True in by_query)
    if rows is not None and len(units) == 2:
        units = units[:1] if rows < least else units[1:]
    return f"fewer than {least:,} {' or '.join(units)}"
