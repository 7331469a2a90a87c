"""The section of retrain.yaml on resources and options of tasks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, create_model, model_validator

from ....components import __all__ as component_names
from ..formats.image_names import Image
from ..formats.quantities import check_cpu, check_memory
from .kubernetes import KubernetesTaskConfig, Variable
from .section import Section
from .vertex_tasks import VertexTaskConfig

NEVER_CACHED = (
    "ingest_spans",
    "ingest_predictions",
    "join_labels",
    "resolve_champion",
    "validate_examples",
    "predict_batch",
    "push_model",
    "deploy_model",
    "notify_outcome",
    "watch_rollout",
    "monitor_model",
)
"""Tasks that read or change the world: the newest span, the schema in the store, the registry, services, notices."""


class TaskConfig(Section):
    """Resources and options of a task. The target decides what is not set."""

    cpu: Annotated[str, AfterValidator(check_cpu)] | None = Field(
        None, description="CPU cores, such as `4` or `500m`."
    )
    memory: Annotated[str, AfterValidator(check_memory)] | None = Field(
        None, description="Memory in bytes, such as `16Gi`."
    )
    accelerator: str | None = Field(
        None,
        description="Accelerator type, as the target names it: `NVIDIA_TESLA_T4` on Vertex AI, `nvidia.com/gpu` on "
        "Kubernetes, or `${ACCELERATOR}` for both in one file.",
    )
    accelerators: int = Field(
        1,
        ge=1,
        le=64,
        description="Number of accelerators, if `accelerator` is set: 1, 2, 4, 8 or 16 on Vertex AI, any number on "
        "Kubernetes.",
    )
    retries: int | None = Field(None, ge=0, le=10, description="How often to retry a failed task.")
    retry_seconds: int = Field(
        60,
        ge=0,
        description="Seconds before the first retry; doubled each time, at most an hour.",
    )
    caching: bool | None = Field(
        None,
        description="Whether the task may reuse its earlier result if its inputs did not change; true if null. Tasks "
        "that read or change anything outside the run are never cached.",
    )
    image: Image | None = Field(
        None, description="Container image of this task; the pipeline's if null."
    )
    env: dict[Variable, str | None] = Field(
        default_factory=dict,
        description="Environment variables: `{NAME: text}`. Put secrets into `kubernetes.secrets`.",
    )
    kubernetes: KubernetesTaskConfig = Field(default_factory=KubernetesTaskConfig)
    vertex: VertexTaskConfig = Field(default_factory=VertexTaskConfig)

    @model_validator(mode="after")
    def _a_variable_has_one_value(self) -> "TaskConfig":
        for setting in ("secrets", "config_maps"):
            if twice := sorted(self.env.keys() & getattr(self.kubernetes, setting).keys()):
                raise ValueError(
                    f"the variable {twice[0]} is in env and in kubernetes.{setting}; keep one"
                )
        return self


class _Tasks(Section):
    """Settings of tasks: `all` applies to every task, and a task's own settings override it key by key.

    Keys within `kubernetes`, and the names within mappings such as `env`, override one another one by one, too; a
    task's own null takes away what `all` sets.
    """

    all: TaskConfig = Field(default_factory=TaskConfig, description="Settings of every task.")

    @model_validator(mode="after")
    def _the_world_is_never_cached(self) -> Self:
        for task in NEVER_CACHED:
            if getattr(self, task).caching:
                raise ValueError(
                    f"{task} reads or changes what lies outside the run and is never cached; remove '{task}.caching'"
                )
        return self

    @model_validator(mode="after")
    def _what_holds_for_all_fits_each(self) -> Self:
        for task in type(self).model_fields:
            try:
                merged = self.of(task)
            except ValidationError as error:
                problem = error.errors()[0]
                where = ".".join(str(part) for part in (task, *problem["loc"]))
                said = problem["msg"].removeprefix("Value error, ")
                raise ValueError(f"{where}, with what 'all' sets: {said}") from error
            if task != "all" and (key := merged.vertex.needs_machine()):
                raise ValueError(
                    f"{task}.vertex.{key} needs a machine type; set {task}.vertex.machine_type, such as n1-standard-4"
                )
        return self

    def of(self, task: str) -> TaskConfig:
        """Return a task's settings, those of `all` filled in.

        Args:
            task: Name of its component.
        """
        own: TaskConfig = getattr(self, task)
        return TaskConfig.model_validate(
            _over(self.all.model_dump(exclude_unset=True), own.model_dump(exclude_unset=True))
        )


if TYPE_CHECKING:
    TasksConfig = _Tasks
else:
    # A key for each component, so that a new one needs no line here.
    TasksConfig = create_model(
        "TasksConfig",
        __base__=_Tasks,
        __doc__=_Tasks.__doc__,
        **{name: (TaskConfig, Field(default_factory=TaskConfig)) for name in component_names},
    )


def _over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Put one mapping over another at any depth; a null leaves its key out."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = (
            _over(below if isinstance(below, Mapping) else {}, value)
            if isinstance(value, Mapping)
            else value
        )
    return {key: value for key, value in merged.items() if value is not None}
