"""Vertex AI's endpoints on loopback, with the Model Registry (vertex_models.py).

Every request is read into the service's own messages, and what they do not have is refused. Their words are held
(aiplatform_v1 types.endpoint, endpoint_service, machine_resources): traffic sums to 100 or is empty and names deployed
models, `"0"` is the one being deployed, a model with traffic is not undeployed, an update with another etag than the
endpoint's is refused, IDs of endpoints and of deployed models, which fields can be changed in place. One model on a
private endpoint with a network, without a split, is Google's page "Use private services access endpoints". By our
reading alone: which error each gives, that a used ID gives 409, that deployments on one endpoint may run side by side,
and that an ID is free again when its model is undeployed. `python tests/servers/vertex_endpoints.py --port N` runs it
alone.
"""

import argparse
import itertools
import re
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from google.cloud.aiplatform_v1.types import (
    AcceleratorType,
    DeployedModel,
    DeployModelRequest,
    DeployModelResponse,
    Endpoint,
    ListEndpointsResponse,
    MutateDeployedModelRequest,
    MutateDeployedModelResponse,
    UndeployModelRequest,
    UndeployModelResponse,
)
from google.longrunning.operations_pb2 import ListOperationsResponse
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask

if __name__ == "__main__":  # alone, this file's folder is on the path, and not the one above
    sys.path.insert(0, str(Path(__file__).parents[1]))

from servers.local_http import LocalServer
from servers.vertex import LIST_QUERY, PARENT, PROJECT, REGION, ROOT, _answer, _filter, _parse
from servers.vertex_models import ModelRegistry
from servers.vertex_operations import Operations
from servers.vertex_rules import STATUS, RefusalError, check_labels

ENDPOINT_ID = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}"
NUMBER = "123456"
NAMED, NUMBERED = f"projects/{PROJECT}/".encode(), f"projects/{NUMBER}/".encode()
MUTABLE = {
    "display_name",
    "description",
    "labels",
    "traffic_split",
    "predict_request_response_logging_config",
}
REPLICAS = {
    "dedicated_resources.min_replica_count",
    "dedicated_resources.max_replica_count",
}


class VertexServing(LocalServer):
    """Keeps endpoints and models as the service does.

    Attributes:
        endpoints: Messages `Endpoint` by ID.
        registry: The Model Registry.
        operations: Operations of both.
        machines: Machine types that the region has.
        denied: Permission that the caller lacks; empty for none.
        replica_quota: Replicas that may be deployed at most.
        numbers: Whether names have the project's number where its ID was given, as the service may answer.
        splits: Every traffic split that an endpoint ever had, in order.
        exclusive: Whether deployments on one endpoint must come one after the other.
        used: IDs of deployed models that are refused though nothing has them.
        most: The most models that were ever deployed with one display name.
        meanwhile: What somebody else does just before a request: a regular expression of its method and path, and the
            deed. Each happens once.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.endpoints: dict[str, Any] = {}
        self.operations = Operations()
        self.registry = ModelRegistry(self.operations)
        self.machines = {"n1-standard-2", "n1-standard-4"}
        self.denied = ""
        self.replica_quota = 100
        self.numbers = False
        self.splits: list[dict[str, int]] = []
        self.exclusive = False
        self.used: set[str] = set()
        self.most = 0
        self.meanwhile: list[tuple[str, Callable[[], object]]] = []
        self._deploying: dict[str, set[str]] = {}
        self._ids = itertools.count(3001)
        self._lock = threading.RLock()

    def routes(self) -> list[web.RouteDef]:
        endpoints, endpoint = f"{ROOT}/endpoints", f"{ROOT}/endpoints/{{endpoint:[^/:]+}}"
        page = LIST_QUERY | {"readMask"}
        operations = f"{ROOT}/{{kind:endpoints|models}}/{{id}}/operations"
        table: list[tuple[str, str, set[str], Callable[..., Any]]] = [
            ("POST", endpoints, {"endpointId"}, self._create),
            ("GET", endpoints, page, self._list),
            ("GET", endpoint, set(), self._get),
            ("PATCH", endpoint, {"updateMask"}, self._patch),
            ("POST", f"{endpoint}:deployModel", set(), self._deploy),
            ("POST", f"{endpoint}:undeployModel", set(), self._undeploy),
            ("POST", f"{endpoint}:mutateDeployedModel", set(), self._mutate),
            ("GET", operations, {"pageSize", "pageToken", "filter"}, self._list_operations),
            ("GET", f"{operations}/{{operation}}", set(), self._get_operation),
            *self.registry.routes(),
        ]
        return [
            web.route(method, path, self._checked(query, handler))
            for method, path, query, handler in table
        ]

    def error(self, status: int) -> web.Response:
        return RefusalError(
            status, f"fails on demand with {status}", STATUS.get(status, "UNKNOWN")
        ).response()

    def put_foreign(self, endpoint: str, name: str, percent: int) -> str:
        """Deploy a model as somebody else would, who gives it a share of the traffic; returns its ID."""
        with self._lock:
            message = self._named(endpoint)
            new = message.deployed_models.add(
                id=str(next(self._ids)), display_name=name, model=f"{PARENT}/models/other@1"
            )
            if percent:
                self._split(message, self._scaled(message, new.id, percent))
            self._touch(message)
            return str(new.id)

    def split_of(self, endpoint: str) -> dict[str, int]:
        """Return percent by the display name of the deployed model."""
        message = self._named(endpoint)
        names = {one.id: one.display_name for one in message.deployed_models}
        return {names[one]: percent for one, percent in message.traffic_split.items()}

    def named(self, endpoint: str) -> Any:
        """Return the endpoint of a display name."""
        return self._named(endpoint)

    def _checked(self, query: set[str], handler: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(request: web.Request) -> web.Response:
            body = (await request.read()).replace(NUMBERED, NAMED)
            with self._lock:
                self.operations.advance()
                for one in list(self.meanwhile):
                    if re.search(one[0], f"{request.method} {request.path}"):
                        self.meanwhile.remove(one)
                        one[1]()
                try:
                    for name in request.query:
                        if name not in query | {"$alt"}:
                            raise RefusalError(
                                400, f'Invalid JSON payload received. Unknown name "{name}".'
                            )
                    place = request.match_info
                    if place["project"] not in (PROJECT, NUMBER):
                        raise RefusalError(
                            403, f"Permission denied on resource project {place['project']}."
                        )
                    if place["region"] != REGION:
                        raise RefusalError(404, f"Location {place['region']} is not found.")
                    if self.denied and request.method != "GET":
                        raise RefusalError(
                            403, f"Permission '{self.denied}' denied on resource '{PARENT}'."
                        )
                    answer: web.Response = handler(request, body)
                except RefusalError as error:
                    return error.response()
                if self.numbers and isinstance(answer.body, bytes):
                    answer.body = answer.body.replace(NAMED, NUMBERED)
                return answer

        return handle

    def _create(self, request: web.Request, body: bytes) -> web.Response:
        message = _parse(Endpoint, body)
        new_id = request.query.get("endpointId") or str(next(self._ids))
        if not re.fullmatch(ENDPOINT_ID, new_id):
            raise RefusalError(400, f"Endpoint ID {new_id} must match {ENDPOINT_ID}.")
        if not 1 <= len(message.display_name) <= 128:
            raise RefusalError(400, "display_name must have 1 to 128 characters.")
        if message.traffic_split or message.deployed_models:
            raise RefusalError(400, "A new endpoint has no deployed models.")
        if (
            message.network
            and message.private_service_connect_config.enable_private_service_connect
        ):
            raise RefusalError(400, "network and private_service_connect_config are exclusive.")
        check_labels(message.labels)
        _check_log(message)
        if new_id in self.endpoints or new_id in self._deploying or new_id in self.used:
            raise RefusalError(409, f"The Endpoint {new_id} already exists.")
        message.name = f"{PARENT}/endpoints/{new_id}"
        self._deploying[new_id] = set()

        def finish() -> Any:
            self._touch(message)
            if message.dedicated_endpoint_enabled:
                message.dedicated_endpoint_dns = f"{new_id}.{REGION}-123.prediction.vertexai.goog"
            self.endpoints[new_id] = message
            return Endpoint(name=message.name)

        return _answer(self.operations.start(message.name, "createEndpoint", finish))

    def _list(self, request: web.Request, body: bytes) -> web.Response:
        answer = ListEndpointsResponse.pb(ListEndpointsResponse())
        matches = _filter(request.query.get("filter", ""))
        for one in self.endpoints.values():
            if matches(one):
                answer.endpoints.add().CopyFrom(one)
        return _answer(answer)

    def _get(self, request: web.Request, body: bytes) -> web.Response:
        return _answer(self._endpoint(request))

    def _patch(self, request: web.Request, body: bytes) -> web.Response:
        kept, change = self._endpoint(request), _parse(Endpoint, body)
        mask = FieldMask()
        mask.FromJsonString(request.query.get("updateMask", ""))
        if not mask.paths or set(mask.paths) - MUTABLE:
            raise RefusalError(400, f"Invalid update_mask: {list(mask.paths)}.")
        if change.etag and change.etag != kept.etag:
            raise RefusalError(
                409,
                f"The etag {change.etag} does not match the endpoint's, {kept.etag}.",
                "ABORTED",
            )
        if "traffic_split" in mask.paths:
            if kept.network:
                raise RefusalError(400, "Private endpoints do not support traffic splitting.")
            self._check_split(kept, change.traffic_split)
            self._split(kept, change.traffic_split)
        if "predict_request_response_logging_config" in mask.paths:
            _check_log(change)
            kept.predict_request_response_logging_config.CopyFrom(
                change.predict_request_response_logging_config
            )
        self._touch(kept)
        return _answer(kept)

    def _deploy(self, request: web.Request, body: bytes) -> web.Response:
        endpoint, asked = self._endpoint(request), _parse(DeployModelRequest, body)
        model = asked.deployed_model
        running = [one.name for one in self.operations.on(endpoint.name) if not one.done]
        if self.exclusive and running:
            raise RefusalError(
                400,
                f"There are other operations running on the Endpoint {endpoint.name}: {running}.",
                "FAILED_PRECONDITION",
            )
        endpoint_id = endpoint.name.rpartition("/")[2]
        new_id = model.id or str(next(self._ids))
        if not re.fullmatch(r"[0-9]{1,10}", new_id):
            raise RefusalError(400, f"DeployedModel ID {new_id} must have 1 to 10 digits.")
        deploying = self._deploying.setdefault(endpoint_id, set())
        if (
            new_id in {one.id for one in endpoint.deployed_models}
            or new_id in deploying
            or new_id in self.used
        ):
            raise RefusalError(409, f"The DeployedModel {new_id} already exists.")
        match = re.fullmatch(rf"{re.escape(PARENT)}/models/([^/]+)", model.model)
        version = self.registry.find(match[1]) if match else None
        if version is None:
            raise RefusalError(404, f"The Model {model.model} does not exist.")
        self._check_machines(model)
        if endpoint.network and (endpoint.deployed_models or deploying):
            raise RefusalError(
                400, "A private endpoint supports one deployed model.", "FAILED_PRECONDITION"
            )
        if asked.traffic_split:
            self._check_split(endpoint, asked.traffic_split, new_id)
        deploying.add(new_id)

        def finish() -> Any:
            deploying.discard(new_id)
            added = endpoint.deployed_models.add()
            added.CopyFrom(model)
            added.id = new_id
            added.model_version_id = version.version_id
            if asked.traffic_split:
                self._split(
                    endpoint,
                    {
                        (new_id if key == "0" else key): one
                        for key, one in asked.traffic_split.items()
                    },
                )
            same = [
                one for one in endpoint.deployed_models if one.display_name == model.display_name
            ]
            self.most = max(self.most, len(same))
            self._touch(endpoint)
            return DeployModelResponse(deployed_model=DeployedModel.wrap(added))

        finish.failed = lambda: deploying.discard(new_id)  # type: ignore[attr-defined]
        return _answer(self.operations.start(endpoint.name, "deployModel", finish))

    def _undeploy(self, request: web.Request, body: bytes) -> web.Response:
        endpoint, asked = self._endpoint(request), _parse(UndeployModelRequest, body)
        if asked.traffic_split:
            raise RefusalError(400, "This server moves traffic by an update of the endpoint alone.")
        known = [one for one in endpoint.deployed_models if one.id == asked.deployed_model_id]
        if not known:
            raise RefusalError(404, f"The DeployedModel {asked.deployed_model_id} does not exist.")
        last = len(endpoint.deployed_models) == 1
        if endpoint.traffic_split.get(asked.deployed_model_id) and not last:
            raise RefusalError(
                400,
                f"The DeployedModel {asked.deployed_model_id} has traffic.",
                "FAILED_PRECONDITION",
            )

        def finish() -> Any:
            left = [one for one in endpoint.deployed_models if one.id != asked.deployed_model_id]
            kept = [type(one).FromString(one.SerializeToString()) for one in left]
            del endpoint.deployed_models[:]
            endpoint.deployed_models.extend(kept)
            if not kept:
                self._split(endpoint, {})
            self._touch(endpoint)
            return UndeployModelResponse()

        return _answer(self.operations.start(endpoint.name, "undeployModel", finish))

    def _mutate(self, request: web.Request, body: bytes) -> web.Response:
        endpoint, asked = self._endpoint(request), _parse(MutateDeployedModelRequest, body)
        if not asked.update_mask.paths or set(asked.update_mask.paths) - REPLICAS:
            raise RefusalError(400, f"Invalid update_mask: {list(asked.update_mask.paths)}.")
        for one in endpoint.deployed_models:
            if one.id == asked.deployed_model.id:
                wanted = asked.deployed_model.dedicated_resources

                def finish(one: Any = one, wanted: Any = wanted) -> Any:
                    one.dedicated_resources.min_replica_count = wanted.min_replica_count
                    one.dedicated_resources.max_replica_count = wanted.max_replica_count
                    self._touch(endpoint)
                    return MutateDeployedModelResponse()

                return _answer(self.operations.start(endpoint.name, "mutateDeployedModel", finish))
        raise RefusalError(404, f"The DeployedModel {asked.deployed_model.id} does not exist.")

    def _list_operations(self, request: web.Request, body: bytes) -> web.Response:
        place = request.match_info
        answer = ListOperationsResponse()
        answer.operations.extend(self.operations.on(f"{PARENT}/{place['kind']}/{place['id']}"))
        return _named_enums(request, answer)

    def _get_operation(self, request: web.Request, body: bytes) -> web.Response:
        place = request.match_info
        name = f"{PARENT}/{place['kind']}/{place['id']}/operations/{place['operation']}"
        found = self.operations.get(name)
        if found is None:
            raise RefusalError(404, f"The operation {name} does not exist.")
        return _named_enums(request, found)

    def _check_machines(self, model: Any) -> None:
        if model.WhichOneof("prediction_resources") == "shared_resources":
            return
        resources = model.dedicated_resources
        machine = resources.machine_spec
        if (
            resources.min_replica_count < 1
            or resources.max_replica_count < resources.min_replica_count
        ):
            raise RefusalError(400, "min_replica_count must be from 1 to max_replica_count.")
        if machine.machine_type not in self.machines:
            raise RefusalError(
                400, f"Machine type {machine.machine_type} is not supported in {REGION}."
            )
        if bool(machine.accelerator_count) != bool(machine.accelerator_type):
            raise RefusalError(400, "accelerator_type and accelerator_count go together.")
        AcceleratorType(machine.accelerator_type)
        running = sum(
            one.dedicated_resources.max_replica_count
            for endpoint in self.endpoints.values()
            for one in endpoint.deployed_models
        )
        if running + resources.max_replica_count > self.replica_quota:
            raise RefusalError(
                429,
                "The following quota metrics exceed quota limits: "
                "aiplatform.googleapis.com/custom_model_serving_cpus",
            )

    def _check_split(self, endpoint: Any, split: Mapping[str, int], deploying: str = "") -> None:
        known = {one.id for one in endpoint.deployed_models} | ({"0"} if deploying else set())
        unknown = set(split) - known
        if unknown:
            raise RefusalError(400, f"traffic_split names no deployed model: {sorted(unknown)}.")
        if any(percent < 0 for percent in split.values()) or (split and sum(split.values()) != 100):
            raise RefusalError(400, "The traffic percentage values must add up to 100.")

    def _scaled(self, endpoint: Any, new: str, percent: int) -> dict[str, int]:
        if not endpoint.traffic_split:
            return {new: 100}
        first, *others = sorted(endpoint.traffic_split)
        split = dict(endpoint.traffic_split)
        split[first] -= percent
        return {**{one: split[one] for one in (first, *others)}, new: percent}

    def _split(self, endpoint: Any, split: Mapping[str, int]) -> None:
        wanted = dict(split)
        endpoint.traffic_split.clear()
        endpoint.traffic_split.update(wanted)
        self.splits.append(self.split_names(endpoint))

    def split_names(self, endpoint: Any) -> dict[str, int]:
        names = {one.id: one.display_name for one in endpoint.deployed_models}
        return {names.get(one, one): percent for one, percent in endpoint.traffic_split.items()}

    def _touch(self, endpoint: Any) -> None:
        endpoint.etag = f"e{next(self._ids)}"

    def _endpoint(self, request: web.Request) -> Any:
        found = self.endpoints.get(request.match_info["endpoint"])
        if found is None:
            raise RefusalError(
                404, f"The Endpoint {request.match_info['endpoint']} does not exist."
            )
        return found

    def _named(self, name: str) -> Any:
        (found,) = [one for one in self.endpoints.values() if one.display_name == name]
        return found


def _named_enums(request: web.Request, message: Any) -> web.Response:
    """Answer with the names of enums, as the service does if nobody asks for their numbers."""
    numbers = "enum-encoding=int" in request.query.get("$alt", "")
    text = json_format.MessageToJson(message, use_integers_for_enums=numbers)
    return web.Response(text=text, content_type="application/json")


def _check_log(message: Any) -> None:
    log = message.predict_request_response_logging_config
    if not log.enabled:
        return
    if not 0 < log.sampling_rate <= 1:
        raise RefusalError(400, "sampling_rate must be in (0, 1].")
    if not re.fullmatch(r"bq://[^.]+(\.\w+(\.\w+)?)?", log.bigquery_destination.output_uri):
        raise RefusalError(400, f"Invalid BigQuery URI: {log.bigquery_destination.output_uri}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    with VertexServing(parser.parse_args().port) as server:
        print(f"serving {PARENT} at {server.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
