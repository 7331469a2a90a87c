"""Names of results, from TFMA's keys."""

from collections.abc import Callable

from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

ROWS = "example_count"


def result_names(config: config_pb2.EvalConfig) -> Callable[[metric_types.MetricKey], str]:
    """Return what names a result: the metric, with its output, class and aggregation.

    Args:
        config: A config as `build_eval_config` completes it.
    """
    weighted = any(spec.example_weight_key for spec in config.model_specs)

    def name(key: metric_types.MetricKey) -> str:
        text = key.name.removesuffix("_diff") if key.is_diff else key.name
        if key.output_name:
            text += f"_{key.output_name}"
        if key.sub_key is not None:
            text += f"_{key.sub_key}"
        if key.aggregation_type is not None:
            text += f"_{key.aggregation_type}"
        # A row count is of rows; where weights are in use the weighted one is kept apart.
        return (
            f"weighted_{text}" if weighted and key.example_weighted and key.name == ROWS else text
        )

    return name
