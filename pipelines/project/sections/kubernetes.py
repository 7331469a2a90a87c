"""The sections of retrain.yaml on a task's settings for Kubernetes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)

from .section import Section

SHARED_MEMORY = "shared-memory"
"""Name of the volume that is mounted at /dev/shm."""


@dataclass(frozen=True)
class _Text:
    """A rule for text, which is said in words where it is broken."""

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return AfterValidator(self._check).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        return {**handler(schema), "pattern": f"^({self.pattern})$"}

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"must be {self.words}")
        return value


# The rules of Kubernetes' API server: kubernetes/apimachinery, pkg/util/validation/validation.go; the API server's own
# for mount paths: kubernetes/kubernetes, pkg/apis/core/validation/validation.go. Kubeflow names a volume after its
# secret, config map or claim, so that those names must be names of volumes, too: without dots.
_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_LABEL = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
Variable = Annotated[
    str,
    _Text(r"[A-Za-z_][A-Za-z0-9_]*", "a variable's name: letters, digits and '_', no digit first"),
]
Folder = Annotated[
    str, _Text(r"(/[^/:]+)+", "an absolute path without ':' and without '/' at its end")
]
ObjectName = Annotated[str, _Text(_NAME, "a name of lower case letters, digits, '-' and '.'")]
VolumeName = Annotated[
    str,
    _Text(
        r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
        "a name of at most 63 lower case letters, digits and '-', since Kubeflow names a volume after it",
    ),
]
KeyOf = Annotated[str, _Text(rf"{_NAME}/[-._a-zA-Z0-9]{{1,253}}", "<name>/<key>")]
LabelKey = Annotated[
    str,
    _Text(
        rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_LABEL}",
        "a key of at most 63 letters, digits, '-', '_' and '.', with '<domain>/' before it or without",
    ),
]
LabelValue = Annotated[
    str,
    _Text(
        rf"({_LABEL})?",
        "at most 63 letters, digits, '-', '_' and '.', a letter or digit first and last",
    ),
]
Size = Annotated[
    str,
    _Text(r"[1-9][0-9]*(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki)?", "a number of bytes such as 2Gi or 500Mi"),
]


# Where the launcher puts artifacts; a volume of a task takes the place of the one that is mounted there (kubeflow/
# pipelines, backend/src/v2/compiler/argocompiler/container.go; a pod's mounts are merged by their folder).
_OF_ARTIFACTS = ("/gcs", "/s3", "/minio")


class Toleration(Section):
    """A node taint that the task's pod tolerates."""

    key: LabelKey | None = Field(None, description="Key of the taint; any taint if null.")
    operator: Literal["Equal", "Exists"] = Field(
        "Equal", description="Equal compares the taint's value; Exists ignores it."
    )
    value: LabelValue | None = Field(None, description="Value of the taint, with `Equal`.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; any if null."
    )
    toleration_seconds: int | None = Field(
        None, ge=0, description="With `NoExecute`: seconds that the pod may stay."
    )

    @model_validator(mode="after")
    def _kubernetes_takes_it(self) -> "Toleration":
        if self.key is None and self.operator != "Exists":
            raise ValueError("a toleration without a key needs 'operator: Exists'")
        if self.operator == "Exists" and self.value:
            raise ValueError("with 'operator: Exists' a toleration has no value; leave it out")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError("toleration_seconds needs 'effect: NoExecute'")
        return self


class SecurityContext(Section):
    """User and group of the task's container; the image's own if null."""

    run_as_user: int | None = Field(None, ge=0, description="User ID.")
    run_as_group: int | None = Field(None, ge=0, description="Group ID.")
    run_as_non_root: bool | None = Field(
        None, description="Whether Kubernetes refuses to start the container as root."
    )

    @model_validator(mode="after")
    def _root_is_root(self) -> "SecurityContext":
        if self.run_as_non_root and self.run_as_user == 0:
            raise ValueError("run_as_user 0 is root, which run_as_non_root refuses")
        return self


class KubernetesTaskConfig(Section):
    """Settings for Kubeflow only; other targets ignore them."""

    timeout_seconds: int | None = Field(
        None, ge=1, description="Maximum run time of the task, in seconds."
    )
    image_pull_policy: Literal["Always", "Never", "IfNotPresent"] | None = Field(
        None, description="When to pull the image; the cluster's default if null."
    )
    image_pull_secrets: list[ObjectName] = Field(
        default_factory=list,
        description="Secrets for logging in to the image's registry, in the namespace of the runs.",
    )
    node_selector: dict[LabelKey, LabelValue | None] = Field(
        default_factory=dict, description="Labels that a node must have."
    )
    tolerations: list[Toleration] = Field(
        default_factory=list,
        description="Taints that the task's pod tolerates: `[{key: gpu, operator: Exists}]`.",
    )
    labels: dict[LabelKey, LabelValue | None] = Field(
        default_factory=dict, description="Labels of the task's pod."
    )
    annotations: dict[LabelKey, str | None] = Field(
        default_factory=dict,
        description="Annotations of the task's pod, such as `{sidecar.istio.io/inject: 'false'}`.",
    )
    secrets: dict[Variable, KeyOf | None] = Field(
        default_factory=dict,
        description="Environment variables from Kubernetes secrets: `{VARIABLE: secret/key}`.",
    )
    secret_volumes: dict[Folder, VolumeName | None] = Field(
        default_factory=dict,
        description="Kubernetes secrets mounted as folders, a file for each key: `{/folder: secret}`.",
    )
    config_maps: dict[Variable, KeyOf | None] = Field(
        default_factory=dict,
        description="Environment variables from config maps: `{VARIABLE: map/key}`.",
    )
    config_map_volumes: dict[Folder, VolumeName | None] = Field(
        default_factory=dict,
        description="Config maps mounted as folders, a file for each key: `{/folder: map}`.",
    )
    persistent_volumes: dict[Folder, VolumeName | None] = Field(
        default_factory=dict,
        description="Existing persistent volume claims, mounted as folders: `{/folder: claim}`.",
    )
    shared_memory: Size | None = Field(
        None,
        description="Size of /dev/shm, such as `2Gi`, which counts as the task's memory; the node's default, often "
        "64 MiB, if null.",
    )
    security_context: SecurityContext = Field(
        default_factory=SecurityContext,
        description="User and group of the container. Kubeflow Pipelines 2.16 or later.",
    )

    @model_validator(mode="after")
    def _names_are_used_once(self) -> "KubernetesTaskConfig":
        for variable in self.secrets.keys() & self.config_maps.keys():
            raise ValueError(f"the variable {variable} is in secrets and in config_maps; keep one")
        folders: dict[str, str] = {}
        volumes: dict[str, str] = {}
        for setting, folder, volume in self._mounts():
            if folder in _OF_ARTIFACTS and setting in ("secret_volumes", "config_map_volumes"):
                raise ValueError(
                    f"{folder} in {setting} is where tasks on Kubeflow write their artifacts, and what is mounted here "
                    "can't be written; take another folder"
                )
            if folder in folders:
                raise ValueError(
                    f"{folder} is a folder of {folders[folder]} and of {setting}; keep one of them"
                )
            if volume in volumes:
                other = volumes[volume]
                one = (
                    f"'{volume}' in {setting} is mounted at more than one folder"
                    if other == setting
                    else f"'{volume}' is in {other} and in {setting}"
                )
                raise ValueError(
                    f"{one}, and Kubeflow names a volume after what it holds; mount it once"
                )
            folders[folder] = volumes[volume] = setting
        return self

    def _mounts(self) -> Iterator[tuple[str, str, str]]:
        for setting in ("secret_volumes", "config_map_volumes", "persistent_volumes"):
            for folder, volume in getattr(self, setting).items():
                if volume:
                    yield setting, folder, volume
        if self.shared_memory:
            yield "shared_memory", "/dev/shm", SHARED_MEMORY
