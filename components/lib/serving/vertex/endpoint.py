"""The endpoint as it was read: what is deployed on it, and who gets which share of the requests."""

from dataclasses import dataclass
from typing import Any

from .settings import VertexSettings


@dataclass(frozen=True)
class Deployment:
    """A model on the endpoint.

    Attributes:
        id: ID of the deployed model.
        name: Its display name.
        version: The registry's version; None if it was not deployed by retrainer.
        percent: Share of the requests it gets.
        replicas: Minimum and maximum; None on shared resources.
    """

    id: str
    name: str
    version: int | None
    percent: int
    replicas: tuple[int, int] | None

    @property
    def shown(self) -> str:
        """How people find it on the endpoint."""
        return f"{self.name or 'without a name'} (deployed model {self.id}, {self.percent} %)"


@dataclass(frozen=True)
class Endpoint:
    """The endpoint as it was read.

    Attributes:
        name: Its resource name.
        etag: What it was read at.
        deployments: What is deployed on it.
        message: The service's message `Endpoint`.
    """

    name: str
    etag: str
    deployments: tuple[Deployment, ...]
    message: Any

    @property
    def traffic(self) -> dict[str, int]:
        """Percent of the requests by the ID of the deployed model; those without requests are left out."""
        return {
            deployment.id: deployment.percent
            for deployment in self.deployments
            if deployment.percent
        }

    def find(self, name: str) -> Deployment | None:
        """Return the deployment of a display name; of several, the one with the most traffic."""
        found = [deployment for deployment in self.deployments if deployment.name == name]
        return max(found, key=lambda deployment: deployment.percent, default=None)


def to_endpoint(settings: VertexSettings, message: Any) -> Endpoint:
    """Read the service's message `Endpoint`."""
    return Endpoint(
        name=message.name,
        etag=message.etag,
        deployments=tuple(
            _to_deployment(settings, model, message.traffic_split.get(model.id, 0))
            for model in message.deployed_models
        ),
        message=message,
    )


def _to_deployment(settings: VertexSettings, message: Any, percent: int) -> Deployment:
    machines = message.dedicated_resources
    # The service may write the project's number where its ID was given, so the model's own ID is compared.
    model = message.model.rpartition("/")[2].partition("@")[0]
    version = settings.version_of(message.display_name)
    return Deployment(
        id=message.id,
        name=message.display_name,
        version=version if model == settings.model else None,
        percent=percent,
        replicas=(
            (machines.min_replica_count, machines.max_replica_count)
            if machines.min_replica_count
            else None
        ),
    )
