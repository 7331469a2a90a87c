"""What can be wrong with metrics by output, found without data and without loading TFMA."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from ..words import did_you_mean
from .config_checks import PLACE, Problem

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2

_OF_ROWS = ("ExampleCount", "WeightedExampleCount")
"""Metrics of rows, not of predictions."""

_OF_ONE_CLASS = ("Sparse", "MultiClassConfusionMatrix")
"""How the names of metrics begin that take one class number a row."""


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
        if not spec.output_names and any(
            metric.class_name not in _OF_ROWS for metric in spec.metrics
        ):
            yield Problem(
                f"{place} does not say which output its metrics are about. Add output_names: "
                f"[{', '.join(outputs)}], or some of them.",
                place=place,
            )
        plots = [metric.class_name for metric in spec.metrics if metric.class_name.endswith("Plot")]
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


def label_problems(
    metrics_specs: Iterable[tuple[Collection[str], Collection[str]]], outputs: Mapping[str, int]
) -> Iterator[Problem]:
    """Find metrics of one class a row for outputs whose rows have several labels.

    Args:
        metrics_specs: Of each entry the outputs that it names, and its metrics' classes.
        outputs: How many labels a row has, by output; one without a name is the only one.
    """
    for i, (names, metrics) in enumerate(metrics_specs):
        several = [name for name in (names or [""]) if outputs.get(name, 1) > 1]
        wrong = [metric for metric in metrics if metric.startswith(_OF_ONE_CLASS)]
        if several and wrong:
            of_output = f" of the output '{several[0]}'" if several[0] else ""
            yield Problem(
                f"{PLACE}.metrics_specs[{i}] has {wrong[0]}, which takes one class a row, and a row{of_output} has "
                f"{outputs[several[0]]} labels (data.label_keys). Use BinaryAccuracy, AUC, or "
                "MultiLabelConfusionMatrixPlot.",
                place=f"{PLACE}.metrics_specs[{i}]",
            )
