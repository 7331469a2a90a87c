"""A KServeCluster whose InferenceServices are kept by the real kube-apiserver, under KServe's own resource definition.

Requests go there as they come, and answers come back as they are. The webhooks' rules and the other kinds of objects
are those of `KServeCluster`.
"""

import json
from typing import Any

from servers import kserve_schema as rules
from servers.kserve_cluster import ISVC, Key, KServeCluster, RefusalError
from servers.kube_apiserver import KubeApiserver


class RealKServeCluster(KServeCluster):
    """Keeps InferenceServices in a kube-apiserver; `objects` has them as its last answer said."""

    def __init__(self, default_mode: str, server: KubeApiserver) -> None:
        self._server = server
        super().__init__(default_mode)
        body = json.dumps({"metadata": {"name": "ml"}}).encode()
        made = server.send("POST", "/api/v1/namespaces", body)
        assert made.status_code in (201, 409), made.text
        server.send("DELETE", _path((ISVC, "ml", "taxi")))

    def put(self, kind: str, namespace: str, name: str, obj: dict[str, Any]) -> dict[str, Any]:
        if kind != ISVC:
            return super().put(kind, namespace, name, obj)
        # Whoever writes it as a whole is the controller, with a status.
        with self.lock:
            key = (kind, namespace, name)
            body = json.dumps(obj).encode()
            answer = self._server.send("PUT", f"{_path(key)}/status", body, fieldManager="manager")
            assert answer.ok, answer.text
            self.objects[key] = answer.json()
            return self.objects[key]

    def edit(self, change: Any, manager: str = "kubectl-edit", name: str = "taxi") -> None:
        with self.lock:
            new = self.isvc(name)
            change(new)
            rules.set_defaults(new, self.default_mode)
            key = (ISVC, "ml", name)
            body = json.dumps(new).encode()
            answer = self._server.send("PUT", _path(key), body, fieldManager=manager)
            assert answer.ok, answer.text
            self.objects[key] = answer.json()

    def _delete(self, key: Key, query: dict[str, str], body: bytes, kind: str) -> Any:
        answer = self._answered(self._server.send("DELETE", _path(key), body))
        del self.objects[key]
        return answer

    def _patch(self, key: Key, query: dict[str, str], body: bytes, kind: str) -> Any:
        if self.refusal:
            raise RefusalError(403, "Forbidden", self.refusal)
        live = self.objects.get(key)
        # The validating webhook sees the object as it would become.
        would = self._answered(
            self._server.send("PATCH", _path(key), body, kind, **query, dryRun="All")
        )
        rules.set_defaults(would, self.default_mode)
        try:
            rules.check_webhook(would, live)
        except rules.InvalidError as error:
            said = f"admission webhook denied the request: {error}"
            raise RefusalError(400, "BadRequest", said) from None
        self.objects[key] = self._answered(
            self._server.send("PATCH", _path(key), body, kind, **query)
        )
        return self.objects[key]

    def _answered(self, answer: Any) -> Any:
        if answer.ok:
            return answer.json()
        said = answer.json()
        raise RefusalError(
            answer.status_code,
            said.get("reason", ""),
            said.get("message", ""),
            said.get("details", {}).get("causes"),
        )


def _path(key: Key) -> str:
    return f"/apis/serving.kserve.io/v1beta1/namespaces/{key[1]}/{key[0]}/{key[2]}"
