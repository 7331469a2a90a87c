"""The pipeline that monitors what serves, for a schedule."""

from typing import Any

from kfp import dsl

from ...components import ingest_predictions, join_labels, monitor_model
from ..project.config import LoadedConfig
from .run_tasks import RUN, notified, set_up


def monitoring(loaded: LoadedConfig) -> Any:
    """Build the pipeline of a retrain.yaml.

    The tasks hand nothing over but their order, and whether labels were joined: each reads in the store what the one
    before has written. A join that fails is no failed task, or the services would skip the look: its failure goes to
    the look, which fails with it when it has judged what needs no labels. (`ignore_upstream_failure` would not do: see
    docs/architecture.md, "The exit task reads the store".)

    Args:
        loaded: The configuration, with a section `monitoring`.

    Returns:
        A KFP pipeline, ready for kfp's compiler. Its parameters are `store` and `now`.
    """
    config = loaded.config
    section = config.monitoring
    assert section is not None, "LoadedConfig.of checks it"

    schema_uri = config.validation.schema_uri or ""
    label, output = section.label(config.data), section.output(config.data)

    def ingest(store: Any, now: Any) -> Any:
        if not section.predictions.uri:
            return None
        arguments = section.predictions.ingest_arguments(config.data, schema_uri)
        task = ingest_predictions(store=store, now=now, **arguments, **RUN)
        set_up(task, "ingest_predictions", loaded)
        return task

    def join(store: Any, now: Any, *before: Any) -> Any:
        if not section.joins_labels(config.data):
            return None
        weight = config.evaluation.example_weight_key or ""
        arguments = section.labels.join_arguments(config.data, label, weight, schema_uri)
        own = config.tasks.of("join_labels")
        task = join_labels(
            store=store,
            now=now,
            must_succeed=False,
            retries=own.retries or 0,
            retry_seconds=own.retry_seconds,
            **arguments,
            **RUN,
        )
        task.after(*before)
        set_up(task, "join_labels", loaded)
        return task

    def look(store: Any, now: Any, joined: Any, *before: Any) -> None:
        task = monitor_model(
            store=store,
            monitoring=section.values(),
            label=label,
            evaluation=_of_output(
                config.evaluation.model_dump(mode="json", exclude_none=True), output
            ),
            retraining=config.retraining.values(config.name, config.data)
            if config.retraining
            else {},
            **({"lists": list(config.data.lists)} if config.data.lists else {}),
            **({"output": output} if output else {}),
            labels_failure=joined.outputs["failure"] if joined else "",
            now=now,
            **RUN,
        )
        task.after(*before)
        set_up(task, "monitor_model", loaded)

    @dsl.pipeline(
        name=loaded.pipeline_name, description="Monitoring of what serves, compiled by retrainer."
    )
    def pipeline(store: str = config.store, now: str = "") -> None:
        """Judge what serves.

        Args:
            store: URI of the store.
            now: Time to judge as of, in ISO 8601; empty for the clock's.
        """
        with notified(loaded, store, "monitor"):
            before = [task for task in [ingest(store, now)] if task is not None]
            joined = join(store, now, *before)
            before += [task for task in [joined] if task is not None]
            look(store, now, joined, *before)

    return pipeline


def _of_output(evaluation: dict[str, Any], output: str) -> dict[str, Any]:
    """Keep the metrics of one output of a model with several."""
    if not output:
        return evaluation
    specs = [
        {**spec, "output_names": [output], "output_weights": {}}
        for spec in evaluation["metrics_specs"]
        if output in spec.get("output_names", ())
    ]
    return {**evaluation, "metrics_specs": specs}
