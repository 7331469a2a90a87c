"""What of retrain.yaml can't take several labels."""

from collections.abc import Iterator

from ...components.lib.evaluation.config_checks import Problem
from .sections.retrain import RetrainConfig


def output_problems(config: RetrainConfig) -> Iterator[Problem]:
    """Find the settings that are about one label, where there are several.

    Args:
        config: The configuration.
    """
    if len(config.data.labels) < 2:
        return
    named = f"data.label_keys names {len(config.data.labels)}"
    if config.monitoring:
        yield Problem(
            f"monitoring judges models of one label, and {named}. Leave monitoring out.",
            place="monitoring",
        )
    if config.serving.rollout:
        yield Problem(
            f"serving.rollout compares models of one label, and {named}. Leave serving.rollout out.",
            place="serving.rollout",
        )
    if config.model.class_weights or config.model.balance_classes:
        name = "class_weights" if config.model.class_weights else "balance_classes"
        yield Problem(
            f"model.{name} is about the classes of one label, and {named}. Weigh rows by a column "
            "(evaluation.example_weight_key), or weigh outputs in build_model (loss_weights).",
            place=f"model.{name}",
        )
