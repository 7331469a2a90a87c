"""The sections of retrain.yaml on where runs go, and what each of their tasks needs there."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .section import Section
from .targets.names import check_labels

NEVER_CACHED = ("ingest_spans", "resolve_champion", "validate_examples", "push_model")
"""Tasks that read or change the world: the newest span, the schema in the store, the registry."""

# Kubernetes' rules for a mount path and, since Kubeflow names the volume after its secret, for a volume's name.
_MOUNT_PATH = r"^(/[^/:]+)+$"
_SECRET_NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"


class VertexConfig(Section):
    """Vertex AI Pipelines. Nothing of it is guessed: what is empty and needed is asked for."""

    project: str = Field("", description="Google Cloud project, by its id.")
    region: str = Field("", description="Region such as `europe-west1`.")
    pipeline_root: str = Field(
        "", description="`gs://` folder of artifacts; that of the file, if it is on a bucket."
    )
    service_account: str = Field(
        "",
        description="E-mail of the account that tasks run as; the project's default one if empty.",
    )
    network: str = Field(
        "", description="VPC to peer with: `projects/<number>/global/networks/<name>`."
    )
    encryption_key: str = Field(
        "",
        description="Cloud KMS key: `projects/<p>/locations/<l>/keyRings/<r>/cryptoKeys/<k>`.",
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels of runs and schedules, for search and billing."
    )
    template_repository: str = Field(
        "",
        description="Artifact Registry repository of KFP templates, "
        "`https://<region>-kfp.pkg.dev/<project>/<repository>`: `compile --push` pushes there.",
    )
    endpoint: str = Field(
        "", description="Address of the API; `https://<region>-aiplatform.googleapis.com` if empty."
    )

    @model_validator(mode="after")
    def _labels_are_right(self) -> "VertexConfig":
        check_labels(self.labels)
        return self


class KubeflowConfig(Section):
    """Kubeflow Pipelines. Nothing of it is guessed: what is empty and needed is asked for."""

    host: str = Field(
        "", description="Address of the API, such as `https://kubeflow.example.com/pipeline`."
    )
    namespace: str = Field(
        "",
        description="Profile's namespace on a multi-user installation; empty on a single-user one.",
    )
    experiment: str = Field(
        "",
        description="Experiment that runs belong to, made if missing; the pipeline's name if empty.",
    )
    pipeline_root: str = Field(
        "",
        description="URI of artifacts; that of the file, if it is on a bucket, else the cluster's own.",
    )
    service_account: str = Field(
        "",
        description="Kubernetes service account of the tasks; the cluster's default one if empty.",
    )
    token_file: str = Field(
        "",
        description="File with a bearer token, read again before it expires, as Kubernetes mounts one. The token "
        "itself goes into the environment variable RETRAINER_KUBEFLOW_TOKEN, never into retrain.yaml.",
    )
    ca_certificate: str = Field("", description="File with the certificates that sign the host's.")


class TargetsConfig(Section):
    """Where `retrainer submit`, schedules and triggers send runs."""

    vertex: VertexConfig = Field(default_factory=VertexConfig)
    kubeflow: KubeflowConfig = Field(default_factory=KubeflowConfig)


class TaskConfig(Section):
    """What one task gets; what is not set is left to the target."""

    cpu: str = Field(
        "", pattern=r"^([0-9]*[.])?[0-9]+m?$|^$", description="Cores, such as `4` or `500m`."
    )
    memory: str = Field(
        "",
        pattern=r"^[0-9]+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki)?$|^$",
        description="Bytes, such as `16Gi`.",
    )
    accelerator: str = Field(
        "",
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
        description="Whether it is skipped if its inputs did not change. What reads or changes the world never is.",
    )
    image: str = Field("", description="Container image of this task; the pipeline's if empty.")
    timeout_seconds: int | None = Field(
        None, ge=1, description="How long it may run. Kubeflow only."
    )
    image_pull_policy: Literal["", "Always", "Never", "IfNotPresent"] = Field(
        "", description="When to pull the image. Kubeflow only."
    )
    node_selector: dict[str, str] = Field(
        default_factory=dict, description="Labels that a node must have. Kubeflow only."
    )
    secrets: dict[str, Annotated[str, Field(pattern=r"^[^/]+/[^/]+$")]] = Field(
        default_factory=dict,
        description="Environment variables from Kubernetes secrets: `{VARIABLE: secret/key}`. Kubeflow only.",
    )
    secret_volumes: dict[
        Annotated[str, Field(pattern=_MOUNT_PATH)], Annotated[str, Field(pattern=_SECRET_NAME)]
    ] = Field(
        default_factory=dict,
        description="Kubernetes secrets as folders, in which each key is a file: `{/folder: secret}`. Kubeflow only.",
    )

    @model_validator(mode="after")
    def _a_secret_is_mounted_once(self) -> "TaskConfig":
        secrets = list(self.secret_volumes.values())
        twice = sorted({secret for secret in secrets if secrets.count(secret) > 1})
        if twice:
            raise ValueError(
                f"the secret '{twice[0]}' is mounted at more than one folder, and Kubeflow names a volume after its "
                "secret; mount it once"
            )
        return self


class TasksConfig(Section):
    """Settings of tasks: `all` holds for every one, a task's own come over it, key by key."""

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
        return self.all.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})
