"""The endpoint: found or created, what is deployed on it, and its traffic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...vertex_api import load_module
from ..interface import ServedModel, ServiceError
from .api import ConflictError, VertexApi
from .settings import VertexSettings, deployed_id, endpoint_id

# IDs that are tried, and how often the service must refuse one as used while nothing has it.
_IDS, _REFUSALS = 3, 3


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
        return {one.id: one.percent for one in self.deployments if one.percent}

    def find(self, name: str) -> Deployment | None:
        """Return the deployment of a display name; of several, the one with the most traffic."""
        found = [one for one in self.deployments if one.name == name]
        return max(found, key=lambda one: one.percent, default=None)


class VertexEndpoints:
    """Reads and changes the endpoint.

    Args:
        api: Calls the service.
        settings: Which endpoint, and how models are deployed on it.
    """

    def __init__(self, api: VertexApi, settings: VertexSettings) -> None:
        self._api = api
        self._settings = settings
        self._name = ""

    def find(self) -> Endpoint | None:
        """Find the endpoint by its name; None if there is none.

        Raises:
            ServiceError: If there are several, or the service does not answer.
        """
        settings = self._settings
        if "/" in settings.endpoint:
            return self._read(settings.endpoint)
        what = f"endpoint '{settings.endpoint}' in {settings.parent}"
        condition = f'display_name="{settings.endpoint}"'

        def read(options: Any) -> list[Any]:
            pages = self._api.endpoints.list_endpoints(
                request={"parent": settings.parent, "filter": condition}, **options()
            )
            return list(pages)

        found = self._api.read(what, read)
        if len(found) > 1:
            names = ", ".join(sorted(one.name for one in found))
            raise ServiceError(
                f"{what}: {len(found)} endpoints have this display name: {names}. Name one of them as "
                "serving.deploy.vertex.endpoint."
            )
        # A list may be older than the endpoint is now.
        return self._read(found[0].name) if found else None

    def ensure(self) -> Endpoint:
        """Return the endpoint, created if it is missing, with the logging that the settings ask for."""
        settings = self._settings
        what = f"endpoint '{settings.endpoint}'"
        found = self.find()
        if found is None and "/" in settings.endpoint:
            raise ServiceError(
                f"{what} does not exist. Name another one as serving.deploy.vertex.endpoint, or give a display name "
                "to have one created."
            )
        if found is None:
            ids = _Ids(what, lambda attempt: endpoint_id(settings, attempt))
            found = self._api.settle(
                what, self.find, lambda: ids.use(lambda new_id: self._create(what, new_id))
            )
        self._refuse_other_kind(found)
        return self._with_log(found)

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
        ids = _Ids(what, lambda attempt: deployed_id(self.read().name, name, attempt))

        def look() -> Deployment | None:
            endpoint = self.read()
            found = endpoint.find(name)
            if found is None and self._api.wait_for_running(what, endpoint.name):
                found = self.read().find(name)
            return found

        def deploy(new_id: str) -> None:
            request = {
                "endpoint": self.read().name,
                "deployed_model": self._message(name, version, new_id),
                # A private endpoint has no split that could be moved later.
                "traffic_split": {"0": 100} if self._settings.network else {},
            }
            self._api.change(
                what, lambda options: self._api.endpoints.deploy_model(request, **options())
            )

        found = self._api.settle(what, look, lambda: ids.use(deploy))
        return self._with_replicas(what, found)

    def move_traffic(self, wanted: Mapping[str, int]) -> None:
        """Split the traffic in one step, on the condition that nobody has changed the endpoint since it was read.

        Args:
            wanted: Percent by the ID of the deployed model.

        Raises:
            ServiceError: If models of others have traffic, or somebody goes on changing the endpoint.
        """
        what = f"traffic of endpoint '{self._settings.endpoint}'"

        def look() -> bool | None:
            endpoint = self.read()
            if endpoint.traffic == dict(wanted):
                return True
            self.refuse_foreign_traffic(endpoint)
            return None

        def act() -> None:
            endpoint = self.read()
            self.refuse_foreign_traffic(endpoint)
            gone = [
                one for one in wanted if one not in {known.id for known in endpoint.deployments}
            ]
            if gone:
                raise ServiceError(
                    f"{what}: deployed model {', '.join(gone)} was undeployed meanwhile. Deploy again.",
                    transient=True,
                )
            self._update(what, endpoint, "traffic_split", {"traffic_split": dict(wanted)})

        self._api.settle(what, look, act)

    def refuse_foreign_traffic(self, endpoint: Endpoint) -> None:
        """Raise an error if models that were not deployed by retrainer have traffic, unless the settings allow it."""
        foreign = [one for one in endpoint.deployments if one.version is None and one.percent]
        if foreign and not self._settings.take_over:
            raise ServiceError(
                f"endpoint '{self._settings.endpoint}' sends traffic to models that were not deployed by retrainer: "
                f"{'; '.join(one.shown for one in foreign)}. Take their traffic away, name another endpoint, or allow "
                "it with serving.deploy.vertex.take_over: true. Their traffic was not changed."
            )

    def undeploy(self, deployment: Deployment) -> None:
        """Undeploy a model; nothing happens if it is gone already.

        Args:
            deployment: The model.
        """
        what = f"undeploy of {deployment.shown} on endpoint '{self._settings.endpoint}'"

        def look() -> bool | None:
            endpoint = self.read()
            gone = all(one.id != deployment.id for one in endpoint.deployments)
            if not gone and self._api.wait_for_running(what, endpoint.name):
                gone = all(one.id != deployment.id for one in self.read().deployments)
            return True if gone else None

        def act() -> None:
            request = {"endpoint": self.read().name, "deployed_model_id": deployment.id}
            self._api.change(
                what, lambda options: self._api.endpoints.undeploy_model(request, **options())
            )

        self._api.settle(what, look, act)

    def read(self) -> Endpoint:
        """Read the endpoint.

        Raises:
            ServiceError: If it is missing, or the service does not answer.
        """
        found = self._read(self._name) if self._name else self.find()
        if found is None:
            raise ServiceError(
                f"endpoint '{self._settings.endpoint}' was deleted meanwhile. Deploy again.",
                transient=True,
            )
        return found

    def _read(self, name: str) -> Endpoint | None:
        message = self._api.find(
            f"endpoint {name}",
            lambda options: self._api.endpoints.get_endpoint(name=name, **options()),
        )
        if message is None:
            return None
        self._name = message.name
        return self._to_endpoint(message)

    def _to_endpoint(self, message: Any) -> Endpoint:
        return Endpoint(
            name=message.name,
            etag=message.etag,
            deployments=tuple(
                self._to_deployment(one, message.traffic_split.get(one.id, 0))
                for one in message.deployed_models
            ),
            message=message,
        )

    def _to_deployment(self, message: Any, percent: int) -> Deployment:
        machines = message.dedicated_resources
        # The service may write the project's number where its ID was given, so the model's own ID is compared.
        model = message.model.rpartition("/")[2].partition("@")[0]
        version = self._settings.version_of(message.display_name)
        return Deployment(
            id=message.id,
            name=message.display_name,
            version=version if model == self._settings.model else None,
            percent=percent,
            replicas=(
                (machines.min_replica_count, machines.max_replica_count)
                if machines.min_replica_count
                else None
            ),
        )

    def _refuse_other_kind(self, endpoint: Endpoint) -> None:
        """Raise an error if the endpoint is private and the settings say it is public, or the reverse."""
        message, settings = endpoint.message, self._settings
        psc = message.private_service_connect_config.enable_private_service_connect
        for key, wanted, found in (
            ("network", bool(settings.network), bool(message.network)),
            ("psc_projects", bool(settings.psc_projects), bool(psc)),
        ):
            if wanted != found:
                raise ServiceError(
                    f"endpoint '{settings.endpoint}' ({endpoint.name}) "
                    f"{'has no' if wanted else 'has a'} {'VPC' if key == 'network' else 'Private Service Connect'}, "
                    f"and serving.deploy.vertex.{key} is {'set' if wanted else 'not set'}. What kind an endpoint is "
                    "can't be changed: change the setting, or name another endpoint."
                )

    def _create(self, what: str, new_id: str) -> None:
        settings = self._settings
        message = load_module("types.endpoint").Endpoint(
            display_name=settings.endpoint,
            labels=settings.own_labels,
            network=settings.network,
            dedicated_endpoint_enabled=settings.dedicated_dns,
        )
        if settings.encryption_key:
            message.encryption_spec = {"kms_key_name": settings.encryption_key}
        if settings.psc_projects:
            message.private_service_connect_config = {
                "enable_private_service_connect": True,
                "project_allowlist": list(settings.psc_projects),
            }
        if settings.log_sampling_rate and not settings.network:
            message.predict_request_response_logging_config = self._log()
        self._api.change(
            f"creation of {what}",
            lambda options: self._api.endpoints.create_endpoint(
                request={
                    "parent": settings.parent,
                    "endpoint": message,
                    "endpoint_id": new_id,
                },
                **options(),
            ),
        )

    def _with_log(self, endpoint: Endpoint) -> Endpoint:
        """Switch request-response logging on or off where the endpoint has it otherwise."""
        if self._settings.network:
            return endpoint
        what = f"logging of endpoint '{self._settings.endpoint}'"

        def look() -> Endpoint | None:
            found = self.read()
            return found if self._logs_right(found) else None

        if self._logs_right(endpoint):
            return endpoint
        return self._api.settle(
            what,
            look,
            lambda: self._update(
                what,
                self.read(),
                "predict_request_response_logging_config",
                {"predict_request_response_logging_config": self._log()},
            ),
        )

    def _log(self) -> Any:
        settings = self._settings
        log = load_module("types.endpoint").PredictRequestResponseLoggingConfig(
            enabled=bool(settings.log_sampling_rate), sampling_rate=settings.log_sampling_rate
        )
        log.bigquery_destination.output_uri = settings.log_table or f"bq://{settings.project}"
        return log

    def _logs_right(self, endpoint: Endpoint) -> bool:
        log, settings = endpoint.message.predict_request_response_logging_config, self._settings
        if not settings.log_sampling_rate:
            return not log.enabled
        return (
            log.enabled
            and abs(log.sampling_rate - settings.log_sampling_rate) < 1e-6
            and log.bigquery_destination.output_uri.startswith(settings.log_table)
        )

    def _update(self, what: str, endpoint: Endpoint, field: str, values: Mapping[str, Any]) -> None:
        message = load_module("types.endpoint").Endpoint(
            name=endpoint.name, etag=endpoint.etag, **values
        )
        self._api.change(
            what,
            lambda options: self._api.endpoints.update_endpoint(
                endpoint=message, update_mask={"paths": [field]}, **options()
            ),
        )

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
            found = self.read().find(deployment.name)
            return found if found is not None and found.replicas == replicas else None

        def act() -> None:
            request = {
                "endpoint": self.read().name,
                "deployed_model": message,
                "update_mask": {"paths": paths},
            }
            self._api.change(
                f"replicas of {what}",
                lambda options: self._api.endpoints.mutate_deployed_model(request, **options()),
            )

        return self._api.settle(f"replicas of {what}", look, act)


class _Ids:
    """IDs to create something with: always the same one, unless the service refuses it and nothing has it."""

    def __init__(self, what: str, make: Callable[[int], str]) -> None:
        self._what = what
        self._make = make
        self._refusals = 0

    def use(self, create: Callable[[str], None]) -> None:
        """Create something with the ID of this attempt."""
        attempt = self._refusals // _REFUSALS
        if attempt == _IDS:
            raise ServiceError(f"{self._what}: Vertex AI refuses its {_IDS} IDs as used by others.")
        try:
            create(self._make(attempt))
        except ConflictError:
            self._refusals += 1
            raise
