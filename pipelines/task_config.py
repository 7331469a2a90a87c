"""The section of retrain.yaml on what each task gets."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .section import Section

NEVER_CACHED = (
    "ingest_spans",
    "resolve_champion",
    "validate_examples",
    "push_model",
    "notify_outcome",
)
"""Tasks that read or change the world: the newest span, the schema in the store, the registry, what is sent."""

# Kubernetes' rules for a mount path and, since Kubeflow names the volume after its secret, for a volume's name.
_MOUNT_PATH = r"^(/[^/:]+)+$"
_SECRET_NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"


class KubernetesTaskConfig(Section):
    """What Kubernetes alone takes: for runs on Kubeflow. Other targets leave it out."""

    timeout_seconds: int | None = Field(
        None, ge=1, description="The longest that the task may run, in seconds."
    )
    image_pull_policy: Literal["Always", "Never", "IfNotPresent"] | None = Field(
        None, description="When to pull the image; the cluster's own rule if null."
    )
    node_selector: dict[str, str | None] = Field(
        default_factory=dict, description="Labels that a node must have."
    )
    secrets: dict[str, Annotated[str, Field(pattern=r"^[^/]+/[^/]+$")] | None] = Field(
        default_factory=dict,
        description="Environment variables from Kubernetes secrets: `{VARIABLE: secret/key}`.",
    )
    secret_volumes: dict[
        Annotated[str, Field(pattern=_MOUNT_PATH)],
        Annotated[str, Field(pattern=_SECRET_NAME)] | None,
    ] = Field(
        default_factory=dict,
        description="Kubernetes secrets as folders, in which each key is a file: `{/folder: secret}`.",
    )

    @model_validator(mode="after")
    def _a_secret_is_mounted_once(self) -> "KubernetesTaskConfig":
        secrets = [one for one in self.secret_volumes.values() if one]
        twice = sorted({secret for secret in secrets if secrets.count(secret) > 1})
        if twice:
            raise ValueError(
                f"the secret '{twice[0]}' is mounted at more than one folder, and Kubeflow names a volume after its "
                "secret; mount it once"
            )
        return self


class TaskConfig(Section):
    """What one task gets; what is not set is left to the target."""

    cpu: str | None = Field(
        None, pattern=r"^([0-9]*[.])?[0-9]+m?$", description="Cores, such as `4` or `500m`."
    )
    memory: str | None = Field(
        None,
        pattern=r"^[0-9]+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki)?$",
        description="Bytes, such as `16Gi`.",
    )
    accelerator: str | None = Field(
        None,
        description="Type, such as `NVIDIA_TESLA_T4` on Vertex or `nvidia.com/gpu` on Kubernetes.",
    )
    # What KFP takes.
    accelerators: Literal[1, 2, 4, 8, 16] = Field(
        1, description="How many, where `accelerator` is set."
    )
    retries: int | None = Field(
        None, ge=0, le=10, description="How often to start a failed task again."
    )
    retry_seconds: int = Field(
        60,
        ge=0,
        description="Wait before the first retry, in seconds; doubled each time, an hour at most.",
    )
    caching: bool | None = Field(
        None,
        description="Whether the task is skipped if its inputs did not change: true if null. What reads or changes the "
        "world never is.",
    )
    image: str | None = Field(
        None, description="Container image of this task; the pipeline's if null."
    )
    env: dict[str, str | None] = Field(
        default_factory=dict,
        description="Environment variables: `{NAME: text}`. What is secret belongs into `kubernetes.secrets`.",
    )
    kubernetes: KubernetesTaskConfig = Field(default_factory=KubernetesTaskConfig)


class TasksConfig(Section):
    """Settings of tasks: `all` holds for every one, and a task's own come over it, key by key.

    Keys within `kubernetes`, and the names within mappings such as `env`, come over each other one by one, too; a
    task's own null takes away what `all` sets.
    """

    all: TaskConfig = Field(default_factory=TaskConfig, description="Of every task.")
    ingest_spans: TaskConfig = Field(default_factory=TaskConfig)
    compute_statistics: TaskConfig = Field(default_factory=TaskConfig)
    validate_examples: TaskConfig = Field(default_factory=TaskConfig)
    transform_features: TaskConfig = Field(default_factory=TaskConfig)
    train_model: TaskConfig = Field(default_factory=TaskConfig)
    resolve_champion: TaskConfig = Field(default_factory=TaskConfig)
    evaluate_model: TaskConfig = Field(default_factory=TaskConfig)
    check_serving: TaskConfig = Field(default_factory=TaskConfig)
    push_model: TaskConfig = Field(default_factory=TaskConfig)
    notify_outcome: TaskConfig = Field(default_factory=TaskConfig)

    @model_validator(mode="after")
    def _the_world_is_never_cached(self) -> "TasksConfig":
        for task in NEVER_CACHED:
            if getattr(self, task).caching:
                raise ValueError(
                    f"{task} reads or changes the world and is never cached; leave '{task}.caching' out"
                )
        return self

    def of(self, task: str) -> TaskConfig:
        """Give a task's settings, those of `all` filled in.

        Args:
            task: Name of its component.
        """
        own: TaskConfig = getattr(self, task)
        return TaskConfig.model_validate(
            _over(self.all.model_dump(exclude_unset=True), own.model_dump(exclude_unset=True))
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
