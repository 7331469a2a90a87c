"""The pipelines that a retrain.yaml describes: their names, tasks, parameters and schedules."""

from dataclasses import dataclass
from typing import Any

from .sections.retrain import RetrainConfig
from .sections.schedule import ScheduleConfig
from .sections.tasks import TasksConfig

CONTINUOUS_TRAINING = "continuous_training"
PREDICT_BATCH = "predict_batch"
WATCH_ROLLOUT = "watch_rollout"
MONITORING = "monitoring"
_NOTIFY, _DEPLOY = "notify_outcome", "deploy_model"
_INGEST, _JOIN = "ingest_predictions", "join_labels"


@dataclass(frozen=True)
class PipelineKind:
    """One of the pipelines.

    Attributes:
        definition: Module in `pipelines/definitions` whose function of the same name builds it.
        parameters: Names of its parameters.
        tasks: Components that it uses; none: all that no other pipeline names.
        section: Keys of its section of retrain.yaml, without which there is no such pipeline; none: it is always there.
    """

    definition: str
    parameters: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    section: tuple[str, ...] = ()

    @property
    def schedule_place(self) -> tuple[str, ...]:
        """Keys of its schedule in retrain.yaml."""
        return (*self.section, "schedule")

    def is_configured(self, config: RetrainConfig) -> bool:
        """Return whether retrain.yaml has its section."""
        return _find(config, self.section) is not None

    def schedule(self, config: RetrainConfig) -> ScheduleConfig | None:
        """Return its schedule; None if it has none."""
        found: ScheduleConfig | None = _find(config, self.schedule_place)
        return found


PIPELINES = {
    CONTINUOUS_TRAINING: PipelineKind(
        CONTINUOUS_TRAINING, ("span", "pattern", "store", "allow_older")
    ),
    PREDICT_BATCH: PipelineKind(
        PREDICT_BATCH, ("span", "pattern", "store", "model"), (PREDICT_BATCH, _NOTIFY), ("predict",)
    ),
    WATCH_ROLLOUT: PipelineKind(
        WATCH_ROLLOUT, ("store",), (WATCH_ROLLOUT, _NOTIFY), ("serving", "rollout")
    ),
    MONITORING: PipelineKind(
        MONITORING, ("store", "now"), (_INGEST, _JOIN, "monitor_model", _NOTIFY), (MONITORING,)
    ),
}
"""The pipelines by name, the usual one first."""


def pipeline_name(config: RetrainConfig, pipeline: str) -> str:
    """Name a pipeline on services: no two of one retrain.yaml have the same name.

    Args:
        config: The configuration.
        pipeline: Which of `PIPELINES`.

    Returns:
        The project's name; of every pipeline but the usual one, followed by the pipeline's own, such as
        `flights-predict-batch`.
    """
    if pipeline == CONTINUOUS_TRAINING:
        return config.name
    return f"{config.name}-{pipeline.replace('_', '-')}"


def pipeline_tasks(config: RetrainConfig, pipeline: str) -> tuple[str, ...]:
    """List the components that a pipeline uses.

    Args:
        config: The configuration; without a channel of `notify` no pipeline has the task `notify_outcome`, and
            without a service of `serving.deploy` none has `deploy_model`, without logs none has `ingest_predictions`,
            and without labels none has `join_labels`.
        pipeline: Which of `PIPELINES`.
    """
    absent = set() if config.notify.channels() else {_NOTIFY}
    if config.monitoring is None or not config.monitoring.predictions.uri:
        absent.add(_INGEST)
    if config.monitoring is None or not config.monitoring.joins_labels(config.data):
        absent.add(_JOIN)
    if own := PIPELINES[pipeline].tasks:
        return tuple(task for task in own if task not in absent)
    others = {task for kind in PIPELINES.values() for task in kind.tasks if task != _NOTIFY}
    left_out = {"all", *others, *absent}
    if not config.serving.deploy.services():
        left_out.add(_DEPLOY)
    return tuple(name for name in TasksConfig.model_fields if name not in left_out)


def configured_pipelines(config: RetrainConfig) -> list[str]:
    """List the pipelines whose section retrain.yaml has."""
    return [name for name, kind in PIPELINES.items() if kind.is_configured(config)]


def _find(config: Any, place: tuple[str, ...]) -> Any:
    for key in place:
        config = None if config is None else getattr(config, key)
    return config
