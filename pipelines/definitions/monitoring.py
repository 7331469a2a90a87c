"""The pipeline that monitors what serves, for a schedule."""

from typing import Any

from kfp import dsl

from ...components import ingest_predictions, join_labels, monitor_model
from ..project.config import LoadedConfig
from .run_tasks import RUN, notified, set_up


def monitoring(loaded: LoadedConfig) -> Any:
    """Build the pipeline of a retrain.yaml.

    The tasks hand nothing over but their order: each reads in the store what the one before has written.

    Args:
        loaded: The configuration, with a section `monitoring`.

    Returns:
        A KFP pipeline, ready for kfp's compiler. Its parameters are `store` and `now`.
    """
    config = loaded.config
    section = config.monitoring
    assert section is not None, "LoadedConfig.of checks it"

    schema_uri = config.validation.schema_uri or ""

    def ingest(store: Any, now: Any) -> Any:
        if not section.predictions.uri:
            return None
        arguments = section.predictions.ingest_arguments(config.data, schema_uri)
        task = ingest_predictions(store=store, now=now, **arguments, **RUN)
        set_up(task, "ingest_predictions", loaded)
        return task

    def join(store: Any, now: Any, *before: Any) -> Any:
        if not section.labels.is_joined(config.data):
            return None
        weight = config.evaluation.example_weight_key or ""
        arguments = section.labels.join_arguments(config.data, weight, schema_uri)
        task = join_labels(store=store, now=now, **arguments, **RUN)
        task.after(*before)
        set_up(task, "join_labels", loaded)
        return task

    def look(store: Any, now: Any, *before: Any) -> None:
        task = monitor_model(
            store=store,
            monitoring=section.values(),
            label=config.data.label,
            evaluation=config.evaluation.model_dump(mode="json", exclude_none=True),
            retraining=config.retraining.values(config.name, config.data)
            if config.retraining
            else {},
            now=now,
            **RUN,
        )
        task.after(*before)
        set_up(task, "monitor_model", loaded)

    @dsl.pipeline(
        name=loaded.pipeline_name, description="Monitoring of what serves, compiled by retrainer."
    )
    def pipeline(store: str = config.store, now: str = "") -> None:
        with notified(loaded, store, "monitor"):
            before = [task for task in [ingest(store, now)] if task is not None]
            before += [task for task in [join(store, now, *before)] if task is not None]
            look(store, now, *before)

    return pipeline
