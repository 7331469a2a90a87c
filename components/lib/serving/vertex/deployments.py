"""What is deployed on the endpoint: versions come without traffic, and go when they have none."""

from typing import Any

from ...vertex_api import load_module
from ..interface import ServedModel
from .api import VertexApi
from .endpoint import Deployment
from .endpoints import VertexEndpoints
from .errors import MissingError
from .ids import ProposedIds, deployed_id
from .settings import VertexSettings


class VertexDeployments:
    """Deploys and undeploys versions.

    Args:
        api: Calls the service.
        endpoints: Reads the endpoint.
        settings: How models are deployed.
    """

    def __init__(
        self, api: VertexApi, endpoints: VertexEndpoints, settings: VertexSettings
    ) -> None:
        self._api = api
        self._endpoints = endpoints
        self._settings = settings

    def deploy(self, model: ServedModel, version: str) -> Deployment:
        """Return the deployment of a version, without traffic at first if it is new.

        Args:
            model: The model.
            version: Resource name of its version in the Model Registry.

        Raises:
            ServiceError: If the service refuses or does not answer, or the deployment fails.
        """
        name = self._settings.deployment(model)
        what = f"deployment of version {model.version} on endpoint '{self._settings.endpoint}'"
        ids = ProposedIds(
            what, lambda attempt: deployed_id(self._endpoints.read().name, name, attempt)
        )

        def look() -> Deployment | None:
            return self._api.look_past_running(
                what,
                lambda: self._endpoints.read().name,
                lambda: self._endpoints.read().find(name),
            )

        def deploy(new_id: str) -> None:
            request = {
                "endpoint": self._endpoints.read().name,
                "deployed_model": self._message(name, version, new_id),
                # A private endpoint has no split that could be moved later.
                "traffic_split": {"0": 100} if self._settings.network else {},
            }
            try:
                self._api.change(
                    what, lambda options: self._api.endpoints.deploy_model(request, **options())
                )
            except MissingError:
                # The endpoint, if it is gone, is named as what it is.
                self._endpoints.read()
                raise

        found = self._api.settle(what, look, lambda: ids.use(deploy))
        return self._with_replicas(what, found)

    def undeploy(self, deployment: Deployment) -> None:
        """Undeploy a model; nothing happens if it is gone already.

        Args:
            deployment: The model.
        """
        what = f"undeploy of {deployment.shown} on endpoint '{self._settings.endpoint}'"

        def look() -> bool | None:
            return self._api.look_past_running(what, lambda: self._endpoints.read().name, gone)

        def gone() -> bool | None:
            deployed = self._endpoints.read().deployments
            return True if all(one.id != deployment.id for one in deployed) else None

        def act() -> None:
            request = {"endpoint": self._endpoints.read().name, "deployed_model_id": deployment.id}
            self._api.change(
                what, lambda options: self._api.endpoints.undeploy_model(request, **options())
            )

        self._api.settle(what, look, act)

    def _message(self, name: str, version: str, new_id: str) -> Any:
        settings = self._settings
        message = load_module("types.endpoint").DeployedModel(
            id=new_id,
            model=version,
            display_name=name,
            service_account=settings.service_account,
        )
        if settings.shared_resources:
            message.shared_resources = settings.shared_resources
            return message
        machine: dict[str, Any] = {"machine_type": settings.machine_type}
        if settings.accelerator_type:
            machine["accelerator_type"] = settings.accelerator_type
            machine["accelerator_count"] = settings.accelerator_count
        message.dedicated_resources = {
            "machine_spec": machine,
            "min_replica_count": settings.min_replicas,
            "max_replica_count": settings.max_replicas,
        }
        return message

    def _with_replicas(self, what: str, deployment: Deployment) -> Deployment:
        """Change the number of replicas where the deployment has another: that needs no new deployment."""
        settings = self._settings
        replicas = (settings.min_replicas, settings.max_replicas)
        if deployment.replicas in (None, replicas):
            return deployment
        types = load_module("types.endpoint")
        message = types.DeployedModel(
            id=deployment.id,
            dedicated_resources={
                "min_replica_count": replicas[0],
                "max_replica_count": replicas[1],
            },
        )
        paths = [f"dedicated_resources.{end}_replica_count" for end in ("min", "max")]

        def look() -> Deployment | None:
            found = self._endpoints.read().find(deployment.name)
            return found if found is not None and found.replicas == replicas else None

        def act() -> None:
            request = {
                "endpoint": self._endpoints.read().name,
                "deployed_model": message,
                "update_mask": {"paths": paths},
            }
            self._api.change(
                f"replicas of {what}",
                lambda options: self._api.endpoints.mutate_deployed_model(request, **options()),
            )

        return self._api.settle(f"replicas of {what}", look, act)
