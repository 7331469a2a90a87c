"""An endpoint as SageMaker describes it, with its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .api_errors import ApiError, shortened
from .clients import Clients
from .names import is_model_of, version_of

IN_SERVICE, FAILED = "InService", "Failed"
_IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


@dataclass(frozen=True)
class Variant:
    """A variant of an endpoint.

    Attributes:
        name: Its name.
        weight: Its share of the requests, beside the other variants' weights.
        spec: It in the endpoint's configuration; empty if that was deleted.
        version: The registry's version that it serves; None if it is somebody else's.
    """

    name: str
    weight: float
    spec: Mapping[str, Any]
    version: int | None


@dataclass(frozen=True)
class Endpoint:
    """An endpoint.

    Attributes:
        arn: Its ARN.
        status: Such as `InService`.
        reason: Why it failed, or why its last change did; empty if nothing failed.
        config: Name of its configuration.
        request: The configuration; None if somebody deleted it.
        variants: Variants that answer requests.
        shadows: Variants that get copies of them.
    """

    arn: str
    status: str
    reason: str
    config: str
    request: Mapping[str, Any] | None
    variants: tuple[Variant, ...]
    shadows: tuple[Variant, ...]

    @property
    def in_progress(self) -> bool:
        """Whether it is being changed."""
        return self.status in _IN_PROGRESS

    @property
    def shares(self) -> dict[str, float]:
        """Percent of the requests by variant."""
        total = sum(variant.weight for variant in self.variants)
        return {
            variant.name: 100 * variant.weight / total if total else 0.0
            for variant in self.variants
        }

    @property
    def foreign(self) -> list[Variant]:
        """Variants with requests, or without, that are somebody else's."""
        return [variant for variant in self.variants if variant.version is None]

    @property
    def foreign_shadows(self) -> list[Variant]:
        """Shadow variants that are somebody else's."""
        return [shadow for shadow in self.shadows if shadow.version is None]

    @property
    def models(self) -> set[str]:
        """Names of the models that its configuration uses."""
        return {
            str(variant.spec["ModelName"])
            for variant in (*self.variants, *self.shadows)
            if "ModelName" in variant.spec
        }


def read_endpoint(clients: Clients, name: str) -> Endpoint | None:
    """Read an endpoint.

    Args:
        clients: The clients.
        name: Its name.

    Returns:
        The endpoint; None if there is none.

    Raises:
        ServiceError: If SageMaker refuses or does not answer.
    """
    try:
        described = clients.sagemaker("describe_endpoint", EndpointName=name)
    except ApiError as error:
        if error.is_missing:
            return None
        raise
    config = described.get("EndpointConfigName", "")
    try:
        request = clients.sagemaker("describe_endpoint_config", EndpointConfigName=config)
    except ApiError as error:
        if not error.is_missing:
            raise
        request = None
    return Endpoint(
        arn=described["EndpointArn"],
        status=described["EndpointStatus"],
        reason=shortened(described.get("FailureReason", "")),
        config=config,
        request=request,
        variants=_variants(name, described, request, "ProductionVariants"),
        shadows=_variants(name, described, request, "ShadowProductionVariants"),
    )


def _variants(
    endpoint: str, described: Mapping[str, Any], request: Mapping[str, Any] | None, key: str
) -> tuple[Variant, ...]:
    specs = {one["VariantName"]: one for one in (request or {}).get(key, ())}
    found = []
    for one in described.get(key) or specs.values():
        name = one["VariantName"]
        spec = specs.get(name, {})
        version = version_of(name)
        if spec and not is_model_of(endpoint, spec.get("ModelName", "")):
            version = None
        found.append(Variant(name, float(one.get("CurrentWeight", 0.0)), spec, version))
    return tuple(found)
