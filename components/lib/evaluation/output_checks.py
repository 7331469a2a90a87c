"""What can be wrong with metrics by output, found without data and without loading TFMA."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from ..words import did_you_mean
from .config_checks import PLACE, Problem

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2

_OF_ROWS = ("ExampleCount", "WeightedExampleCount")
"""Metrics of rows, not of predictions."""


def output_problems(config: "config_pb2.EvalConfig", outputs: Collection[str]) -> Iterator[Problem]:
    """Find metrics of outputs that there are not, and metrics that do not say which output they are about.

    Args:
        config: The evaluation.
        outputs: Names of the models' outputs; empty for models with one.
    """
    for i, spec in enumerate(config.metrics_specs):
        place = f"{PLACE}.metrics_specs[{i}]"
        if not outputs:
            if spec.output_names or spec.output_weights:
                yield Problem(
                    f"{place} is about the outputs {', '.join(spec.output_names or spec.output_weights)}, and there is "
                    "one label. Name the label of each output in data.label_keys, or leave output_names out.",
                    place=place,
                )
            continue
        unknown = [
            name for name in (*spec.output_names, *spec.output_weights) if name not in outputs
        ]
        for name in dict.fromkeys(unknown):
            yield Problem(
                f"{place} names the output '{name}', which data.label_keys does not have."
                f"{did_you_mean(name, list(outputs), 'It has')}",
                place=place,
            )
        if not spec.output_names and any(one.class_name not in _OF_ROWS for one in spec.metrics):
            yield Problem(
                f"{place} does not say which output its metrics are about. Add output_names: "
                f"[{', '.join(outputs)}], or some of them.",
                place=place,
            )
        plots = [one.class_name for one in spec.metrics if one.class_name.endswith("Plot")]
        if spec.output_weights and plots:
            yield Problem(
                f"{place}.output_weights average values, and {plots[0]} is a plot. Put it into an entry of "
                "metrics_specs without output_weights.",
                place=place,
            )
        for name in spec.output_weights:
            if name in outputs and name not in spec.output_names:
                yield Problem(
                    f"{place}.output_weights names '{name}', which output_names does not.",
                    place=place,
                )
