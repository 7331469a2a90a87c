"""What of retrain.yaml can't take several labels."""

from collections.abc import Iterator

from ...components.lib.evaluation.config_checks import Problem
from ...components.lib.evaluation.output_checks import label_problems
from .sections.retrain import RetrainConfig


def output_problems(config: RetrainConfig) -> Iterator[Problem]:
    """Find the settings that are about one label, where there are several.

    Args:
        config: The configuration.
    """
    data = config.data
    if len(data.labels) < 2:
        return
    asked = [
        (
            one.get("output_names") or (),
            [str(m.get("class_name")) for m in one.get("metrics") or ()],
        )
        for one in config.evaluation.metrics_specs
    ]
    counts = {name: len(columns) for name, columns in data.label_keys.items()}
    yield from label_problems(asked, counts if len(counts) > 1 else {"": len(data.labels)})
    named = f"data.label_keys names {len(data.labels)}"
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
