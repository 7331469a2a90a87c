"""The section of `serving.deploy` on KServe."""

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ..kubernetes import LabelKey, LabelValue
from ..section import Section

_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
# k8s.io/apimachinery pkg/api/resource/quantity.go, as KServe's resource definition repeats it.
_QUANTITY = re.compile(r"([0-9]+(\.[0-9]*)?|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_SCHEMES = ("gs://", "s3://")


class KServeRequestLog(Section):
    """Requests and responses as CloudEvents."""

    mode: Literal["all", "request", "response"] = Field("all", description="What is sent.")
    url: str = Field(
        pattern=r"^https?://\S+$", description="Where to send it, such as a Knative broker."
    )


class KServeDeployment(Section):
    """KServe: an InferenceService on Kubernetes."""

    splits: ClassVar[bool] = True
    """Whether a canary may get a share of the requests."""
    shadows: ClassVar[bool] = False
    """Whether the canary may get copies of requests."""

    service: str = Field(
        # A Deployment's name has the version and `-predictor` besides, and 63 characters.
        max_length=36,
        pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the InferenceService; created if missing.",
    )
    namespace: str | None = Field(
        None,
        pattern=_NAME,
        description="Its namespace; if null, that of the pod or of the kubeconfig's context.",
    )
    kubeconfig: str | None = Field(
        None, description="Kubeconfig file; if null, the pod's service account, else KUBECONFIG."
    )
    context: str | None = Field(
        None, description="Context of the kubeconfig; if null, the current one."
    )
    mode: Literal["standard", "knative"] | None = Field(
        None,
        description="Deployment mode of an InferenceService that is created; if null, the installation's default, "
        "which is read from the ConfigMap `inferenceservice-config`.",
    )
    config_namespace: str = Field(
        "kserve", pattern=_NAME, description="Namespace of that ConfigMap."
    )
    store_uri: str | None = Field(
        None,
        pattern=r"^(gs|s3|pvc)://[^/\s]+(/\S*)?$",
        description="The store as KServe's pods reach it, if not as `store` names it: `pvc://<claim>/<folder>` for a "
        "store on a volume.",
    )
    runtime: str | None = Field(
        None,
        description="ServingRuntime or ClusterServingRuntime; if null, KServe chooses one for TensorFlow.",
    )
    runtime_version: str | None = Field(None, description="Tag of the runtime's image.")
    protocol_version: Literal["v1", "v2", "grpc-v1", "grpc-v2"] | None = Field(
        None, description="Protocol of requests; if null, the runtime's first."
    )
    service_account: str | None = Field(
        None,
        pattern=_NAME,
        description="Service account of the pods, with access to the bucket; the namespace's default if null.",
    )
    requests: dict[str, str] = Field(
        default_factory=dict, description="Resources that a pod requests: `{cpu: 1, memory: 2Gi}`."
    )
    limits: dict[str, str] = Field(default_factory=dict, description="Limits of a pod's resources.")
    min_replicas: int = Field(
        1,
        ge=0,
        description="Minimum number of pods; 0, in the knative mode alone: none without requests.",
    )
    max_replicas: int | None = Field(
        None, ge=1, description="Maximum number of pods; KServe's default if null."
    )
    request_timeout_seconds: int | None = Field(
        None, ge=1, description="Maximum time of a request; KServe's default if null."
    )
    node_selector: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, description="Labels that a node must have."
    )
    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, description="Labels of the pods, besides retrainer's own."
    )
    annotations: dict[LabelKey, str] = Field(
        default_factory=dict, description="Annotations of the pods, besides retrainer's own."
    )
    request_log: KServeRequestLog | None = Field(
        None, description="Where KServe sends requests and responses; nowhere if null."
    )
    take_over: bool = Field(
        False,
        description="Whether fields of the InferenceService that somebody else manages are overwritten; else they are "
        "an error that names who.",
    )
    timeout_seconds: float = Field(
        900.0, gt=0, description="Maximum time until a version is ready, in seconds."
    )

    @model_validator(mode="after")
    def _kserve_takes_it(self) -> "KServeDeployment":
        for key in ("requests", "limits"):
            for name, value in getattr(self, key).items():
                if not _QUANTITY.fullmatch(value):
                    raise ValueError(
                        f"{key}.{name} is '{value}' and must be a quantity such as 500m, 2 or 2Gi"
                    )
        if self.max_replicas is not None and self.max_replicas < self.min_replicas:
            raise ValueError(
                f"min_replicas is {self.min_replicas}, more than max_replicas, which is {self.max_replicas}"
            )
        if self.mode == "standard" and not self.min_replicas:
            raise ValueError(
                "min_replicas is 0, which the standard mode does not support: set it to 1"
            )
        return self

    def misfits(self, store: str) -> Iterator[tuple[str, str]]:
        """Yield why KServe's pods can't read the store's models.

        Args:
            store: The setting `store`.

        Yields:
            A key of retrain.yaml, and a sentence.
        """
        if not self.store_uri and not store.startswith(_SCHEMES):
            yield (
                "store",
                f"store is '{store}', which KServe's pods can't read. Use gs:// or s3://, or, for a store on a volume, "
                "set serving.deploy.kserve.store_uri to pvc://<claim>/<folder of the store>.",
            )
