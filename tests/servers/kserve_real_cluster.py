"""A KServeCluster whose InferenceServices are kept by the real kube-apiserver, under KServe's own resource definition.

Requests go there as they come, and answers come back as they are. It also decides what the account of the tasks may
do, by the role that docs/deploy has for it. The webhooks' rules and the other kinds of objects are those of
`KServeCluster`.
"""

import json
from typing import Any

import yaml
from servers import kserve_schema as rules
from servers.deploy_overlays import DOCUMENTS
from servers.kserve_cluster import ISVC, Key, KServeCluster, RefusalError
from servers.kube_apiserver import KubeApiserver

OVERLAY = DOCUMENTS / "kubeflow/overlays/kserve"
_ACCOUNT = "default-editor"


class RealKServeCluster(KServeCluster):
    """Keeps InferenceServices in a kube-apiserver; `objects` has them as its last answer said.

    Attributes:
        asked: What the tasks' account needed a right for, as (group, resource, verb).
    """

    def __init__(self, default_mode: str, server: KubeApiserver) -> None:
        self._server = server
        self.asked: set[tuple[str, str, str]] = set()
        super().__init__(default_mode)
        server.add_namespace("ml", _ACCOUNT)
        server.add_namespace("kserve")
        for obj in (*_overlay(), *_role_of_mode()):
            made = server.apply(obj, force="true")
            assert made.ok, made.text
        self._token = server.token("ml", _ACCOUNT)
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

    def _allows(self, verb: str, group: str, key: Key) -> bool:
        kind, namespace, name = key
        self.asked.add((group, kind, verb))
        if verb == "patch" and key not in self.objects:
            # Server-side apply needs both rights where it creates.
            self.asked.add((group, kind, "create"))
        if kind == ISVC and verb != "get":
            return super()._allows(verb, group, key)
        user = f"system:serviceaccount:ml:{_ACCOUNT}"
        return super()._allows(verb, group, key) and self._server.may(
            user, verb, f"{kind}.{group}", namespace, name
        )

    def _delete(self, key: Key, query: dict[str, str], body: bytes, kind: str) -> Any:
        answer = self._answered(self._server.send("DELETE", _path(key), body, token=self._token))
        del self.objects[key]
        return answer

    def _patch(self, key: Key, query: dict[str, str], body: bytes, kind: str) -> Any:
        if self.refusal:
            raise RefusalError(403, "Forbidden", self.refusal)
        live = self.objects.get(key)
        # The validating webhook sees the object as it would become.
        would = self._answered(
            self._server.send("PATCH", _path(key), body, kind, self._token, **query, dryRun="All")
        )
        rules.set_defaults(would, self.default_mode)
        try:
            rules.check_webhook(would, live)
        except rules.InvalidError as error:
            raise RefusalError(403, "Forbidden", f"{rules.DENIED}: {error}") from None
        self.objects[key] = self._answered(
            self._server.send("PATCH", _path(key), body, kind, self._token, **query)
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


def _overlay() -> list[dict[str, Any]]:
    role, binding = yaml.safe_load_all((OVERLAY / "role.yaml").read_text())
    for obj in (role, binding):
        obj["metadata"]["namespace"] = "ml"
    binding["subjects"][0]["namespace"] = "ml"
    return [role, binding]


def _role_of_mode() -> list[dict[str, Any]]:
    """Make what the two commands of docs/deploy-models.md ("Access") create."""
    metadata = {"name": "retrainer-kserve-mode", "namespace": "kserve"}
    group = "rbac.authorization.k8s.io"
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["inferenceservice-config"],
        "verbs": ["get"],
    }
    subject = {"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": "ml"}
    return [
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": metadata["name"]},
            "subjects": [subject],
        },
    ]


def _path(key: Key) -> str:
    return f"/apis/serving.kserve.io/v1beta1/namespaces/{key[1]}/{key[0]}/{key[2]}"
