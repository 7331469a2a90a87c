"""Kubernetes' own API server takes every manifest of docs/deploy, in a namespace that holds pods to "restricted"."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers.deploy_overlays import DOCUMENTS, Overlays
from servers.kube_apiserver import ON_A_KUBE_APISERVER, KubeApiserver, pods_of

pytestmark = list(ON_A_KUBE_APISERVER)

OVERLAYS = sorted((DOCUMENTS / "kubeflow/overlays").iterdir())
QUOTA_KINDS = ("requests", "limits")
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MONITORING = sorted((DOCUMENTS / "monitoring/kubernetes").glob("*.yaml"))


def take(server: KubeApiserver, objects: list[dict[str, Any]]) -> None:
    """Apply objects and create their pods, without a word of warning."""
    for obj in objects:
        answer = server.apply(obj)
        assert answer.ok, answer.text
        assert "Warning" not in answer.headers, answer.headers["Warning"]
    for obj in objects:
        for pod in pods_of(obj):
            answer = server.create(pod)
            assert answer.status_code == 201, answer.text
            assert "Warning" not in answer.headers, answer.headers["Warning"]


@pytest.mark.parametrize("overlay", [path.name for path in OVERLAYS])
def test_every_overlay_is_taken_and_its_pods_too(
    kube_apiserver: KubeApiserver, overlays: Overlays, overlay: str
) -> None:
    objects = overlays.build(overlay)
    take(kube_apiserver, objects)
    versions = [kube_apiserver.get(obj)["metadata"]["resourceVersion"] for obj in objects]
    for obj in objects:
        assert kube_apiserver.apply(obj).ok
    # Nothing is dropped or put in that would be a change at the next apply.
    assert versions == [kube_apiserver.get(obj)["metadata"]["resourceVersion"] for obj in objects]


@pytest.mark.parametrize(
    ("overlay", "file", "old", "new", "said"),
    [
        (
            "example",
            "base/deployment.yaml",
            "replicas: 2",
            "replica: 2",
            ".spec.replica: field not declared in schema",
        ),
        (
            "example",
            "base/deployment.yaml",
            "containerPort: 8080",
            "containerPort: web",
            "containerPort",
        ),
        (
            "example",
            "base/network-policy.yaml",
            "policyTypes: [Ingress, Egress]",
            "policyTypes: [Ingres]",
            'Unsupported value: "Ingres"',
        ),
        (
            "example",
            "base/network-policy.yaml",
            "port: 8888",
            "port: 88888",
            "must be between 1 and 65535",
        ),
        (
            "example",
            "base/disruption-budget.yaml",
            "minAvailable: 1",
            "minAvailable: 1\n  maxUnavailable: 1",
            "minAvailable and maxUnavailable cannot be both set",
        ),
        (
            "example",
            "base/deployment.yaml",
            "memory: 256Mi",
            "memory: 256Mb",
            "quantities must match the regular expression",
        ),
        (
            "example",
            "base/deployment.yaml",
            'limits: {cpu: "1", memory: 1Gi}',
            'limits: {cpu: "1", memory: 128Mi}',
            "must be less than or equal to memory limit",
        ),
        ("cron", "overlays/cron/cronjob.yaml", '"0 6 * * 1"', '"0 6 * *"', "spec.schedule"),
        ("cron", "overlays/cron/cronjob.yaml", "Etc/UTC", "Europe/Nowhere", "spec.timeZone"),
        (
            "ingress",
            "overlays/ingress/ingress.yaml",
            "pathType: Exact",
            "pathType: Exactly",
            "pathType",
        ),
        (
            "kserve",
            "overlays/kserve/role.yaml",
            "verbs: [list]",
            "verb: [list]",
            ".rules[4].verb: field not declared",
        ),
    ],
)
def test_a_mistake_is_refused_and_leaves_nothing(
    kube_apiserver: KubeApiserver,
    overlays: Overlays,
    overlay: str,
    file: str,
    old: str,
    new: str,
    said: str,
) -> None:
    overlays.edit(file, old, new)
    refused = []
    for obj in overlays.build(overlay):
        answer = kube_apiserver.apply(obj)
        if not answer.ok:
            refused.append(answer.json()["message"])
            assert kube_apiserver.get(obj) is None
    assert len(refused) == 1
    assert said in refused[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot != true"),
        ("type: RuntimeDefault", "type: Unconfined", "seccompProfile"),
        ("drop: [ALL]", "drop: [NET_RAW]", "unrestricted capabilities"),
        (
            "allowPrivilegeEscalation: false",
            "allowPrivilegeEscalation: true",
            "allowPrivilegeEscalation",
        ),
        ("emptyDir:\n            sizeLimit: 256Mi", "hostPath: {path: /tmp}", "hostPath"),
        (
            "serviceAccountName: retrainer-trigger",
            "serviceAccountName: other",
            'serviceaccount "other" not found',
        ),
    ],
)
def test_pods_below_restricted_are_refused(
    kube_apiserver: KubeApiserver, overlays: Overlays, old: str, new: str, said: str
) -> None:
    overlays.edit("base/deployment.yaml", old, new)
    objects = overlays.build("example")
    for obj in objects:
        assert kube_apiserver.apply(obj).ok
    (pod,) = [pod for obj in objects for pod in pods_of(obj)]
    answer = kube_apiserver.create(pod)
    assert answer.status_code == 403
    assert said in answer.json()["message"]


def test_pods_are_admitted_where_a_quota_wants_requests_and_limits(
    kube_apiserver: KubeApiserver, overlays: Overlays
) -> None:
    quota: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "profile", "namespace": overlays.namespace},
        "spec": {
            "hard": {f"{kind}.{its}": "32Gi" for kind in QUOTA_KINDS for its in ("cpu", "memory")}
        },
    }
    assert kube_apiserver.apply(quota).ok
    # A cluster's controller counts what is there.
    quota["status"] = {
        "hard": quota["spec"]["hard"],
        "used": dict.fromkeys(quota["spec"]["hard"], "0"),
    }
    answer = kube_apiserver.send(
        "PATCH",
        f"{kube_apiserver.path(quota)}/status",
        json.dumps({"status": quota["status"]}).encode(),
        "application/merge-patch+json",
    )
    assert answer.ok, answer.text
    for overlay in ("example", "cron"):
        take(kube_apiserver, overlays.build(overlay))
    for file in MONITORING:
        take(kube_apiserver, [_in(overlays.namespace, obj) for obj in read_all(file)])
    bare = pods_of(_in(overlays.namespace, read_all(MONITORING[0])[1]))[0]
    bare["metadata"]["name"] = "bare"
    del bare["spec"]["containers"][0]["resources"]
    assert "must specify limits.cpu" in kube_apiserver.create(bare).json()["message"]


def test_manifests_in_the_guides_are_taken(
    kserve_apiserver: KubeApiserver, namespaces: Callable[..., str]
) -> None:
    namespace, found = namespaces(), 0
    for guide in sorted(DOCUMENTS.parent.glob("*.md")):
        for text in _BLOCK.findall(guide.read_text()):
            for obj in yaml.safe_load_all(text):
                if isinstance(obj, dict) and {"apiVersion", "kind"} <= obj.keys():
                    answer = kserve_apiserver.apply(_in(namespace, obj))
                    assert answer.ok, f"{guide.name}: {answer.text}"
                    found += 1
    assert found >= 2


@pytest.mark.parametrize("file", MONITORING, ids=lambda path: path.stem)
def test_manifests_of_monitoring_are_taken_and_their_pods_too(
    kube_apiserver: KubeApiserver, namespaces: Callable[..., str], file: Path
) -> None:
    objects, namespace = read_all(file), namespaces()
    take(kube_apiserver, [_in(namespace, obj) for obj in objects])


def read_all(file: Path) -> list[dict[str, Any]]:
    return list(yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader))


def _in(namespace: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}
