"""The settings of Vertex AI as a service, and the names that follow from them."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ...vertex_api import address_of
from ..interface import ServedModel

# The newest of google-cloud-aiplatform 1.165, aiplatform/constants/prediction.py; one repository a continent.
_IMAGE = "{continent}-docker.pkg.dev/vertex-ai/prediction/tf2-{device}.2-15:latest"
_CONTINENTS = {"europe": "europe", "asia": "asia"}
# Characters of a label's value, and of a model's ID.
_LABEL = 63


@dataclass(frozen=True)
class VertexSettings:
    """The section `serving.deploy.vertex`; its keys are described there.

    Attributes:
        pipeline: Name of the pipeline.
        log_sampling_rate: Share of the requests that are logged.
        log_table: Where they are logged; empty for the endpoint's project.
    """

    pipeline: str
    project: str
    region: str
    endpoint: str
    model: str
    image: str
    predict_route: str = ""
    health_route: str = ""
    port: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    machine_type: str = "n1-standard-2"
    accelerator_type: str = ""
    accelerator_count: int = 1
    min_replicas: int = 1
    max_replicas: int = 1
    shared_resources: str = ""
    service_account: str = ""
    encryption_key: str = ""
    network: str = ""
    psc_projects: tuple[str, ...] = ()
    dedicated_dns: bool = False
    replace_with_gap: bool = False
    take_over: bool = False
    set_default: bool = True
    log_sampling_rate: float = 1.0
    log_table: str = ""
    model_type: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 3600.0
    api_address: str = ""

    @classmethod
    def of(cls, section: Mapping[str, Any], pipeline: str) -> "VertexSettings":
        """Read the section.

        Args:
            section: Its keys and values; null is a missing key.
            pipeline: Name of the pipeline.
        """
        known = {attribute.name for attribute in fields(cls)}
        given = {key: value for key, value in section.items() if value is not None and key in known}
        log = {
            f"log_{key}": value
            for key, value in (section.get("request_log") or {}).items()
            if value is not None
        }
        given["psc_projects"] = tuple(given.get("psc_projects", ()))
        given.setdefault("model", model_id(pipeline))
        given.setdefault(
            "image", prebuilt_image(given["region"], bool(given.get("accelerator_type")))
        )
        given.setdefault("max_replicas", given.get("min_replicas", 1))
        given["api_address"] = address_of(given["region"], given.get("api_address"))
        return cls(pipeline=pipeline, **{**given, **log})

    @property
    def parent(self) -> str:
        """Resource name of the location."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def model_name(self) -> str:
        """Resource name of the model, without a version."""
        return f"{self.parent}/models/{self.model}"

    @property
    def own_labels(self) -> dict[str, str]:
        """Labels of everything that is made here."""
        return {**self.labels, "retrainer-pipeline": label_value(self.pipeline)}

    def build(self, model: ServedModel) -> str:
        """Return what distinguishes uploads of one version: a digest of its content and its container."""
        return digest_of(
            (
                model.digest,
                self.image,
                self.predict_route,
                self.health_route,
                self.port,
                sorted(self.env.items()),
            )
        )

    def deployment(self, model: ServedModel) -> str:
        """Return the display name of a version's deployment: equal names serve equally, on equal machines."""
        machines = (
            self.machine_type,
            self.accelerator_type,
            self.accelerator_count if self.accelerator_type else 0,
        )
        what = (
            self.build(model),
            self.shared_resources or machines,
            self.service_account,
        )
        return f"{self.model}-v{model.version}-{digest_of(what)}"

    def version_of(self, deployment: str) -> int | None:
        """Return the registry's version of a deployment, by its display name; None if it has another's name."""
        match = re.fullmatch(rf"{re.escape(self.model)}-v([0-9]+)-[0-9a-f]{{8}}", deployment)
        return int(match[1]) if match else None


def model_id(pipeline: str) -> str:
    """Return the ID of the model that a pipeline's versions are uploaded to: its name, shortened if it is too long."""
    if len(pipeline) <= _LABEL:
        return pipeline
    return f"{pipeline[: _LABEL - 9].rstrip('-')}-{digest_of(pipeline)}"


def label_value(text: str) -> str:
    """Return a text as Google Cloud takes it for a label's value: the last 63 of its characters, others as dashes."""
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[-_LABEL:]


def prebuilt_image(region: str, gpu: bool) -> str:
    """Return Google's prebuilt image that serves SavedModels, from the repository of the region's continent."""
    continent = _CONTINENTS.get(region.partition("-")[0], "us")
    return _IMAGE.format(continent=continent, device="gpu" if gpu else "cpu")


def digest_of(what: Any, length: int = 8) -> str:
    """Return hexadecimal digits that follow from a JSON value."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:length]
