"""A namespace of a real Kubernetes API server, as docs/deploy/kubeflow makes it for the trigger service."""

import uuid
from pathlib import Path
from typing import Any

import yaml
from kubernetes import config
from kubernetes.client import CoordinationV1Api
from servers.deploy_overlays import DOCUMENTS
from servers.kube_apiserver import KubeApiserver

from retrainer.pipelines.triggers.claims.leases import LeaseClaims

ACCOUNT = "retrainer-trigger"


class TriggerNamespace:
    """A namespace with the service's account, which has its role and nothing else.

    Attributes:
        name: The namespace.
        server: The API server.
    """

    def __init__(self, server: KubeApiserver, folder: Path) -> None:
        """Make the namespace.

        Args:
            server: The API server.
            folder: Scratch.
        """
        self.name, self.server, self._folder = f"ml-{uuid.uuid4().hex[:8]}", server, folder
        server.add_namespace(self.name, ACCOUNT)
        text = (DOCUMENTS / "kubeflow/base/role.yaml").read_text()
        for obj in yaml.safe_load_all(text):
            for subject in obj.get("subjects", []):
                subject["namespace"] = self.name
            obj["metadata"]["namespace"] = self.name
            made = server.apply(obj)
            assert made.ok, made.text

    def write_kubeconfig(self) -> Path:
        """Write a kubeconfig with a new token of the account."""
        file = self._folder / f"kubeconfig-{uuid.uuid4().hex[:8]}"
        return self.server.write_kubeconfig(file, self.name, self.server.token(self.name, ACCOUNT))

    def open_claims(self) -> LeaseClaims:
        """Open the claims as a replica does, with a connection of its own."""
        client = config.new_client_from_config(str(self.write_kubeconfig()))
        return LeaseClaims(self.name, CoordinationV1Api(client))

    def leases(self) -> list[dict[str, Any]]:
        """List the Leases that there are."""
        found = self.server.send("GET", self._folder_of_leases)
        items: list[dict[str, Any]] = found.json()["items"]
        return items

    def edit(self, lease: dict[str, Any]) -> dict[str, Any]:
        """Write a Lease as somebody else."""
        changed = self.server.send(
            "PUT", self._path(lease), yaml.safe_dump(lease).encode(), "application/yaml"
        )
        assert changed.ok, changed.text
        made: dict[str, Any] = changed.json()
        return made

    def delete(self, lease: dict[str, Any]) -> None:
        """Delete a Lease as somebody else."""
        assert self.server.send("DELETE", self._path(lease)).ok

    @property
    def _folder_of_leases(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.name}/leases"

    def _path(self, lease: dict[str, Any]) -> str:
        return f"{self._folder_of_leases}/{lease['metadata']['name']}"
