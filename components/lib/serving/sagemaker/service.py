"""SageMaker made to be as a plan says: look at the endpoint, do one thing, wait until it is done, look again."""

import time
from collections.abc import Mapping
from typing import Any

from ...progress import progress
from ..interface import Plan, Served, ServedModel, ServiceError
from . import archive
from .api_errors import ApiError, is_capacity
from .clients import Clients
from .endpoint import FAILED, IN_SERVICE, Endpoint, read_endpoint
from .leftovers import remove_leftovers
from .settings import Settings
from .variants import ENDPOINT_TAG, Wanted, create_model_request, has_shape, tags, wanted

POLL_SECONDS = 15.0
_MOST_STEPS = 8
_SAME = 0.5
# An autoscaled variant keeps its machines; weights and logging are as the new configuration says.
_NOT_RETAINED = (
    {"VariantPropertyType": "DesiredWeight"},
    {"VariantPropertyType": "DataCaptureConfig"},
)


class SageMakerService:
    """An endpoint of SageMaker.

    SageMaker changes an endpoint once at a time and knows no precondition: who comes second gets an error, waits, and
    looks again.
    """

    def __init__(self, settings: Settings, pipeline: str, clients: Clients) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._clients = clients

    def apply(self, plan: Plan) -> Served:
        """Make a plan so, and wait until it is.

        A version that serves already is not touched. Traffic moves in one call of SageMaker: between variants that run
        by their weights, else with the new configuration, whose machines run before any request goes there.

        Args:
            plan: Which versions serve.

        Returns:
            What serves.

        Raises:
            ServiceError: If SageMaker refuses or does not answer. The plan before still serves then.
            RetrainerError: If a version's files are damaged.
        """
        deadline = time.monotonic() + self._settings.timeout_seconds
        if plan.stable is None and plan.canary is None:
            self._retire(deadline)
            return self._served(None, remove_leftovers(self._clients, self._settings, None))
        asked, before, model_is_missing = "", "", False
        for _ in range(_MOST_STEPS):
            endpoint = self._settled(deadline)
            if asked:
                self._check_outcome(endpoint, asked, before)
            if endpoint and endpoint.status == FAILED:
                self._delete_failed(endpoint, deadline)
                endpoint = None
            target = wanted(self._settings, plan, endpoint)
            before = endpoint.config if endpoint else ""
            try:
                if endpoint and has_shape(endpoint, target) and _has_weights(endpoint, target):
                    left = remove_leftovers(self._clients, self._settings, endpoint)
                    return self._served(endpoint, left)
                known = set() if model_is_missing or not endpoint else endpoint.models
                asked = self._step(endpoint, target, plan, known)
            except ApiError as error:
                # Another deployment is at it, or the answer to an earlier call of this one was lost.
                there = error.is_there or self._has_config(target.name)
                if not (error.is_in_progress or there or error.is_missing):
                    raise
                asked = target.name if there else ""
                model_is_missing = error.is_missing
                time.sleep(POLL_SECONDS / 5)
        raise ServiceError(
            f"endpoint '{self._settings.endpoint}' was changed by somebody else while version "
            f"{_versions(plan)} was deployed. Deploy again once they are done.",
            transient=True,
        )

    def status(self) -> Served:
        """Look at what serves; changes nothing.

        Returns:
            What serves.

        Raises:
            ServiceError: If SageMaker does not answer.
        """
        return self._served(read_endpoint(self._clients, self._settings.endpoint), ())

    def _step(self, endpoint: Endpoint | None, target: Wanted, plan: Plan, known: set[str]) -> str:
        """Do the next thing.

        Args:
            endpoint: What there is.
            target: What shall be.
            plan: Which versions serve.
            known: Models that need not be created.

        Returns:
            Name of the configuration that the endpoint must have afterwards; empty if it keeps its own.
        """
        name = self._settings.endpoint
        if endpoint and _runs_all(endpoint, target):
            weights = {variant.name: 0.0 for variant in endpoint.variants} | dict(target.weights)
            if not _has_weights(endpoint, target):
                progress(f"moving the requests of endpoint {name}")
                self._clients.sagemaker(
                    "update_endpoint_weights_and_capacities",
                    EndpointName=name,
                    DesiredWeightsAndCapacities=[
                        {"VariantName": variant, "DesiredWeight": weight}
                        for variant, weight in sorted(weights.items())
                    ],
                )
                return ""
        for model in (plan.stable, plan.canary):
            if model:
                self._ensure_model(model, known)
        self._create("create_endpoint_config", target.config, tags(self._settings, self._pipeline))
        if endpoint is None:
            self._clients.sagemaker(
                "create_endpoint",
                EndpointName=name,
                EndpointConfigName=target.name,
                Tags=tags(self._settings, self._pipeline),
            )
        else:
            self._clients.sagemaker(
                "update_endpoint",
                EndpointName=name,
                EndpointConfigName=target.name,
                RetainAllVariantProperties=True,
                ExcludeRetainedVariantProperties=list(_NOT_RETAINED),
            )
        return target.name

    def _has_config(self, name: str) -> bool:
        """Return whether the endpoint has a configuration by now: an update to the one it has is refused."""
        endpoint = read_endpoint(self._clients, self._settings.endpoint)
        return endpoint is not None and endpoint.config == name

    def _ensure_model(self, model: ServedModel, known: set[str]) -> None:
        request = create_model_request(self._settings, model)
        if request["ModelName"] in known:
            return
        archive.upload(self._clients, self._settings, model)
        self._create("create_model", request, tags(self._settings, self._pipeline, model))

    def _create(
        self, operation: str, request: Mapping[str, Any], own_tags: list[dict[str, str]]
    ) -> None:
        """Create what may be there from an earlier try: its name says that it has this content."""
        try:
            self._clients.sagemaker(operation, **request, Tags=own_tags)
        except ApiError as error:
            if not error.is_there:
                raise

    def _settled(self, deadline: float) -> Endpoint | None:
        """Wait while the endpoint is being changed, by whomever."""
        name = self._settings.endpoint
        began = time.monotonic()
        while (endpoint := read_endpoint(self._clients, name)) and endpoint.in_progress:
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"endpoint '{name}' is still {endpoint.status} after {self._settings.timeout_seconds:g} seconds. "
                    "SageMaker goes on; the next deployment waits for it. Raise "
                    "serving.deploy.sagemaker.timeout_seconds if this is usual.",
                    transient=True,
                )
            waited = time.monotonic() - began
            progress(f"endpoint {name} is {endpoint.status}, for {waited:.0f} seconds")
            time.sleep(POLL_SECONDS)
        return endpoint

    def _check_outcome(self, endpoint: Endpoint | None, asked: str, before: str) -> None:
        """Check that the endpoint became what was asked of it.

        Args:
            endpoint: What it is now.
            asked: The configuration that it was to get.
            before: The one that it had.

        Raises:
            ServiceError: If SageMaker gave up, or somebody else changed it.
        """
        name = self._settings.endpoint
        if endpoint is None:
            raise ServiceError(
                f"endpoint '{name}' was deleted by somebody else while it was deployed. Deploy again to create it.",
                transient=True,
            )
        reason = endpoint.reason or "it gives no reason"
        hint = _hint(reason, self._settings)
        if endpoint.status == FAILED:
            raise ServiceError(
                f"endpoint '{name}' failed: {reason}.{hint} The containers' logs are in CloudWatch, "
                f"/aws/sagemaker/Endpoints/{name}. The next deployment creates it again.",
                transient=is_capacity(reason),
            )
        if endpoint.config == asked:
            return
        serves = _traffic_words(endpoint)
        if endpoint.config == before:
            raise ServiceError(
                f"SageMaker rolled the change of endpoint '{name}' back: {reason}.{hint} {serves}. The containers' "
                f"logs are in CloudWatch, /aws/sagemaker/Endpoints/{name}.",
                transient=is_capacity(reason),
            )
        raise ServiceError(
            f"endpoint '{name}' has the configuration '{endpoint.config}' and not '{asked}', which retrainer asked "
            f"for: somebody else changed it meanwhile. {serves}. Deploy again to replace that.",
            transient=True,
        )

    def _delete_failed(self, endpoint: Endpoint, deadline: float) -> None:
        """Delete an endpoint that failed, with which SageMaker lets nothing else be done."""
        self._check_own(endpoint)
        self._delete(deadline)

    def _retire(self, deadline: float) -> None:
        """Delete the endpoint: SageMaker has none without variants."""
        endpoint = self._settled(deadline)
        if endpoint is None:
            return
        if endpoint.foreign:
            names = ", ".join(f"'{variant.name}'" for variant in endpoint.foreign)
            raise ServiceError(
                f"endpoint '{self._settings.endpoint}' serves {names}, which retrainer did not deploy, so it is not "
                "deleted. Take retrainer's variants from it in SageMaker."
            )
        self._check_own(endpoint)
        self._delete(deadline)

    def _check_own(self, endpoint: Endpoint) -> None:
        found = self._clients.pages("list_tags", "Tags", ResourceArn=endpoint.arn)
        if {"Key": ENDPOINT_TAG, "Value": self._settings.endpoint} not in found:
            raise ServiceError(
                f"endpoint '{self._settings.endpoint}' is {endpoint.status} and was not created by retrainer (it has "
                f"no tag {ENDPOINT_TAG}), so it is not deleted. Delete it in SageMaker, or name another one in "
                "serving.deploy.sagemaker.endpoint."
            )

    def _delete(self, deadline: float) -> None:
        try:
            self._clients.sagemaker("delete_endpoint", EndpointName=self._settings.endpoint)
        except ApiError as error:
            if not error.is_missing:
                raise
        self._settled(deadline)

    def _served(self, endpoint: Endpoint | None, left: tuple[str, ...]) -> Served:
        if endpoint is None:
            return Served(notes=left)
        notes = list(left)
        if endpoint.status != IN_SERVICE:
            notes.append(f"endpoint '{self._settings.endpoint}' is {endpoint.status}")
        if endpoint.reason:
            notes.append(f"SageMaker's reason for its last failure: {endpoint.reason}")
        if endpoint.request is None:
            notes.append(f"its configuration '{endpoint.config}' was deleted by somebody else")
        shares = endpoint.shares
        traffic = {
            variant.version: round(shares[variant.name])
            for variant in endpoint.variants
            if variant.version is not None and shares[variant.name]
        }
        both = (*endpoint.variants, *endpoint.shadows)
        return Served(
            traffic=traffic,
            loaded=tuple(
                sorted(variant.version for variant in both if variant.version is not None)
            ),
            foreign=tuple(variant.name for variant in both if variant.version is None),
            address=self._clients.invocations_address(),
            notes=tuple(notes),
        )


def _runs_all(endpoint: Endpoint, target: Wanted) -> bool:
    """Return whether every wanted variant runs with its model, so that weights alone lead requests there."""
    running = {variant.name: variant.spec.get("ModelName") for variant in endpoint.variants}
    return "ShadowProductionVariants" not in target.config and all(
        running.get(one["VariantName"]) == one["ModelName"]
        for one in target.config["ProductionVariants"]
    )


def _has_weights(endpoint: Endpoint, target: Wanted) -> bool:
    total = sum(target.weights.values()) or 1.0
    return all(
        abs(share - 100 * target.weights.get(name, 0.0) / total) < _SAME
        for name, share in endpoint.shares.items()
    )


def _traffic_words(endpoint: Endpoint) -> str:
    parts = [f"{name} with {share:.0f} %" for name, share in endpoint.shares.items() if share]
    return f"It serves {', '.join(parts)}" if parts else "It serves nothing"


def _hint(reason: str, settings: Settings) -> str:
    if is_capacity(reason):
        return f" AWS has no free {settings.instance_type} now: deploy again later, or set another instance_type."
    return ""


def _versions(plan: Plan) -> str:
    return " and ".join(str(planned.version) for planned in (plan.stable, plan.canary) if planned)
