"""The whole retrain.yaml."""

import re

from pydantic import Field, field_validator

from ..formats.image_names import Image
from ..formats.names import NAME_RULE
from ..formats.places import check_place
from .data import DataConfig
from .engine import EngineConfig
from .gate import GateConfig
from .model import ModelConfig
from .monitoring.monitoring import MonitoringConfig
from .notify import NotifyConfig
from .predict import PredictConfig
from .quality import EvaluationConfig, ServingConfig, StatisticsConfig, ValidationConfig
from .retraining import RETRAINING_TRIGGER, RetrainingConfig
from .schedule import ScheduleConfig
from .section import Section
from .targets import TargetsConfig
from .tasks import TasksConfig
from .triggers import TriggerConfig, TriggerServiceConfig

# A trigger's name becomes a label's value and part of a Kubernetes name.
TRIGGER_NAME_RULE = r"^[a-z][a-z0-9-]{0,39}$"
VERSION = 1
"""Version of retrain.yaml's format that this release reads and writes."""


class RetrainConfig(Section):
    """Keys at the top of retrain.yaml."""

    version: int = Field(
        VERSION,
        description="Version of the file's format. This release reads version 1; a file without it is version 1.",
    )
    name: str = Field(
        pattern=NAME_RULE,
        description="Name of the pipeline: lower-case letters, digits and dashes.",
    )
    store: str = Field(
        "store",
        description="Folder or URI for everything that outlives a run: ingested spans, schema, models, records. A "
        "relative path starts at retrain.yaml's folder.",
    )
    pipeline_root: str | None = Field(
        None,
        description="Folder or URI for the runs' artifacts; pipeline_root in the store if null.",
    )
    image: Image | None = Field(
        None, description="Container image of every task; the release's own if null."
    )
    engine: EngineConfig = Field(default_factory=EngineConfig)
    data: DataConfig
    statistics: StatisticsConfig = Field(default_factory=StatisticsConfig)
    validation: ValidationConfig = Field(default_factory=ValidationConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    evaluation: EvaluationConfig
    gate: GateConfig = Field(default_factory=GateConfig)
    serving: ServingConfig = Field(default_factory=ServingConfig)
    predict: PredictConfig | None = Field(
        None, description="Batch prediction; no pipeline `predict_batch` if null."
    )
    monitoring: MonitoringConfig | None = Field(
        None, description="Monitoring of what serves; no pipeline `monitoring` if null."
    )
    retraining: RetrainingConfig | None = Field(
        None, description="Runs that incidents of monitoring start; none if null."
    )
    tasks: TasksConfig = Field(default_factory=TasksConfig)
    targets: TargetsConfig = Field(default_factory=TargetsConfig)
    schedule: ScheduleConfig | None = Field(
        None,
        description="Runs by cron, kept by the service: `retrainer schedule apply`; none if null.",
    )
    triggers: dict[str, TriggerConfig] = Field(
        default_factory=dict,
        description="What starts a run, by a name of lower-case letters, digits and dashes.",
    )
    trigger_service: TriggerServiceConfig = Field(default_factory=TriggerServiceConfig)
    notify: NotifyConfig = Field(default_factory=NotifyConfig)

    @field_validator("version")
    @classmethod
    def _is_readable(cls, value: int) -> int:
        if value != VERSION:
            raise ValueError(f"the first version is {VERSION}; write version: {VERSION}")
        return value

    @property
    def all_triggers(self) -> dict[str, TriggerConfig]:
        """The triggers by name, with the one that the section `retraining` is."""
        own = {RETRAINING_TRIGGER: self.retraining.trigger()} if self.retraining else {}
        return {**self.triggers, **own}

    @property
    def artifacts_uri(self) -> str:
        """Where the runs' artifacts go."""
        return self.pipeline_root or f"{self.store.rstrip('/')}/pipeline_root"

    @field_validator("triggers")
    @classmethod
    def _triggers_have_names(cls, value: dict[str, TriggerConfig]) -> dict[str, TriggerConfig]:
        for name in value:
            if not re.fullmatch(TRIGGER_NAME_RULE, name):
                raise ValueError(
                    f"the trigger '{name}' needs a name of lower case letters, digits and dashes, a letter first, at "
                    "most 40 characters"
                )
            if name == RETRAINING_TRIGGER:
                raise ValueError(
                    f"the name '{name}' is that of the section retraining; give the trigger another"
                )
        return value

    @field_validator("store")
    @classmethod
    def _names_a_place(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("names no place; leave it out for the folder 'store'")
        return check_place(value)

    @field_validator("pipeline_root")
    @classmethod
    def _blank_is_unset(cls, value: str | None) -> str | None:
        return check_place(value or "") or None
