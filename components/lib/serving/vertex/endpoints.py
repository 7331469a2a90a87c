"""The endpoint: found or created, and its request-response logging."""

from collections.abc import Mapping
from typing import Any

from ...vertex_api import load_module
from ..interface import ServiceError
from .api import VertexApi
from .endpoint import Endpoint, to_endpoint
from .ids import ProposedIds, endpoint_id
from .settings import VertexSettings


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
            names = ", ".join(sorted(deployment.name for deployment in found))
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
            ids = ProposedIds(what, lambda attempt: endpoint_id(settings, attempt))
            found = self._api.settle(
                what, self.find, lambda: ids.use(lambda new_id: self._create(what, new_id))
            )
        self._refuse_other_kind(found)
        return self._with_log(found)

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
        return to_endpoint(self._settings, message)

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
            lambda: self.update(
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

    def update(self, what: str, endpoint: Endpoint, field: str, values: Mapping[str, Any]) -> None:
        """Change one field, on the condition that the endpoint is still as it was read.

        Raises:
            ConflictError: If somebody has changed it since.
        """
        message = load_module("types.endpoint").Endpoint(
            name=endpoint.name, etag=endpoint.etag, **values
        )
        self._api.change(
            what,
            lambda options: self._api.endpoints.update_endpoint(
                endpoint=message, update_mask={"paths": [field]}, **options()
            ),
        )
