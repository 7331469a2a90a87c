"""The commands of the guides, as they stand there, against Kubernetes' own API server."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from servers.deploy_overlays import DOCUMENTS
from servers.kube_apiserver import ON_A_KUBE_APISERVER, KubeApiserver
from servers.kubeflow_access import AUDIENCE

pytestmark = [*ON_A_KUBE_APISERVER, pytest.mark.integration("kubectl")]

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"kubectl (?:[^\n\\`)]|\\\n)+")
RBAC = "rbac.authorization.k8s.io"
GUIDES = (DOCUMENTS / "README.md", DOCUMENTS.parent / "deploy-models.md")
# It waits for controllers.
LEFT_OUT = "rollout status"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(DOCUMENTS / "kubeflow", tmp_path / "kubeflow")
    (tmp_path / "key.json").write_text("{}")
    return tmp_path


def run(
    server: KubeApiserver, folder: Path, command: str, token: str = "secret"
) -> subprocess.CompletedProcess[str]:
    """Run a command of a shell in the folder of docs/deploy, as the bearer of a token."""
    kubeconfig = server.write_kubeconfig(folder / "kubeconfig", "default", token)
    variables = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(folder)}
    return subprocess.run(
        command, shell=True, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )


def commands() -> list[str]:
    """List the guides' commands of kubectl in their order."""
    return [
        " ".join(command.replace("\\\n", " ").split())
        for guide in GUIDES
        for block in _BLOCK.findall(guide.read_text())
        for command in _COMMAND.findall(block)
        if LEFT_OUT not in command
    ]


def test_the_guides_commands_do_what_they_say(kube_apiserver: KubeApiserver, folder: Path) -> None:
    kube_apiserver.add_namespace("orders", "default-editor")
    kube_apiserver.add_namespace("kserve")
    for kind in ("roles", "rolebindings"):
        # Of an earlier test.
        path = f"/apis/{RBAC}/v1/namespaces/kserve/{kind}/retrainer-kserve-mode"
        kube_apiserver.send("DELETE", path)
    objects, users = [], []
    for command in commands():
        done = run(kube_apiserver, folder, command)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert "warning" not in done.stderr.lower(), f"{command}: {done.stderr}"
        if command.startswith("kubectl apply -k"):
            objects = kubectl_objects(kube_apiserver, folder, command)
            assert all(map(kube_apiserver.get, objects))
        if " create token " in command:
            users.append(user_of(kube_apiserver, done.stdout.strip()))
    assert users == ["system:serviceaccount:orders:retrainer-trigger"]
    # "Removing it all" leaves nothing.
    assert objects
    assert not any(map(kube_apiserver.get, objects))
    tasks = "system:serviceaccount:orders:default-editor"
    assert kube_apiserver.may(tasks, "get", "configmaps", "kserve", "inferenceservice-config")
    assert not kube_apiserver.may(tasks, "get", "configmaps", "kserve", "others")


def user_of(server: KubeApiserver, token: str) -> str:
    """Ask whose a token is, as Kubeflow Pipelines does."""
    review = server.send(
        "POST",
        "/apis/authentication.k8s.io/v1/tokenreviews",
        json.dumps({"spec": {"token": token, "audiences": [AUDIENCE]}}).encode(),
    )
    name: str = review.json()["status"]["user"]["username"]
    return name


def kubectl_objects(server: KubeApiserver, folder: Path, command: str) -> list[dict]:
    built = run(server, folder, command.replace("kubectl apply -k", "kubectl kustomize"))
    assert built.returncode == 0, built.stderr
    return list(yaml.safe_load_all(built.stdout))


def test_nobody_grants_a_right_that_they_lack(kube_apiserver: KubeApiserver, folder: Path) -> None:
    kube_apiserver.add_namespace("orders", "owner")
    own = ["", "apps", "coordination.k8s.io", "networking.k8s.io", "policy", RBAC]
    grant(kube_apiserver, "namespace", own, "*")
    token = kube_apiserver.token("orders", "owner")
    command = "kubectl apply -k kubeflow/overlays/example"
    done = run(kube_apiserver, folder, command, token)
    assert done.returncode != 0
    assert "attempting to grant RBAC permissions not currently held" in done.stderr
    grant(kube_apiserver, "pipelines", [AUDIENCE], "experiments", "runs")
    done = run(kube_apiserver, folder, command, token)
    assert done.returncode == 0, done.stderr


def grant(server: KubeApiserver, name: str, groups: list[str], *resources: str) -> None:
    """Let the owner of the namespace do everything with some kinds."""
    metadata = {"name": name, "namespace": "orders"}
    # Neither `escalate` nor `bind`.
    verbs = ["get", "list", "create", "patch", "update", "delete"]
    rule = {"apiGroups": groups, "resources": [*resources], "verbs": verbs}
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "owner", "namespace": "orders"}],
    }
    for obj in (role, binding):
        assert server.apply(obj).ok
