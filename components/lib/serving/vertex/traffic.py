"""The endpoint's traffic: split in one step, and never taken from others unless the settings allow it."""

from collections.abc import Mapping

from ..interface import ServiceError
from .api import VertexApi
from .endpoint import Endpoint
from .endpoints import VertexEndpoints
from .settings import VertexSettings


class VertexTraffic:
    """Splits the traffic.

    Args:
        api: Calls the service.
        endpoints: Reads and updates the endpoint.
        settings: Whether traffic of others may be taken.
    """

    def __init__(
        self, api: VertexApi, endpoints: VertexEndpoints, settings: VertexSettings
    ) -> None:
        self._api = api
        self._endpoints = endpoints
        self._settings = settings

    def move(self, wanted: Mapping[str, int]) -> None:
        """Split the traffic in one step, on the condition that nobody has changed the endpoint since it was read.

        Args:
            wanted: Percent by the ID of the deployed model.

        Raises:
            ServiceError: If models of others have traffic, or somebody goes on changing the endpoint.
        """
        what = f"traffic of endpoint '{self._settings.endpoint}'"

        def look() -> bool | None:
            endpoint = self._endpoints.read()
            if endpoint.traffic == dict(wanted):
                return True
            self.refuse_foreign(endpoint)
            return None

        def act() -> None:
            endpoint = self._endpoints.read()
            self.refuse_foreign(endpoint)
            gone = [
                one for one in wanted if one not in {known.id for known in endpoint.deployments}
            ]
            if gone:
                raise ServiceError(
                    f"{what}: deployed model {', '.join(gone)} was undeployed meanwhile. Deploy again.",
                    transient=True,
                )
            self._endpoints.update(what, endpoint, "traffic_split", {"traffic_split": dict(wanted)})

        self._api.settle(what, look, act)

    def refuse_foreign(self, endpoint: Endpoint) -> None:
        """Raise an error if models that were not deployed by retrainer have traffic, unless the settings allow it."""
        foreign = [
            deployment
            for deployment in endpoint.deployments
            if deployment.version is None and deployment.percent
        ]
        if foreign and not self._settings.take_over:
            shown = "; ".join(deployment.shown for deployment in foreign)
            raise ServiceError(
                f"endpoint '{self._settings.endpoint}' sends traffic to models that were not deployed by retrainer: "
                f"{shown}. Take their traffic away, name another endpoint, or allow "
                "it with serving.deploy.vertex.take_over: true. Their traffic was not changed."
            )
