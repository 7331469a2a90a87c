"""What a plan asks of SageMaker: models, and an endpoint configuration with a variant for each version."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..interface import Plan, ServedModel, ServiceError
from .archive import archive_uri
from .endpoint import Endpoint, Variant
from .names import config_name, model_name, variant_name
from .settings import Settings

FULL = 100.0
# What a variant here has, weight apart; SageMaker may describe more, and fills in defaults.
_SHAPE = (
    "VariantName",
    "ModelName",
    "InitialInstanceCount",
    "InstanceType",
    "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds",
)
ENDPOINT_TAG = "retrainer:endpoint"
_NOT_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")
_MOST_TAG = 256


@dataclass(frozen=True)
class Wanted:
    """What an endpoint shall be.

    Attributes:
        config: The request of CreateEndpointConfig, without tags; its name is made of the rest.
        weights: Weight by variant, of those that answer requests.
    """

    config: Mapping[str, Any]
    weights: Mapping[str, float]

    @property
    def name(self) -> str:
        """Name of the configuration."""
        return str(self.config["EndpointConfigName"])


def wanted(settings: Settings, plan: Plan, endpoint: Endpoint | None) -> Wanted:
    """Work out what an endpoint shall be.

    Args:
        settings: The endpoint's.
        plan: Which versions serve.
        endpoint: What it is now; None if there is none.

    Raises:
        ServiceError: If variants of somebody else are in the way.
    """
    weights: dict[str, float] = {}
    production, shadows = [], []
    for model, share in (
        (plan.stable, 100 - (plan.percent if plan.canary else 0)),
        (plan.canary, plan.percent),
    ):
        if model is None:
            continue
        if plan.shadow and model is plan.canary:
            shadows.append(_variant(settings, model, FULL))
        else:
            weights[variant_name(model.version)] = float(share)
            production.append(_variant(settings, model, float(share)))
    if endpoint and not settings.take_over:
        for kept in _foreign(settings, endpoint, bool(shadows)):
            weights[kept.name] = 0.0
            production.append({**kept.spec, "InitialVariantWeight": 0.0})
    content = {"ProductionVariants": production}
    if shadows:
        content["ShadowProductionVariants"] = shadows
    config: dict[str, Any] = {**content, **_options(settings)}
    config["EndpointConfigName"] = config_name(settings.endpoint, config)
    return Wanted(config, weights)


def create_model_request(settings: Settings, model: ServedModel) -> dict[str, Any]:
    """Return the request of CreateModel for a version, without tags; its name is made of the rest."""
    request: dict[str, Any] = {
        "PrimaryContainer": {
            "Image": settings.image,
            "ModelDataUrl": archive_uri(settings, model),
            **({"Environment": dict(settings.environment)} if settings.environment else {}),
        },
        "ExecutionRoleArn": settings.role,
    }
    if settings.vpc:
        request["VpcConfig"] = {
            "Subnets": list(settings.vpc.subnets),
            "SecurityGroupIds": list(settings.vpc.security_groups),
        }
    if settings.network_isolation:
        request["EnableNetworkIsolation"] = True
    request["ModelName"] = model_name(settings.endpoint, model.version, request)
    return request


def tags(
    settings: Settings, pipeline: str, model: ServedModel | None = None
) -> list[dict[str, str]]:
    """Return the tags of what is made: the user's own, and by which pipeline, run and version it came to be."""
    values = {**settings.tags, ENDPOINT_TAG: settings.endpoint, "retrainer:pipeline": pipeline}
    if model:
        values["retrainer:version"] = str(model.version)
        values["retrainer:digest"] = model.digest
        for key in ("run", "span"):
            if model.info.get(key):
                values[f"retrainer:{key}"] = str(model.info[key])
    return [
        {"Key": key, "Value": _NOT_IN_TAGS.sub("_", value)[:_MOST_TAG]}
        for key, value in values.items()
    ]


def has_shape(endpoint: Endpoint, target: Wanted) -> bool:
    """Return whether an endpoint has the wanted variants and options, whatever their weights."""
    if endpoint.config == target.name:
        return True
    if endpoint.request is None:
        return False
    keys = ("DataCaptureConfig", "KmsKeyId")
    return all(
        _shapes(endpoint.request.get(key, ())) == _shapes(target.config.get(key, ()))
        for key in ("ProductionVariants", "ShadowProductionVariants")
    ) and all((endpoint.request.get(key) or None) == target.config.get(key) for key in keys)


def _shapes(variants: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    shapes = [{key: variant.get(key) for key in _SHAPE} for variant in variants]
    return sorted(shapes, key=lambda shape: str(shape["VariantName"]))


def _variant(settings: Settings, model: ServedModel, weight: float) -> dict[str, Any]:
    name = str(create_model_request(settings, model)["ModelName"])
    variant = {
        "VariantName": variant_name(model.version),
        "ModelName": name,
        "InitialInstanceCount": settings.instance_count,
        "InstanceType": settings.instance_type,
        "InitialVariantWeight": weight,
    }
    if seconds := settings.startup_timeout_seconds:
        variant["ModelDataDownloadTimeoutInSeconds"] = seconds
        variant["ContainerStartupHealthCheckTimeoutInSeconds"] = seconds
    return variant


def _options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if capture := settings.data_capture:
        options["DataCaptureConfig"] = {
            "EnableCapture": True,
            "InitialSamplingPercentage": capture.percent,
            "DestinationS3Uri": capture.uri,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
            **({"KmsKeyId": capture.kms_key} if capture.kms_key else {}),
        }
    if settings.kms_key:
        options["KmsKeyId"] = settings.kms_key
    return options


def _foreign(settings: Settings, endpoint: Endpoint, shadow: bool) -> list[Variant]:
    """List the production variants of somebody else, which stay as they are: without requests."""
    foreign = endpoint.foreign
    in_the_way = [variant for variant in foreign if variant.weight or not variant.spec]
    if shadow:
        # Beside a shadow variant SageMaker takes one production variant, and no second shadow (CreateEndpointConfig).
        in_the_way = foreign
    in_the_way = [*in_the_way, *endpoint.foreign_shadows]
    if in_the_way:
        names = ", ".join(f"'{variant.name}'" for variant in in_the_way)
        raise ServiceError(
            f"endpoint '{settings.endpoint}' serves {names}, which retrainer did not deploy. Take the requests from "
            "there, name another endpoint in serving.deploy.sagemaker.endpoint, or set "
            "serving.deploy.sagemaker.take_over: true to have them replaced."
        )
    return foreign
