"""What is wrong with the section `gate`, as far as it can be known without data."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...components.lib.evaluation.config_checks import Problem
from ...components.lib.evaluation.paired.not_compared import NOT_COMPARED, cluster_of_lists
from ...components.lib.words import did_you_mean
from .sections.retrain import RetrainConfig

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def gate_problems(config: RetrainConfig) -> Iterator[Problem]:
    """Find what stops evaluate_model, or is probably misspelt.

    Args:
        config: The configuration.

    Yields:
        A problem for each, with its place.
    """
    asked = config.gate.require_significance
    if asked is None:
        return
    yield from _not_compared(config, asked.metrics)
    if config.gate.cluster in config.data.lists:
        yield Problem(cluster_of_lists(config.gate.cluster), place="gate.cluster")
    known = list(_metric_names(config))
    for i, name in enumerate(asked.metrics):
        # What TFMA appends for classes and averages begins with an underscore.
        if not any(name == one or name.startswith((f"{one}_", f"{one}@")) for one in known):
            place = f"gate.require_significance.metrics[{i}]"
            near = did_you_mean(name, known, "The metrics are")
            text = (
                f"{place} names '{name}', and no metric of evaluation seems to be called so.{near}"
            )
            # One that is like none may be a name that TFMA or Keras chooses.
            yield Problem(text, stops="Did you mean" in near, place=place)


def _not_compared(config: RetrainConfig, named: Sequence[str]) -> Iterator[Problem]:
    """Find metrics that evaluate_model can't compare by, though it is asked to."""
    for place, name, metric in _metrics(config):
        has_threshold = metric.get("threshold") or metric.get("per_slice_thresholds")
        if metric.get("class_name") in NOT_COMPARED and (name in named if named else has_threshold):
            yield Problem(
                f"gate.require_significance can't compare by '{name}': it has no value without a part of the rows. "
                "Name the metrics to compare by as gate.require_significance.metrics.",
                place=place,
            )


def _metric_names(config: RetrainConfig) -> Iterator[str]:
    return (name for _, name, _ in _metrics(config))


def _metrics(config: RetrainConfig) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """List the metrics: the place, the name (in a metric's config, or its class in snake case) and the settings."""
    for i, spec in enumerate(config.evaluation.metrics_specs):
        metrics = spec.get("metrics")
        for j, metric in enumerate(metrics if isinstance(metrics, list) else ()):
            settings = metric.get("config") if isinstance(metric, dict) else None
            named = settings.get("name") if isinstance(settings, dict) else None
            if isinstance(metric, dict) and isinstance(named or metric.get("class_name"), str):
                name = named or _WORD.sub("_", metric["class_name"]).lower()
                yield f"evaluation.metrics_specs[{i}].metrics[{j}]", name, metric
