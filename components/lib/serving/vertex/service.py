"""Vertex AI as a service that serves models."""

from dataclasses import replace

from ..interface import Plan, Served, ServedModel, ServiceError
from .api import VertexApi
from .deployments import VertexDeployments
from .endpoint import Deployment, Endpoint
from .endpoints import VertexEndpoints
from .evaluations import VertexEvaluations
from .models import VertexModels
from .settings import VertexSettings
from .traffic import VertexTraffic


class VertexService:
    """Brings the endpoint and the Model Registry to a plan.

    Args:
        settings: The section `serving.deploy.vertex`.
    """

    def __init__(self, settings: VertexSettings) -> None:
        api = VertexApi(settings)
        self._settings = settings
        self._models = VertexModels(api, settings)
        self._evaluations = VertexEvaluations(api, settings)
        self._endpoints = VertexEndpoints(api, settings)
        self._deployments = VertexDeployments(api, self._endpoints, settings)
        self._traffic = VertexTraffic(api, self._endpoints, settings)

    def apply(self, plan: Plan) -> Served:
        """Make a plan so: deploy without traffic, split the traffic in one step, undeploy what is not in the plan.

        Args:
            plan: The plan.

        Returns:
            What serves now.

        Raises:
            ServiceError: If the plan can't be made here, or the service refuses or does not answer.
        """
        self._check(plan)
        if plan.stable is None:
            return self._remove_all()
        versions = [model for model in (plan.stable, plan.canary) if model is not None]
        endpoint = self._endpoints.ensure()
        self._traffic.refuse_foreign(endpoint)
        uploads = {model.version: self._models.upload(model) for model in versions}
        if self._settings.network:
            self._make_room(endpoint, plan.stable)
        deployed = {
            model.version: self._deployments.deploy(
                model, self._models.name(uploads[model.version])
            )
            for model in versions
        }
        wanted = {deployed[version].id: percent for version, percent in plan.traffic.items()}
        if not self._settings.network:
            self._traffic.move(wanted)
        kept = {deployment.id for deployment in deployed.values()}
        self._undeploy_others(kept)
        self._models.point("champion", uploads[plan.stable.version])
        if self._settings.set_default:
            self._models.point("default", uploads[plan.stable.version])
        self._models.point("challenger", uploads[plan.canary.version] if plan.canary else None)
        return self._with_evaluations(
            [(model, self._models.name(uploads[model.version])) for model in versions]
        )

    def status(self) -> Served:
        """Look at what serves; changes nothing.

        Raises:
            ServiceError: If the service does not answer.
        """
        endpoint = self._endpoints.find()
        if endpoint is None:
            return Served(
                notes=(
                    f"there is no endpoint '{self._settings.endpoint}' in {self._settings.parent} yet.",
                )
            )
        return self._to_served(endpoint)

    def _check(self, plan: Plan) -> None:
        if plan.shadow:
            raise ServiceError(
                "Vertex AI has no shadow traffic: remove serving.rollout.shadow, or serving.deploy.vertex."
            )
        if plan.canary is not None and self._settings.network:
            raise ServiceError(
                f"endpoint '{self._settings.endpoint}' is private (serving.deploy.vertex.network) and can't split "
                "traffic: remove serving.rollout, or use psc_projects or a public endpoint."
            )
        if plan.canary is not None and plan.stable is None:
            raise ServiceError(
                f"version {plan.canary.version} would be a canary with no stable version beside it."
            )

    def _make_room(self, endpoint: Endpoint, stable: ServedModel) -> None:
        """Undeploy what a private endpoint has, which takes one model only."""
        name = self._settings.deployment(stable)
        others = [deployment for deployment in endpoint.deployments if deployment.name != name]
        foreign = [other for other in others if other.version is None]
        if foreign and not self._settings.take_over:
            shown = "; ".join(deployment.shown for deployment in foreign)
            raise ServiceError(
                f"private endpoint '{self._settings.endpoint}' takes one model, and has one that was not deployed by "
                f"retrainer: {shown}. Undeploy it, name another endpoint, or allow "
                "it with serving.deploy.vertex.take_over: true. Nothing was changed."
            )
        if others and not self._settings.replace_with_gap:
            raise ServiceError(
                f"private endpoint '{self._settings.endpoint}' takes one model, and serves {others[0].shown}. To have "
                "it replaced by undeploying it first, with no answers until the new one is deployed (usually 10 to 20 "
                "minutes), set serving.deploy.vertex.replace_with_gap: true. Without a gap: psc_projects in place of "
                "network."
            )
        for other in others:
            self._deployments.undeploy(other)

    def _undeploy_others(self, kept: set[str]) -> None:
        """Undeploy our versions that are not in the plan; traffic has left them."""
        for deployment in self._endpoints.read().deployments:
            free = not deployment.percent or bool(self._settings.network)
            if deployment.version is not None and deployment.id not in kept and free:
                self._deployments.undeploy(deployment)

    def _remove_all(self) -> Served:
        endpoint = self._endpoints.find()
        if endpoint is None:
            return self.status()
        own = [deployment for deployment in endpoint.deployments if deployment.version is not None]
        if any(deployment.percent for deployment in own) and not self._settings.network:
            self._traffic.move({})
        for deployment in own:
            self._deployments.undeploy(deployment)
        self._models.point("champion", None)
        self._models.point("challenger", None)
        return self.status()

    def _with_evaluations(self, names: list[tuple[ServedModel, str]]) -> Served:
        """Import what is missing of the evaluations, after everything that serving needs."""
        notes = []
        for model, name in names:
            try:
                notes.append(self._evaluations.put(model, name))
            except ServiceError as error:
                raise ServiceError(
                    f"version {model.version} serves; its evaluation is not in the Model Registry yet: {error}",
                    transient=error.transient,
                ) from error
        served = self.status()
        return replace(served, notes=(*served.notes, *(note for note in notes if note)))

    def _to_served(self, endpoint: Endpoint) -> Served:
        own = [deployment for deployment in endpoint.deployments if deployment.version is not None]
        traffic: dict[int, int] = {}
        for deployment in own:
            # A private endpoint has no split: all requests go to its one model.
            percent = 100 if self._settings.network else deployment.percent
            if percent and deployment.version is not None:
                traffic[deployment.version] = traffic.get(deployment.version, 0) + percent
        return Served(
            traffic=traffic,
            loaded=tuple(
                sorted({deployment.version for deployment in own if deployment.version is not None})
            ),
            foreign=tuple(
                deployment.shown
                for deployment in endpoint.deployments
                if deployment.version is None
            ),
            address=self._address(endpoint, own),
            notes=self._notes(endpoint),
            ids={
                deployment.id: deployment.version
                for deployment in own
                if deployment.version is not None
            },
        )

    def _address(self, endpoint: Endpoint, own: list[Deployment]) -> str:
        if self._settings.network:
            return ""
        dns = endpoint.message.dedicated_endpoint_dns
        base = dns if dns else self._settings.api_address
        base = base if "://" in base else f"https://{base}"
        return f"{base}/v1/{endpoint.name}:predict"

    def _notes(self, endpoint: Endpoint) -> tuple[str, ...]:
        notes = []
        if self._settings.network:
            notes.append(
                "a private endpoint has one model, no traffic split and no request-response logging."
            )
        if self._settings.psc_projects:
            attachment = endpoint.message.private_service_connect_config.service_attachment
            notes.append(
                "clients reach the endpoint through Private Service Connect"
                + (f", at {attachment}." if attachment else ".")
            )
        if not endpoint.message.deployed_models:
            notes.append("nothing is deployed on the endpoint.")
        return tuple(notes)
