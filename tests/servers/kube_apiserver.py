"""The real kube-apiserver on loopback, with etcd: Kubernetes' own storage, validation, access control and admission.

It has no controllers, no nodes and no webhooks: the pods of a Deployment are made by hand (`pods_of`). The token
`secret` may do everything; service accounts may do what roles grant them.
"""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from servers import go_programs

ADMIN = "secret"
ON_A_KUBE_APISERVER = (pytest.mark.cluster, pytest.mark.integration("go", "openssl"))
"""Marks of the tests that need one."""
_APPLY = "application/apply-patch+yaml"


class KubeApiserver:
    """A running API server, and its etcd.

    Attributes:
        url: Its address.
        authority: File with the certificate that it shows.
    """

    def __init__(self, folder: Path) -> None:
        etcd = shutil.which("etcd")
        if etcd is None:
            pytest.skip("needs etcd (Debian's package etcd-server)")
        program = go_programs.build(Path(__file__).parent / "kube_apiserver")
        client, peer, port = _free_ports(3)
        self.url = f"https://127.0.0.1:{port}"
        self.authority = folder / "certificates" / "apiserver.crt"
        (folder / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n')
        key = folder / "sa.key"
        command = ["openssl", "genrsa", "-out", str(key), "2048"]
        subprocess.run(command, check=True, capture_output=True)
        peers = f"http://127.0.0.1:{peer}"
        self._known: dict[str, dict[str, tuple[str, bool]]] = {}
        self._session = requests.Session()
        # Neither a proxy nor its certificates are for a server on loopback.
        self._session.trust_env = False
        self._log = (folder / "log").open("wb")
        self._processes = [
            self._start(
                [
                    etcd,
                    f"--data-dir={folder / 'etcd'}",
                    f"--listen-client-urls=http://127.0.0.1:{client}",
                    f"--advertise-client-urls=http://127.0.0.1:{client}",
                    f"--listen-peer-urls={peers}",
                    f"--initial-advertise-peer-urls={peers}",
                    f"--initial-cluster=default={peers}",
                    "--unsafe-no-fsync",
                ]
            ),
            self._start(
                [
                    str(program),
                    f"--etcd-servers=http://127.0.0.1:{client}",
                    f"--secure-port={port}",
                    "--bind-address=127.0.0.1",
                    "--advertise-address=127.0.0.1",
                    f"--cert-dir={folder / 'certificates'}",
                    f"--service-account-key-file={key}",
                    f"--service-account-signing-key-file={key}",
                    "--service-account-issuer=https://kubernetes",
                    f"--token-auth-file={folder / 'tokens.csv'}",
                    "--authorization-mode=RBAC",
                    "--service-cluster-ip-range=10.0.0.0/24",
                    "--endpoint-reconciler-type=none",
                ]
            ),
        ]
        self._wait(self._is_ready, folder / "log")

    def stop(self) -> None:
        self._session.close()
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._log.close()

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Let it answer nothing for a while: its process is halted, and connections stay open."""
        _, process = self._processes
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def define(self, definition: Path, plural: str, group: str) -> None:
        """Create a custom resource definition from its file, and wait until the resource is served."""
        root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        made = self.send("POST", root, definition.read_bytes(), "application/yaml")
        assert made.ok, made.text
        served = (f"/apis/{group}/namespaces/x/{plural}", f"/apis/{group}")
        self._wait(lambda: all(self.send("GET", path).ok for path in served), definition)

    def redefine(self, definition: Path, in_force: Callable[[], bool]) -> None:
        """Put another version of a custom resource definition in its place, and wait until it is in force."""
        new = yaml.load(definition.read_text(), Loader=yaml.CSafeLoader)
        path = self.path(new)
        now = self.send("GET", path).json()
        body = json.dumps({**now, "spec": {**now["spec"], "versions": new["spec"]["versions"]}})
        changed = self.send("PUT", path, body.encode())
        assert changed.ok, changed.text
        self._wait(in_force, definition)

    def add_namespace(self, name: str, *accounts: str, level: str = "restricted") -> None:
        """Create a namespace that holds pods to a level of Kubernetes' Pod Security Standards.

        Args:
            name: Its name.
            *accounts: Service accounts to create in it; a cluster's controllers would create `default`.
            level: The level, below which pods are refused and what makes them is warned of.
        """
        modes = ("enforce", "warn", "audit")
        labels = {f"pod-security.kubernetes.io/{mode}": level for mode in modes}
        made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}]
        made[0]["metadata"]["labels"] = labels  # type: ignore[index]
        for account in ("default", *accounts):
            metadata = {"name": account, "namespace": name}
            made.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        for obj in made:
            answer = self.apply(obj)
            assert answer.ok, answer.text

    def apply(self, obj: Mapping[str, Any], token: str = ADMIN, **query: Any) -> requests.Response:
        """Apply an object as `kubectl apply --server-side` does."""
        query = {"fieldManager": "kubectl", "fieldValidation": "Strict", **query}
        return self.send("PATCH", self.path(obj), json.dumps(obj).encode(), _APPLY, token, **query)

    def create(self, obj: Mapping[str, Any], token: str = ADMIN) -> requests.Response:
        """Create an object as `kubectl create` does."""
        folder = self.path(obj).rpartition("/")[0]
        return self.send(
            "POST", folder, json.dumps(obj).encode(), token=token, fieldValidation="Strict"
        )

    def get(self, obj: Mapping[str, Any]) -> dict[str, Any] | None:
        """Read an object that another one names; None if it is missing."""
        answer = self.send("GET", self.path(obj))
        assert answer.ok or answer.status_code == 404, answer.text
        return answer.json() if answer.ok else None

    def path(self, obj: Mapping[str, Any]) -> str:
        """Return the path that an object has in the API."""
        version, metadata = obj["apiVersion"], obj["metadata"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        plural, namespaced = self._kinds(root)[obj["kind"]]
        namespace = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        return f"{root}{namespace}/{plural}/{metadata['name']}"

    def token(self, namespace: str, account: str, audience: str = "") -> str:
        """Return a token of a service account, as a pod or `kubectl create token` gets it."""
        spec = {"audiences": [audience]} if audience else {}
        made = self.send(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
            json.dumps({"spec": spec}).encode(),
        )
        assert made.ok, made.text
        token: str = made.json()["status"]["token"]
        return token

    def write_kubeconfig(self, file: Path, namespace: str, token: str = ADMIN) -> Path:
        """Write a kubeconfig whose current context has a namespace and a token."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "c",
                    "cluster": {"server": self.url, "certificate-authority": str(self.authority)},
                }
            ],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [
                {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": namespace}}
            ],
            "current-context": "x",
        }
        file.write_text(json.dumps(config))
        return file

    def may(self, user: str, verb: str, resource: str, namespace: str, name: str = "") -> bool:
        """Ask whether a user may do something: a SubjectAccessReview.

        Args:
            user: The user; of a service account `system:serviceaccount:<namespace>:<name>`.
            verb: Such as `get`.
            resource: Such as `deployments.apps`, or `pods/exec` of the core group.
            namespace: Where; empty for the whole cluster.
            name: Of one object; empty for all.
        """
        plural, _, group = resource.partition(".")
        plural, _, part = plural.partition("/")
        attributes = {
            "verb": verb,
            "group": group,
            "resource": plural,
            "subresource": part,
            "namespace": namespace,
            "name": name,
        }
        answer = self.send(
            "POST",
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            json.dumps({"spec": {"user": user, "resourceAttributes": attributes}}).encode(),
        )
        assert answer.ok, answer.text
        return bool(answer.json()["status"]["allowed"])

    def rules(self, token: str, namespace: str) -> list[tuple[str, str, str, str]]:
        """List what a token's account may do in a namespace, as (group, resource, name, verb)."""
        answer = self.send(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
            json.dumps({"spec": {"namespace": namespace}}).encode(),
            token=token,
        )
        assert answer.ok, answer.text
        return sorted(
            (group, resource, name, verb)
            for rule in answer.json()["status"]["resourceRules"]
            for group in rule.get("apiGroups", [""])
            for resource in rule["resources"]
            for name in rule.get("resourceNames", [""])
            for verb in rule["verbs"]
        )

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        kind: str = "application/json",
        token: str = ADMIN,
        **query: Any,
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                self.url + path,
                params=query,
                data=body,
                headers={"Authorization": f"Bearer {token}", "Content-Type": kind},
                verify=str(self.authority),
                timeout=30,
            )
        except requests.ConnectionError:
            away = requests.Response()
            away.status_code = 503
            return away

    def _kinds(self, root: str) -> dict[str, tuple[str, bool]]:
        if root not in self._known:
            answer = self.send("GET", root)
            assert answer.ok, answer.text
            self._known[root] = {
                its["kind"]: (its["name"], its["namespaced"])
                for its in answer.json()["resources"]
                if "/" not in its["name"]
            }
        return self._known[root]

    def _is_ready(self) -> bool:
        return self.authority.exists() and self.send("GET", "/readyz").ok

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def _wait(self, ready: Any, log: Path) -> None:
        deadline = time.monotonic() + 300
        while not ready():
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.1)


def pods_of(obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Make the pods that a cluster's controllers would make of an object: one of each template."""
    spec = obj.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    if "template" not in spec:
        return []
    template, metadata = spec["template"], obj["metadata"]
    named = {"name": f"{metadata['name']}-0", "namespace": metadata["namespace"]}
    own = {**template.get("metadata", {}), **named}
    return [{"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": template["spec"]}]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
