"""moto's server for SageMaker and S3, with the rules that moto leaves out; runs in an environment of its own.

    python sagemaker_moto.py PORT

What is added, each by AWS' API reference of the action (docs.aws.amazon.com/sagemaker/latest/APIReference):

- Requests are checked against the service model: unknown fields, lengths, ranges, patterns, values of enumerations.
- What exists can't be created again; a model's archive must be in S3 (CreateModel, `ModelDataUrl`).
- Endpoints are `Creating` or `Updating` first. Meanwhile no other change is accepted, and what served before serves
  (UpdateEndpoint: "there is no availability loss"). A change that fails leaves the configuration before.
- UpdateEndpoint needs a new configuration; RetainAllVariantProperties keeps the number of machines.
- Beside a shadow variant there is one production variant (CreateEndpointConfig, `ShadowProductionVariants`).
- With a failed endpoint only DeleteEndpoint is possible (DescribeEndpoint, `EndpointStatus`).
"""

import io
import json
import re
import socket
import sys
from typing import Any

import botocore.session
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from moto.sagemaker import urls
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpointConfig
from moto.sagemaker.responses import SageMakerResponse
from werkzeug.serving import run_simple

MODEL = botocore.session.get_session().get_service_model("sagemaker")
# Java's classes of characters, which Python's `re` has not.
_NOT_OURS = re.compile(r"\\p\{")
state: dict[str, Any] = {
    "faults": [],
    "calls": [],
    "splits": [],
    "settles_after": 1,
    "failures": [],
}


class Endpoint:
    """An endpoint, and the change that it is in."""

    def __init__(self, name: str, arn: str, tags: list[dict[str, str]]) -> None:
        self.endpoint_name, self.arn, self.tags = name, arn, tags
        self.status, self.reason, self.config = "Creating", "", ""
        self.variants: list[dict[str, Any]] = []
        self.shadows: list[dict[str, Any]] = []
        self.creation_time = self.last_modified_time = utcnow()
        self.pending: dict[str, Any] = {}

    def change(self, status: str, **becomes: Any) -> None:
        if self.status in ("Creating", "Updating", "Deleting"):
            raise ValidationError(f'Cannot update in-progress endpoint "{self.arn}".')
        if self.status == "Failed" and status != "Deleting":
            raise ValidationError(f'Cannot update endpoint "{self.arn}" in status Failed.')
        self.begin(status, **becomes)

    def begin(self, status: str, **becomes: Any) -> None:
        self.status = status
        reason = state["failures"].pop(0) if state["failures"] and status != "Deleting" else ""
        self.pending = {"left": state["settles_after"], "reason": reason, "becomes": becomes}
        if not self.pending["left"]:
            self.settle()

    def look(self) -> None:
        if self.pending:
            if self.pending["left"] == 0:
                self.settle()
            else:
                self.pending["left"] -= 1

    def settle(self) -> None:
        change, created = self.pending, self.status == "Creating"
        self.pending = {}
        self.reason = change["reason"]
        if self.status == "Deleting":
            self.status = "Deleted"
            return
        self.status = "Failed" if created and self.reason else "InService"
        if not self.reason:
            vars(self).update(change["becomes"])
        if self.status == "InService":
            total = sum(one["CurrentWeight"] for one in self.variants)
            split = {
                one["VariantName"]: round(100 * one["CurrentWeight"] / total, 3)
                for one in self.variants
            }
            shadows = [one["VariantName"] for one in self.shadows]
            state["splits"].append({"split": split, "shadows": shadows})

    def summary(self) -> dict[str, Any]:
        keys = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        return {key: self.described()[key] for key in keys}

    def described(self) -> dict[str, Any]:
        answer = {
            "EndpointName": self.endpoint_name,
            "EndpointArn": self.arn,
            "EndpointConfigName": self.config,
            "EndpointStatus": self.status,
            "CreationTime": self.creation_time,
            "LastModifiedTime": self.last_modified_time,
            "ProductionVariants": self.variants or None,
            "ShadowProductionVariants": self.shadows or None,
            "FailureReason": self.reason or None,
        }
        return {key: value for key, value in answer.items() if value is not None}


def running(variants: list[dict[str, Any]], kept: dict[str, int]) -> list[dict[str, Any]]:
    """Start the variants of a configuration."""
    started = []
    for one in variants:
        count = kept.get(one["VariantName"], one.get("InitialInstanceCount", 1))
        weight = one.get("InitialVariantWeight", 1.0)
        started.append(
            {
                "VariantName": one["VariantName"],
                "CurrentWeight": weight,
                "DesiredWeight": weight,
                "CurrentInstanceCount": count,
                "DesiredInstanceCount": count,
            }
        )
    return started


class Responses(SageMakerResponse):
    """The actions that moto answers too kindly, or not at all."""

    def create_model(self) -> ActionResult:
        backend, name = self.sagemaker_backend, self._get_param("ModelName")
        if name in backend._models:
            raise ValidationError(f'Cannot create already existing model "{name}".')
        uri = self._get_param("PrimaryContainer")["ModelDataUrl"]
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        buckets = s3_backends[self.current_account]["aws"].buckets
        if bucket not in buckets or key not in buckets[bucket].keys:
            raise ValidationError(
                f"Could not access model data at {uri}. Please ensure that the role exists."
            )
        answer = super().create_model()
        backend._models[name].enable_network_isolation = bool(
            self._get_param("EnableNetworkIsolation")
        )
        return answer

    def create_endpoint_config(self) -> ActionResult:
        backend, name = self.sagemaker_backend, self._get_param("EndpointConfigName")
        if name in backend.endpoint_configs:
            raise ValidationError(
                f'Cannot create already existing endpoint configuration "{name}".'
            )
        production = self._get_param("ProductionVariants")
        shadows = self._get_param("ShadowProductionVariants") or []
        if shadows and (len(shadows) > 1 or len(production) > 1):
            raise ValidationError("With a shadow variant there is one production variant.")
        if not sum(one.get("InitialVariantWeight", 1.0) for one in production):
            raise ValidationError("At least one variant must have a weight.")
        backend.validate_production_variants(shadows)
        answer = super().create_endpoint_config()
        backend.endpoint_configs[name].shadow_production_variants = shadows
        return answer

    def describe_endpoint_config(self) -> ActionResult:
        name = self._get_param("EndpointConfigName")
        described = dict(self.sagemaker_backend.describe_endpoint_config(name))
        return ActionResult({key: value for key, value in described.items() if value})

    def create_endpoint(self) -> ActionResult:
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        arn = f"arn:aws:sagemaker:{self.region}:{self.current_account}:endpoint/{name.lower()}"
        if name in backend.endpoints:
            raise ValidationError(f'Cannot create already existing endpoint "{arn}".')
        becomes = self._becomes({})
        endpoint = Endpoint(name, arn, self._get_param("Tags") or [])
        endpoint.config = becomes["config"]
        backend.endpoints[name] = endpoint
        endpoint.begin("Creating", **becomes)
        return ActionResult({"EndpointArn": arn})

    def describe_endpoint(self) -> ActionResult:
        endpoint = self._endpoint()
        endpoint.look()
        if endpoint.status == "Deleted":
            del self.sagemaker_backend.endpoints[endpoint.endpoint_name]
            self._endpoint()
        return ActionResult(endpoint.described())

    def update_endpoint(self) -> ActionResult:
        endpoint = self._endpoint()
        kept = {}
        if self._get_param("RetainAllVariantProperties"):
            excluded = self._get_param("ExcludeRetainedVariantProperties") or []
            if {"VariantPropertyType": "DesiredInstanceCount"} not in excluded:
                kept = {
                    one["VariantName"]: one["DesiredInstanceCount"] for one in endpoint.variants
                }
        becomes = self._becomes(kept)
        if becomes["config"] == endpoint.config:
            raise ValidationError("The endpoint has this configuration.")
        endpoint.change("Updating", **becomes)
        return ActionResult({"EndpointArn": endpoint.arn})

    def update_endpoint_weights_and_capacities(self) -> ActionResult:
        endpoint = self._endpoint()
        variants = {one["VariantName"]: dict(one) for one in endpoint.variants}
        for wanted in self._get_param("DesiredWeightsAndCapacities"):
            if wanted["VariantName"] not in variants:
                raise ValidationError(
                    f'The variant name(s) "{wanted["VariantName"]}" is/are not present within endpoint '
                    f'configuration "{endpoint.config}".'
                )
            one = variants[wanted["VariantName"]]
            weight = wanted.get("DesiredWeight", one["DesiredWeight"])
            count = wanted.get("DesiredInstanceCount", one["DesiredInstanceCount"])
            one.update(CurrentWeight=weight, DesiredWeight=weight)
            one.update(CurrentInstanceCount=count, DesiredInstanceCount=count)
        endpoint.change("Updating", variants=list(variants.values()))
        return ActionResult({"EndpointArn": endpoint.arn})

    def delete_endpoint(self) -> ActionResult:
        self._endpoint().change("Deleting")
        return ActionResult({})

    def list_models(self) -> ActionResult:
        part = self._get_param("NameContains") or ""
        models = self.sagemaker_backend.list_models()
        return ActionResult(
            {
                "Models": [
                    {
                        "ModelName": one.model_name,
                        "ModelArn": one.arn,
                        "CreationTime": one.creation_time,
                    }
                    for one in models
                    if part in one.model_name
                ]
            }
        )

    def _endpoint(self) -> Endpoint:
        name = self._get_param("EndpointName")
        if name not in self.sagemaker_backend.endpoints:
            raise ValidationError(f'Could not find endpoint "{name}".')
        found: Endpoint = self.sagemaker_backend.endpoints[name]
        return found

    def _becomes(self, kept: dict[str, int]) -> dict[str, Any]:
        name = self._get_param("EndpointConfigName")
        config = self.sagemaker_backend.endpoint_configs.get(name)
        if config is None:
            raise ValidationError(f'Could not find endpoint configuration "{name}".')
        return {
            "config": name,
            "variants": running(config.production_variants, kept),
            "shadows": running(getattr(config, "shadow_production_variants", None) or [], kept),
        }


def violation(shape: Any, value: Any, place: str) -> str:
    """Return how a value breaks the service model; empty if it does not."""
    if shape.type_name == "structure":
        if unknown := set(value) - set(shape.members):
            return f"Unknown field {sorted(unknown)} at '{place}'"
        found = [
            violation(shape.members[key], inner, f"{place}.{key}") for key, inner in value.items()
        ]
        return next(filter(None, found), "")
    if shape.type_name == "list":
        found = [violation(shape.member, one, f"{place}.member") for one in value]
        if not found and shape.metadata.get("min"):
            return f"Value '[]' at '{place}' failed to satisfy constraint: Member must have length greater than 0"
        return next(filter(None, found), "")
    if shape.type_name == "string":
        rules = shape.metadata
        begin = f"Value '{value}' at '{place}' failed to satisfy constraint: Member must"
        if shape.enum and value not in shape.enum:
            return f"{begin} satisfy enum value set: [{', '.join(shape.enum)}]"
        if not rules.get("min", 0) <= len(value) <= rules.get("max", len(value)):
            return f"{begin} have length between {rules.get('min', 0)} and {rules.get('max')}"
        pattern = rules.get("pattern", "")
        if pattern and not _NOT_OURS.search(pattern) and not re.fullmatch(pattern, value):
            return f"{begin} satisfy regular expression pattern: {pattern}"
    return ""


class Gate:
    """Checks requests, notes them, and has some of them fail, before and after moto's work."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        path = environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if path == "/_tests":
            return self._control(environ, body, start)
        environ["wsgi.input"] = io.BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        operation = target.partition(".")[2] or f"s3:{environ['REQUEST_METHOD']}"
        state["calls"].append(operation)
        fault = self._fault(operation)
        if fault and fault["kind"] == "error":
            return self._error(start, fault["status"], fault["code"], fault["message"])
        if target and (
            broken := violation(
                MODEL.operation_model(operation).input_shape, json.loads(body), "request"
            )
        ):
            return self._error(
                start, 400, "ValidationException", f"1 validation error detected: {broken}"
            )
        answer = (
            self._application(environ, start)
            if not fault
            else list(self._application(environ, _nothing))
        )
        if fault:
            # The work is done, and nobody hears of it.
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            start("200 OK", [])
            return []
        return answer

    @staticmethod
    def _fault(operation: str) -> dict[str, Any] | None:
        for fault in state["faults"]:
            if fault["operation"] == operation and fault["times"]:
                fault["times"] -= 1
                return dict(fault)
        return None

    @staticmethod
    def _control(environ: dict[str, Any], body: bytes, start: Any) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            state.update(json.loads(body))
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(state).encode()]

    @staticmethod
    def _error(start: Any, status: int, code: str, message: str) -> list[bytes]:
        start(
            f"{status} Error",
            [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)],
        )
        return [json.dumps({"__type": code, "message": message}).encode()]


def _nothing(*_: Any) -> Any:
    return lambda _: None


def main() -> None:
    """Serve until killed."""
    urls.url_paths = dict.fromkeys(urls.url_paths, Responses.dispatch)
    # Its list of machine types is an old one; requests are checked against the service model.
    FakeEndpointConfig.validate_instance_type = lambda self, instance_type: None
    application = Gate(DomainDispatcherApplication(create_backend_app))
    port = int(sys.argv[1])
    run_simple("127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
