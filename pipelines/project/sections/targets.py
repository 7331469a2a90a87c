"""The sections of retrain.yaml on where runs go, and the list of targets."""

import importlib
from typing import Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, create_model, model_validator

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
    """Vertex AI Pipelines. No value is guessed: a required one that is null is an error."""

    project: str | None = Field(None, description="Google Cloud project, by its id.")
    region: str | None = Field(None, description="Region such as `europe-west1`.")
    pipeline_root: str | None = Field(
        None, description="`gs://` folder of artifacts; that of the file, if it is on a bucket."
    )
    service_account: str | None = Field(
        None,
        description="E-mail of the account that tasks run as; the project's default one if null.",
    )
    network: str | None = Field(
        None, description="VPC to peer with: `projects/<number>/global/networks/<name>`."
    )
    reserved_ip_ranges: list[str] = Field(
        default_factory=list,
        description="Names of IP ranges reserved in that VPC, from which tasks get their addresses.",
    )
    psc_network_attachment: str | None = Field(
        None,
        description="Network attachment through which tasks reach a VPC without peering (Private Service Connect "
        "interface): `projects/<number>/regions/<region>/networkAttachments/<name>`.",
    )
    failure_policy: Literal["fast", "slow"] | None = Field(
        None,
        description="When a task fails: `fast` starts no other task, `slow` all that do not need it. Vertex AI's "
        "own, `slow`, if null.",
    )
    persistent_resource: str | None = Field(
        None,
        description="Machines that are kept for runs, by their id or as "
        "`projects/<p>/locations/<l>/persistentResources/<id>`. This is in Vertex AI's API v1beta1 only.",
    )
    persistent_resource_wait_seconds: int = Field(
        0, ge=0, description="Maximum seconds that a task waits for room on `persistent_resource`."
    )
    persistent_resource_fallback: bool = Field(
        False,
        description="Whether a task gets a machine of its own when `persistent_resource` has no room; else it fails.",
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
        description="Artifact Registry repository of KFP templates, "
        "`https://<region>-kfp.pkg.dev/<project>/<repository>`: `compile --push` pushes there.",
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
    """Kubeflow Pipelines. No value is guessed: a required one that is null is an error."""

    host: str | None = Field(
        None, description="Address of the API, such as `https://kubeflow.example.com/pipeline`."
    )
    namespace: str | None = Field(
        None,
        description="Profile's namespace on a multi-user installation; null on a single-user one.",
    )
    experiment: str | None = Field(
        None,
        description="Experiment that runs belong to, created if missing; the pipeline's name if null.",
    )
    pipeline_root: str | None = Field(
        None,
        description="URI of artifacts; that of the file, if it is on a bucket, else the cluster's own.",
    )
    service_account: str | None = Field(
        None,
        description="Kubernetes service account of the tasks; the cluster's default one if null.",
    )
    token_file: str | None = Field(
        None,
        description="File with a bearer token, read again before it expires, as Kubernetes mounts one. The token "
        "itself goes into the environment variable RETRAINER_KUBEFLOW_TOKEN, never into retrain.yaml.",
    )
    ca_certificate: str | None = Field(
        None, description="File with the certificates that sign the host's."
    )


class TargetsConfig(Section):
    """Where `retrainer submit`, schedules and triggers send runs."""

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
