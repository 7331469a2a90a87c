"""The part of a Kubernetes API server that keeps Leases, on loopback.

Its rules, by reading kubernetes/kubernetes; none was seen on a cluster:
- a Lease's fields: pkg/apis/coordination/validation/validation.go;
- names, labels, 256 KiB of annotations: staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta.go;
- times with six digits of a second: staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/micro_time.go;
- a resourceVersion that is not the newest is a conflict, one on create is refused:
  staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go, pkg/storage/etcd3/store.go.
Unknown fields are refused, as with fieldValidation=Strict; by default the real server drops them with a warning.
"""

import itertools
import json
import re
from typing import Any

from aiohttp import web
from kubernetes import client
from servers.local_http import LocalServer

_ROOT = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")


class RefusalError(Exception):
    """An answer with a status and a reason, as Kubernetes returns them."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class KubernetesServer(LocalServer):
    """Keeps Leases as the API server does.

    Attributes:
        leases: Leases by namespace and name.
        namespaces: Namespaces that there are.
        forbidden: Verbs that this account may not use.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.leases: dict[tuple[str, str], dict[str, Any]] = {}
        self.namespaces = {"ml"}
        self.forbidden: set[str] = set()
        self._versions = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        one = f"{_ROOT}/{{name}}"
        return [
            web.post(_ROOT, self._answer("create", self._create)),
            web.get(_ROOT, self._answer("list", self._list)),
            web.get(one, self._answer("get", self._get)),
            web.put(one, self._answer("update", self._replace)),
            web.delete(one, self._answer("delete", self._delete)),
        ]

    def error(
        self, status: int, reason: str = "FailsOnDemand", message: str = "fails on demand"
    ) -> web.Response:
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        return web.json_response(
            {**body, "message": message, "reason": reason, "code": status}, status=status
        )

    def _answer(self, verb: str, act: Any) -> Any:
        async def handle(request: web.Request) -> web.Response:
            try:
                if verb in self.forbidden:
                    message = (
                        f'leases.coordination.k8s.io is forbidden: cannot {verb} resource "leases"'
                    )
                    raise RefusalError(403, "Forbidden", message)
                if request.query and verb != "list":
                    raise RefusalError(400, "BadRequest", f"unknown query {dict(request.query)}")
                status, body = act(
                    request.match_info["namespace"],
                    request.match_info.get("name", ""),
                    await (self._queried(request) if verb == "list" else request.read()),
                )
                return web.json_response(body, status=status)
            except RefusalError as error:
                return self.error(error.status, error.reason, str(error))

        return handle

    def _create(self, namespace: str, _: str, data: bytes) -> tuple[int, Any]:
        self._check_namespace(namespace)
        lease = _parse(data, namespace)
        name = lease["metadata"]["name"]
        if "resourceVersion" in lease["metadata"]:
            raise RefusalError(400, "BadRequest", "resourceVersion should not be set on create")
        if (namespace, name) in self.leases:
            raise RefusalError(409, "AlreadyExists", f'leases "{name}" already exists')
        return 201, self._keep(namespace, name, lease)

    def _get(self, namespace: str, name: str, _: bytes) -> tuple[int, Any]:
        return 200, self._there(namespace, name)

    async def _queried(self, request: web.Request) -> bytes:
        return json.dumps(dict(request.query)).encode()

    def _list(self, namespace: str, _: str, data: bytes) -> tuple[int, Any]:
        # kubernetes.io/docs/reference/using-api/api-concepts, "Retrieving large results sets in chunks".
        query = json.loads(data)
        wanted = dict(pair.split("=") for pair in query.pop("labelSelector", "").split(",") if pair)
        limit, after = int(query.pop("limit", 0)), query.pop("continue", "")
        if query:
            raise RefusalError(400, "BadRequest", f"unknown query {query}")
        items = [
            lease
            for (where, name), lease in sorted(self.leases.items())
            if (where == namespace and name > after)
            and wanted.items() <= lease["metadata"].get("labels", {}).items()
        ]
        page = items[: limit or None]
        more = {"continue": page[-1]["metadata"]["name"]} if len(page) < len(items) else {}
        body = {"kind": "LeaseList", "apiVersion": "coordination.k8s.io/v1", "metadata": more}
        return 200, {**body, "items": page}

    def _delete(self, namespace: str, name: str, data: bytes) -> tuple[int, Any]:
        there = self._there(namespace, name)
        version = json.loads(data or b"{}").get("preconditions", {}).get("resourceVersion")
        if version and version != there["metadata"]["resourceVersion"]:
            raise RefusalError(409, "Conflict", "the object has been modified")
        del self.leases[namespace, name]
        return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def _replace(self, namespace: str, name: str, data: bytes) -> tuple[int, Any]:
        self._check_namespace(namespace)
        lease = _parse(data, namespace)
        if lease["metadata"]["name"] != name:
            raise RefusalError(400, "BadRequest", "the name of the object does not match the URL's")
        there = self.leases.get((namespace, name))
        if there is None:
            # pkg/registry/coordination/lease/strategy.go, AllowCreateOnUpdate; seen on 1.34.4 with a resourceVersion.
            return 201, self._keep(namespace, name, lease)
        version = lease["metadata"].get("resourceVersion")
        if version and version != there["metadata"]["resourceVersion"]:
            raise RefusalError(409, "Conflict", "the object has been modified")
        return 200, self._keep(namespace, name, lease)

    def _check_namespace(self, namespace: str) -> None:
        if namespace not in self.namespaces:
            raise RefusalError(404, "NotFound", f'namespaces "{namespace}" not found')

    def _there(self, namespace: str, name: str) -> dict[str, Any]:
        try:
            return self.leases[namespace, name]
        except KeyError:
            raise RefusalError(404, "NotFound", f'leases "{name}" not found') from None

    def _keep(self, namespace: str, name: str, lease: dict[str, Any]) -> dict[str, Any]:
        metadata = {
            **lease["metadata"],
            "namespace": namespace,
            "resourceVersion": str(next(self._versions)),
        }
        self.leases[namespace, name] = {**lease, "metadata": metadata}
        return self.leases[namespace, name]


def _parse(data: bytes, namespace: str) -> dict[str, Any]:
    """Read a Lease, and refuse what the API server (with strict validation) would."""
    lease = json.loads(data)
    _check_fields(lease, client.V1Lease, "Lease")
    metadata, spec = lease.get("metadata", {}), lease.get("spec", {})
    _check_fields(metadata, client.V1ObjectMeta, "Lease.metadata")
    _check_fields(spec, client.V1LeaseSpec, "Lease.spec")
    if (lease.get("apiVersion"), lease.get("kind")) != ("coordination.k8s.io/v1", "Lease"):
        raise RefusalError(400, "BadRequest", "this is no Lease of coordination.k8s.io/v1")
    name = metadata.get("name", "")
    if not _SUBDOMAIN.fullmatch(name) or len(name) > 253:
        raise RefusalError(422, "Invalid", f"metadata.name: Invalid value: '{name}'")
    if metadata.get("namespace", namespace) != namespace:
        raise RefusalError(400, "BadRequest", "the namespace does not match the URL's")
    for field in ("annotations", "labels"):
        for key, value in metadata.get(field, {}).items():
            if not _QUALIFIED.fullmatch(key) or not isinstance(value, str):
                raise RefusalError(422, "Invalid", f"metadata.{field}: Invalid value: '{key}'")
    if sum(map(len, metadata.get("annotations", {}).values())) > 256 * 1024:
        raise RefusalError(422, "Invalid", "metadata.annotations: Too long")
    if spec.get("leaseTransitions", 0) < 0 or spec.get("leaseDurationSeconds", 1) <= 0:
        raise RefusalError(422, "Invalid", "spec: Invalid value")
    for field in ("acquireTime", "renewTime"):
        if field in spec and not _MICRO_TIME.fullmatch(spec[field]):
            raise RefusalError(400, "BadRequest", f"spec.{field}: can't parse '{spec[field]}'")
    return lease


def _check_fields(content: dict[str, Any], kind: Any, where: str) -> None:
    unknown = content.keys() - set(kind.attribute_map.values())
    if unknown:
        raise RefusalError(
            400, "BadRequest", f"strict decoding error: unknown field {where}.{unknown}"
        )
