"""A Kubernetes API server with KServe's resource and webhooks, on loopback.

Its schema is KServe's own (kserve_schema); what server-side apply does is in server_side_apply. Statuses are those of
kserve/kserve pkg/controller (kserve_controller). Answers to refusals are Kubernetes' Status objects.
"""

import copy
import itertools
import json
import threading
from typing import Any

from aiohttp import web
from servers import kserve_schema as rules
from servers import server_side_apply as ssa
from servers.local_http import LocalServer

ISVC = "inferenceservices"
Key = tuple[str, str, str]


class RefusalError(Exception):
    """An answer with a status and a reason, as Kubernetes returns them."""

    def __init__(self, status: int, reason: str, message: str, causes: Any = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.causes = status, reason, causes


class KServeCluster(LocalServer):
    """Keeps objects of any kind, and InferenceServices by their rules.

    Attributes:
        objects: Objects by kind, namespace and name.
        schema: Of an InferenceService; None: KServe is not installed.
        minimal: Whether the resource definition is KServe's minimal one, which takes any spec.
        forbidden: Verbs and kinds that this account may not use, such as `patch inferenceservices`.
        refusal: What an admission plugin says about the next changes; empty: nothing.
    """

    def __init__(self, default_mode: str = "Serverless") -> None:
        super().__init__()
        self.objects: dict[Key, dict[str, Any]] = {}
        self.owners: dict[Key, ssa.Owners] = {}
        self.schema: dict[str, Any] | None = rules.schema()
        self.minimal = False
        self.forbidden: set[str] = set()
        self.refusal = ""
        self.default_mode = default_mode
        self.lock = threading.RLock()
        self._versions = itertools.count(100)
        deploy = json.dumps({"defaultDeploymentMode": default_mode})
        self.put("configmaps", "kserve", "inferenceservice-config", {"data": {"deploy": deploy}})

    def put(self, kind: str, namespace: str, name: str, obj: dict[str, Any]) -> dict[str, Any]:
        """Keep an object as it is, under the next resourceVersion."""
        with self.lock:
            metadata = obj.setdefault("metadata", {})
            version = str(next(self._versions))
            metadata |= {"name": name, "namespace": namespace, "resourceVersion": version}
            metadata.setdefault("uid", f"uid-{version}")
            self.objects[kind, namespace, name] = obj
            return obj

    def isvc(self, name: str = "taxi", namespace: str = "ml") -> dict[str, Any]:
        """Return an InferenceService as it is now."""
        with self.lock:
            return copy.deepcopy(self.objects[ISVC, namespace, name])

    def edit(self, change: Any, manager: str = "kubectl-edit", name: str = "taxi") -> None:
        """Change an InferenceService as somebody else: `change` gets the object."""
        with self.lock:
            key = (ISVC, "ml", name)
            live = self.objects.get(key)
            new = copy.deepcopy(live) if live else {"metadata": {}, "spec": {}}
            change(new)
            self.owners.setdefault(key, {})
            ssa.update(live or {"metadata": {}, "spec": {}}, new, self.owners[key], manager)
            self._store(key, new, live)

    def routes(self) -> list[web.RouteDef]:
        handlers = []
        for root in ("/api/v1", "/apis/{group}/{version}"):
            kinds = f"{root}/namespaces/{{namespace}}/{{kind}}"
            handlers += [
                web.get(kinds, self._answer("list", self._list)),
                web.get(f"{kinds}/{{name}}", self._answer("get", self._get)),
                web.patch(f"{kinds}/{{name}}", self._answer("patch", self._patch)),
                web.delete(f"{kinds}/{{name}}", self._answer("delete", self._delete)),
            ]
        return handlers

    def error(
        self, status: int, reason: str = "", message: str = "on demand", causes: Any = None
    ) -> web.Response:
        body = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": status,
        }
        if causes:
            body["details"] = {"causes": causes}
        return web.json_response(body, status=status)

    def _answer(self, verb: str, act: Any) -> Any:
        async def handle(request: web.Request) -> web.Response:
            match, body = request.match_info, await request.read()
            key = (match["kind"], match["namespace"], match.get("name", ""))
            try:
                with self.lock:
                    if not self._allows(verb, match.get("group", ""), key):
                        raise RefusalError(
                            403,
                            "Forbidden",
                            f'{key[0]} "{key[2]}" is forbidden: User "task" cannot {verb} resource "{key[0]}" '
                            f'in API group "{match.get("group", "")}" in the namespace "{key[1]}"',
                        )
                    if key[0] == ISVC and self.schema is None:
                        raise RefusalError(
                            404, "NotFound", "the server could not find the requested resource"
                        )
                    return web.json_response(
                        act(key, dict(request.query), body, request.content_type)
                    )
            except RefusalError as error:
                return self.error(error.status, error.reason, str(error), error.causes)

        return handle

    def _allows(self, verb: str, group: str, key: Key) -> bool:
        """Return whether the account that deploys may do something."""
        return f"{verb} {key[0]}" not in self.forbidden

    def _get(self, key: Key, *_: Any) -> Any:
        if key not in self.objects:
            raise RefusalError(404, "NotFound", f'{key[0]} "{key[2]}" not found')
        return self.objects[key]

    def _list(self, key: Key, query: dict[str, str], *_: Any) -> Any:
        wanted = dict(one.split("=") for one in query.get("labelSelector", "").split(",") if one)
        items = [
            obj
            for (kind, namespace, _), obj in self.objects.items()
            if (kind, namespace) == key[:2]
            and wanted.items() <= obj["metadata"].get("labels", {}).items()
        ]
        return {"items": items}

    def _delete(self, key: Key, query: dict[str, str], body: bytes, _: str) -> Any:
        there = self._get(key)
        for field, value in json.loads(body or b"{}").get("preconditions", {}).items():
            if there["metadata"].get(field) != value:
                raise RefusalError(
                    409, "Conflict", f"the {field} in the precondition does not match"
                )
        del self.objects[key], self.owners[key]
        return {"kind": "Status", "status": "Success"}

    def _patch(self, key: Key, query: dict[str, str], body: bytes, kind: str) -> Any:
        assert key[0] == ISVC
        assert kind == "application/apply-patch+yaml", kind
        assert query.keys() <= {"fieldManager", "force", "fieldValidation"}
        if self.refusal:
            raise RefusalError(403, "Forbidden", self.refusal)
        applied, live = json.loads(body), self.objects.get(key)
        metadata = applied["metadata"]
        assert "managedFields" not in metadata
        wanted = metadata.pop("resourceVersion", None)
        if wanted and (live is None or wanted != live["metadata"]["resourceVersion"]):
            raise RefusalError(
                409,
                "Conflict",
                "the object has been modified",
            )
        self._check(applied)
        owners = copy.deepcopy(self.owners.get(key, {}))
        whole = frozenset({"spec"}) if self.minimal else frozenset()
        try:
            new = ssa.apply(
                live or {"metadata": {}, "spec": {}},
                applied,
                owners,
                query["fieldManager"],
                query.get("force") == "true",
                whole,
            )
        except ssa.ConflictError as error:
            causes = [
                {
                    "reason": "FieldManagerConflict",
                    "message": f'conflict with "{who}"',
                    "field": "." + ".".join(path),
                }
                for who, path in error.fields
            ]
            raise RefusalError(
                409, "Conflict", f"Apply failed with {len(causes)} conflict", causes
            ) from None
        self.owners[key] = owners
        return self._store(key, new, live)

    def _check(self, applied: dict[str, Any]) -> None:
        assert self.schema is not None
        try:
            if not self.minimal:
                rules.check_schema(applied["spec"], self.schema["properties"]["spec"], ".spec")
        except rules.UnknownFieldError as error:
            raise RefusalError(
                500,
                "",
                f"failed to create typed patch object (ml/taxi): {error}",
            ) from None
        except rules.InvalidError as error:
            raise RefusalError(422, "Invalid", str(error)) from None

    def _store(self, key: Key, new: dict[str, Any], live: dict[str, Any] | None) -> dict[str, Any]:
        new["metadata"] |= {"namespace": key[1], "name": key[2]}
        rules.set_defaults(new, self.default_mode)
        try:
            rules.check_webhook(new, live)
        except rules.InvalidError as error:
            raise RefusalError(
                403,
                "Forbidden",
                f"{rules.DENIED}: {error}",
            ) from None
        metadata = new["metadata"]
        if live is not None and live["spec"] == new["spec"]:
            metadata["generation"] = live["metadata"]["generation"]
        else:
            metadata["generation"] = (live["metadata"]["generation"] if live else 0) + 1
        metadata["managedFields"] = ssa.managed_fields(self.owners[key])
        new |= {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
        return self.put(*key, new)
