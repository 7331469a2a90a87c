"""What is wrong with the section `gate`, as far as it can be known without data."""

import re
from collections.abc import Iterator

from ...components.lib.evaluation.config_checks import Problem
from ...components.lib.words import did_you_mean
from .engines import engine_arguments
from .sections.gate import SignificanceConfig
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
    if asked and engine_arguments(config, "evaluate_model"):
        yield Problem(
            "gate.require_significance compares the models in the task's process, but evaluate_model runs on Beam. "
            "Take evaluate_model out of engine.components (or empty beam_args), or remove gate.require_significance.",
            place="gate.require_significance",
        )
    if not isinstance(asked, SignificanceConfig):
        return
    known = list(_metric_names(config))
    for i, name in enumerate(asked.metrics):
        # What TFMA appends for classes and averages begins with an underscore.
        if not any(name == one or name.startswith((f"{one}_", f"{one}@")) for one in known):
            place = f"gate.require_significance.metrics[{i}]"
            near = did_you_mean(name, known, "The metrics are")
            text = (
                f"{place} names '{name}', and no metric of evaluation seems to be called so.{near}"
            )
            yield Problem(text, stops=False, place=place)


def _metric_names(config: RetrainConfig) -> Iterator[str]:
    """List the names of the metrics: the one in a metric's config, or its class in snake case."""
    for spec in config.evaluation.metrics_specs:
        metrics = spec.get("metrics")
        for metric in metrics if isinstance(metrics, list) else ():
            settings = metric.get("config") if isinstance(metric, dict) else None
            named = settings.get("name") if isinstance(settings, dict) else None
            if isinstance(metric, dict) and isinstance(named or metric.get("class_name"), str):
                yield named or _WORD.sub("_", metric["class_name"]).lower()
