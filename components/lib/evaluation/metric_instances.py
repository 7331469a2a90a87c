"""Whether TFMA and Keras can make the metrics that an evaluation names, with the configs that it gives them."""

import inspect
from collections.abc import Collection, Iterator
from typing import Any

from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

from ..words import did_you_mean
from .config_checks import Problem, list_metrics, read_config


def instance_problems(
    config: config_pb2.EvalConfig, named: Collection[str] = ()
) -> Iterator[Problem]:
    """Find configs that a metric does not take.

    Args:
        config: The evaluation.
        named: Places of metrics that have a problem already: unknown ones, and configs that are no JSON.

    Yields:
        A problem for each metric that can't be made, and for each argument that would be ignored.
    """
    registered = metric_types.registered_metrics()
    for place, metric in list_metrics(config):
        if place in named or f"{place}.config" in named:
            continue
        try:
            instance = metric_specs.metric_instance(metric, registered)
        except Exception as error:  # A metric's constructor may raise anything at its `config`.
            yield Problem(
                f"the metric '{metric.class_name}' doesn't take the config '{metric.config}': {error}",
                place=place,
            )
            continue
        known = _arguments(instance)
        for name in read_config(metric) if metric.class_name in registered else ():
            if name not in known:
                yield Problem(
                    f"the metric '{metric.class_name}' has no argument '{name}', and TFMA ignores it."
                    f"{did_you_mean(name, sorted(known), 'It takes')}",
                    place=place,
                )


def _arguments(metric: Any) -> set[str]:
    """List the arguments that a metric's class or one of its bases names.

    TFMA's metrics hand what they do not know to their base class, which ignores it.
    """
    made_by = [vars(cls)["__init__"] for cls in type(metric).__mro__ if "__init__" in vars(cls)]
    names = {
        name
        for function in [*made_by, getattr(metric, "create_computations_fn", None)]
        if function is not None and function is not object.__init__
        for name in inspect.signature(function).parameters
    }
    return names - {"self", "args", "kwargs", "create_computations_fn"}
