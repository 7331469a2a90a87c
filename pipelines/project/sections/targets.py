"""The sections of retrain.yaml on where runs go, and the list of targets."""

import importlib
from typing import Any, Literal

from pydantic import Field, PrivateAttr, create_model, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler

from ..formats.names import check_labels
from .section import Section

TARGETS = {
    "vertex": "retrainer.pipelines.targets.vertex",
    "kubeflow": "retrainer.pipelines.targets.kubeflow",
}
"""Every target that `--to` takes, and the module that describes it as TARGET, a `targets.interface.TargetKind`.

They are names, as entry points of packages are: reading a retrain.yaml loads no target.
"""


class VertexConfig(Section):
    """Vertex AI Pipelines. Nothing is guessed: a required setting that is null is an error."""

    project: str | None = Field(None, description="Google Cloud project ID.")
    region: str | None = Field(None, description="Region, such as `europe-west1`.")
    pipeline_root: str | None = Field(
        None,
        description="`gs://` folder for artifacts; the file's `pipeline_root` if that is on a bucket.",
    )
    service_account: str | None = Field(
        None,
        description="E-mail of the service account that tasks run as; the project's default if null.",
    )
    network: str | None = Field(
        None, description="VPC to peer with: `projects/<number>/global/networks/<name>`."
    )
    reserved_ip_ranges: list[str] = Field(
        default_factory=list,
        description="Names of IP ranges reserved in that VPC for the tasks' addresses.",
    )
    psc_network_attachment: str | None = Field(
        None,
        description="Network attachment for reaching a VPC without peering (Private Service Connect interface): "
        "`projects/<number>/regions/<region>/networkAttachments/<name>`.",
    )
    failure_policy: Literal["fast", "slow"] | None = Field(
        None,
        description="What to do when a task fails: `fast` starts no other task, `slow` runs all tasks that do not "
        "depend on it. Vertex AI's default, `slow`, if null.",
    )
    persistent_resource: str | None = Field(
        None,
        description="Persistent resource to run tasks on, by ID or as "
        "`projects/<p>/locations/<l>/persistentResources/<id>`. Needs Vertex AI's API v1beta1.",
    )
    persistent_resource_wait_seconds: int = Field(
        0,
        ge=0,
        description="Maximum seconds that a task waits for capacity on `persistent_resource`.",
    )
    persistent_resource_fallback: bool = Field(
        False,
        description="Whether a task gets its own machine if `persistent_resource` has no capacity; otherwise it "
        "fails.",
    )
    encryption_key: str | None = Field(
        None,
        description="Cloud KMS key: `projects/<p>/locations/<l>/keyRings/<r>/cryptoKeys/<k>`.",
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels of runs and schedules, for search and billing."
    )
    template_repository: str | None = Field(
        None,
        description="Artifact Registry repository of KFP templates that `compile --push` pushes to: "
        "`https://<region>-kfp.pkg.dev/<project>/<repository>`.",
    )
    endpoint: str | None = Field(
        None,
        description="Address of the API; `https://<region>-aiplatform.googleapis.com` if null.",
    )

    @model_validator(mode="after")
    def _labels_are_right(self) -> "VertexConfig":
        check_labels(self.labels)
        return self


class KubeflowConfig(Section):
    """Kubeflow Pipelines. Nothing is guessed: a required setting that is null is an error."""

    host: str | None = Field(
        None, description="Address of the API, such as `https://kubeflow.example.com/pipeline`."
    )
    namespace: str | None = Field(
        None,
        description="Namespace of the profile, on a multi-user installation; null on a single-user one.",
    )
    experiment: str | None = Field(
        None,
        description="Experiment of the runs, created if missing; the pipeline's name if null.",
    )
    pipeline_root: str | None = Field(
        None,
        description="URI for artifacts; the file's `pipeline_root` if that is on a bucket, else the cluster's "
        "default.",
    )
    service_account: str | None = Field(
        None,
        description="Kubernetes service account of the tasks; the cluster's default if null.",
    )
    token_file: str | None = Field(
        None,
        description="File with a bearer token, read again before it expires, such as a token that Kubernetes mounts. "
        "For the token itself use the environment variable RETRAINER_KUBEFLOW_TOKEN, never retrain.yaml.",
    )
    ca_certificate: str | None = Field(
        None, description="File with the CA certificates that sign the host's."
    )


class TargetsConfig(Section):
    """Where `retrainer submit`, schedules and triggers run the pipeline."""

    vertex: VertexConfig = Field(default_factory=VertexConfig)
    kubeflow: KubeflowConfig = Field(default_factory=KubeflowConfig)
    _others: dict[str, Section] = PrivateAttr(default_factory=dict)

    def of(self, target: str) -> Section:
        """Return a target's section, with its defaults if retrain.yaml has none."""
        if target in type(self).model_fields:
            section: Section = getattr(self, target)
            return section
        return self._others.get(target) or section_type(target)()

    @model_validator(mode="wrap")
    @classmethod
    def _read_others(
        cls, value: Any, handler: ModelWrapValidatorHandler["TargetsConfig"]
    ) -> "TargetsConfig":
        """Read the sections of targets whose module has the section, too."""
        if not isinstance(value, dict):
            return handler(value)
        own = {key for key in value if key in TARGETS and key not in cls.model_fields}
        config = handler({key: one for key, one in value.items() if key not in own})
        for key in own:
            config._others[key] = _validate_within(key, section_type(key), value[key] or {})
        return config


def section_type(target: str) -> type[Section]:
    """Return the class of a target's section of retrain.yaml."""
    if target in TargetsConfig.model_fields:
        return TargetsConfig.model_fields[target].annotation  # type: ignore[return-value]
    section: type[Section] = importlib.import_module(TARGETS[target]).TARGET.section
    return section


def _validate_within(key: str, section: type[Section], value: Any) -> Section:
    """Validate a section as the value of its key, so that errors name the key."""
    around = create_model("targets", **{key: (section, ...)})  # type: ignore[call-overload]
    validated: Section = getattr(around.model_validate({key: value}), key)
    return validated
