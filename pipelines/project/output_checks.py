"""What of retrain.yaml can't take several labels."""

from collections.abc import Iterator

from ...components.lib.evaluation.config_checks import Problem
from ...components.lib.evaluation.output_checks import label_problems
from .sections.retrain import RetrainConfig

# The column of predictions of a model with one output of one number.
_ONE_NUMBER = "prediction"


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
    yield from _monitoring_problems(config)
    yield from _rollout_problems(config)
    if config.model.class_weights or config.model.balance_classes:
        name = "class_weights" if config.model.class_weights else "balance_classes"
        yield Problem(
            f"model.{name} is about the classes of one label, and {named}. Weigh rows by a column "
            "(evaluation.example_weight_key), or weigh outputs in build_model (loss_weights).",
            place=f"model.{name}",
        )


def _monitoring_problems(config: RetrainConfig) -> Iterator[Problem]:
    """Find out whether monitoring knows which label it judges quality by."""
    monitoring, data = config.monitoring, config.data
    if monitoring is None:
        return
    place, output = "monitoring.predictions.output", monitoring.predictions.output
    if data.outputs and output and not monitoring.predictions.uri:
        yield Problem(
            f"{place} names the output '{output}', which is judged by logs: name them as monitoring.predictions.uri.",
            place=place,
        )
    if monitoring.label(data):
        return
    single = [name for name in data.outputs if data.label_of(name)]
    fix = f"Name one with a single label: {', '.join(single)}." if single else ""
    if data.outputs and output and output not in data.outputs:
        yield Problem(
            f"{place} is '{output}', and the outputs of data.label_keys are {', '.join(data.outputs)}.",
            place=place,
        )
    elif data.outputs and monitoring.predictions.uri and not output:
        yield Problem(
            f"the logs have the answers of {len(data.outputs)} outputs (data.label_keys), and monitoring judges one. "
            f"Name it as {place}: {', '.join(single or data.outputs)}.",
            place="monitoring",
        )
    else:
        what = (
            f"the output '{output}' has several" if output in data.outputs else "there are several"
        )
        yield Problem(
            f"monitoring judges quality by one label, and {what} (data.label_keys): it judges data, skew and drift, "
            f"and no quality. {fix if monitoring.predictions.uri else ''}".rstrip(),
            stops=False,
            place="monitoring",
        )


def _rollout_problems(config: RetrainConfig) -> Iterator[Problem]:
    """Warn of guards that compare a column which the table of predictions has for models of one number alone."""
    rollout = config.serving.rollout
    if rollout is None:
        return
    if config.monitoring and config.monitoring.output(config.data):
        # Tables of logs have the answers of that output, under the usual name.
        return
    drift, metric = rollout.guards.prediction_drift, rollout.guards.metric
    compared = {
        "prediction_drift.column": drift.column if drift else "",
        "metric.prediction": metric.prediction if metric else "",
    }
    for setting, column in compared.items():
        if column == _ONE_NUMBER:
            place = f"serving.rollout.guards.{setting}"
            yield Problem(
                f"{place} is '{column}', and the predictions of this model are {', '.join(_columns(config))}. Name "
                "one; a rollout waits as long as its observations lack the column.",
                # Tables of others may have it.
                stops=False,
                place=place,
            )


def _columns(config: RetrainConfig) -> Iterator[str]:
    """Name the columns of predictions; an output of several classes has one for each, as one of several labels."""
    outputs = config.data.label_keys
    for output, labels in outputs.items():
        name = f"{_ONE_NUMBER}_{output}" if len(outputs) > 1 else _ONE_NUMBER
        yield from (
            [f"{name}_{number}" for number in range(len(labels))] if len(labels) > 1 else [name]
        )
