"""The section of `serving.deploy` on Vertex AI's Model Registry and endpoints."""

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ...formats.names import check_labels
from ..section import Section

# Setting, what its value must match, and how that is said. The rules are those of the API reference.
_RULES = {
    "project": (
        r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|[0-9]+",
        "a project's id such as acme-ml",
    ),
    "region": (r"[a-z]+-[a-z]+[0-9]+", "a region such as europe-west1"),
    "model": (
        r"[a-z_][a-z0-9_-]{0,62}",
        "lower case letters, digits, '_' and '-', no digit or '-' first, at most 63 characters",
    ),
    "machine_type": (r"[a-z][a-z0-9]*-[a-z0-9-]+", "a machine type such as n1-standard-2"),
    "accelerator_type": (
        r"[A-Z][A-Z0-9_]+",
        "a value of Vertex AI's AcceleratorType such as NVIDIA_TESLA_T4",
    ),
    "service_account": (
        r"[^@\s]+@[^@\s]+\.gserviceaccount\.com",
        "a service account's e-mail such as server@acme-ml.iam.gserviceaccount.com",
    ),
    "encryption_key": (
        r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+",
        "projects/<project>/locations/<region>/keyRings/<ring>/cryptoKeys/<key>",
    ),
    "network": (
        r"projects/[0-9]+/global/networks/[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
        "projects/<project number>/global/networks/<name>, with the project's number and not its id",
    ),
    "shared_resources": (
        r"projects/[^/\s]+/locations/[^/\s]+/deploymentResourcePools/[^/\s]+",
        "projects/<project>/locations/<region>/deploymentResourcePools/<pool>",
    ),
}


class VertexRequestLog(Section):
    """The table of requests and responses in BigQuery."""

    sampling_rate: float = Field(
        1.0, ge=0, le=1, description="Share of the requests that are logged; 0: none."
    )
    table: str | None = Field(
        None,
        pattern=r"^bq://[a-z0-9:.-]+(\.\w+(\.\w+)?)?$",
        description="`bq://<project>`, `bq://<project>.<dataset>` or `bq://<project>.<dataset>.<table>`; the "
        "endpoint's project if null. Vertex AI creates what is not named.",
    )


class VertexDeployment(Section):
    """Vertex AI: a version in the Model Registry, served by an endpoint."""

    shadows: ClassVar[bool] = False
    """Whether the canary may get copies of requests."""

    project: str = Field(description="Google Cloud project ID.")
    region: str = Field(description="Region, such as `europe-west1`.")
    endpoint: str = Field(
        pattern=r'^[^"\\]{1,128}$',
        description="Display name of the endpoint, created if missing; or the resource name of one that exists, "
        "`projects/<p>/locations/<l>/endpoints/<id>`.",
    )
    model: str | None = Field(
        None,
        description="ID of the model in the Model Registry that versions are uploaded to; the pipeline's name if null.",
    )
    image: str | None = Field(
        None,
        description="Container that serves the SavedModel. If null, Google's prebuilt TensorFlow 2.15, for GPUs with "
        "`accelerator_type`: the newest that the client library lists.",
    )
    predict_route: str | None = Field(
        None, description="Path of predictions in `image`; Vertex AI's default if null."
    )
    health_route: str | None = Field(
        None, description="Path of health checks in `image`; Vertex AI's default if null."
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="Port that `image` listens on; 8080 if null."
    )
    env: dict[str, str] = Field(
        default_factory=dict, description="Environment variables of the container."
    )
    machine_type: str = Field("n1-standard-2", description="Machine of each replica.")
    accelerator_type: str | None = Field(
        None, description="GPU of each replica, such as `NVIDIA_TESLA_T4`; none if null."
    )
    accelerator_count: int = Field(
        1, ge=1, description="GPUs of each replica, with `accelerator_type`."
    )
    min_replicas: int = Field(
        1, ge=1, description="Replicas that always run; each costs while it runs."
    )
    max_replicas: int | None = Field(
        None, ge=1, description="Maximum replicas under load; `min_replicas` if null."
    )
    shared_resources: str | None = Field(
        None,
        description="Deployment resource pool to share machines of, in place of machines of its own: "
        "`projects/<p>/locations/<l>/deploymentResourcePools/<pool>`.",
    )
    service_account: str | None = Field(
        None,
        description="E-mail of the service account that the container runs as; one without access to the project if "
        "null.",
    )
    encryption_key: str | None = Field(
        None,
        description="Cloud KMS key of the model and the endpoint: "
        "`projects/<p>/locations/<l>/keyRings/<r>/cryptoKeys/<k>`.",
    )
    network: str | None = Field(
        None,
        description="VPC of a private endpoint (private services access): `projects/<number>/global/networks/<name>`. "
        "Such an endpoint has one model and no traffic split.",
    )
    psc_projects: list[str] = Field(
        default_factory=list,
        description="Projects that reach a private endpoint through Private Service Connect. It splits traffic.",
    )
    dedicated_dns: bool = Field(
        False,
        description="Whether a new endpoint gets a DNS name of its own. The shared address does not work for it.",
    )
    replace_with_gap: bool = Field(
        False,
        description="With `network`: whether a version may be replaced by undeploying the old one first. Nothing "
        "answers while the new one is deployed, usually 10 to 20 minutes.",
    )
    take_over: bool = Field(
        False,
        description="Whether traffic may be taken from models on the endpoint that were not deployed by retrainer.",
    )
    set_default: bool = Field(
        True,
        description="Whether the champion's version also gets the alias `default`, which batch predictions use.",
    )
    request_log: VertexRequestLog = Field(
        default_factory=VertexRequestLog, description="Request-response logging."
    )
    model_type: Literal["classification", "regression"] | None = Field(
        None,
        description="Schema of the imported evaluation; decided by the metrics if null.",
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels of the model and the endpoint."
    )
    timeout_seconds: float = Field(
        3600.0, gt=0, description="Maximum time to wait for one operation, such as a deployment."
    )
    api_address: str | None = Field(
        None,
        description="Address of the API; `https://<region>-aiplatform.googleapis.com` if null.",
    )

    @property
    def splits(self) -> bool:
        """Whether traffic may be split between versions."""
        return self.network is None

    def misfits(self, store: str) -> Iterator[tuple[str, str]]:
        """Find what keeps the project's models from this service.

        Args:
            store: URI of the store, whose models are served.

        Yields:
            The key of retrain.yaml to change, and what is wrong with it.
        """
        if not store.startswith("gs://"):
            yield (
                "store",
                f"the store is '{store}', and Vertex AI reads models from Cloud Storage only: move the store to gs://, "
                "or remove serving.deploy.vertex.",
            )

    @field_validator(*_RULES)
    @classmethod
    def _fits_its_rule(cls, value: str | None, info: ValidationInfo) -> str | None:
        pattern, rule = _RULES[info.field_name or ""]
        if value is not None and not re.fullmatch(pattern, value):
            raise ValueError(f"'{value}' must be {rule}")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> "VertexDeployment":
        check_labels(self.labels)
        if self.network and self.psc_projects:
            raise ValueError("network and psc_projects are both set; an endpoint takes one of them")
        if self.network and self.dedicated_dns:
            raise ValueError(
                "network and dedicated_dns are both set; an endpoint takes one of them"
            )
        if self.network and self.shared_resources:
            raise ValueError(
                "network and shared_resources are both set; a private endpoint takes machines of its own"
            )
        if self.max_replicas is not None and self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas is {self.max_replicas}, below min_replicas, {self.min_replicas}"
            )
        for key in ("encryption_key", "shared_resources"):
            name = getattr(self, key) or ""
            if name and name.split("/")[3] != self.region:
                raise ValueError(
                    f"{key} is in '{name.split('/')[3]}', and the endpoint in '{self.region}'; they must be in one "
                    "region"
                )
        return self
