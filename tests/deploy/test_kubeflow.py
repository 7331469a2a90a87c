"""The manifests are what Kubernetes takes and what holds together, and the check can fail."""

import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
KUBEFLOW = ROOT / "docs/deploy/kubeflow"

needs_go = pytest.mark.integration("go")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(KUBEFLOW, tmp_path / "kubeflow"))


@needs_go
def test_every_overlay_is_right(check: ModuleType, manifests: Path) -> None:
    overlays = sorted((KUBEFLOW / "overlays").iterdir())
    assert overlays
    assert check.check_manifests(manifests, overlays) == []


@needs_go
@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("base/deployment.yaml", "replicas: 2", "replica: 2", 'unknown field "replica"'),
        ("base/deployment.yaml", "replicas: 2", "replicas: 1", "fewer than two replicas"),
        ("base/deployment.yaml", "name: tmp, mountPath", "name: temp, mountPath", 'volume "temp"'),
        ("base/deployment.yaml", "port: http}", "port: web}", 'asks port "web"'),
        ("base/deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
        ("base/deployment.yaml", "type: RuntimeDefault", "type: Unconfined", "seccompProfile"),
        ("base/deployment.yaml", "drop: [ALL]", "add: [NET_ADMIN]", "unrestricted capabilities"),
        ("base/deployment.yaml", "readOnlyRootFilesystem: true", "procMount: Default", "root file"),
        (
            "base/deployment.yaml",
            "emptyDir:\n            sizeLimit: 256Mi",
            "hostPath: {path: /tmp}",
            "hostPath",
        ),
        ("base/deployment.yaml", "limits: {cpu", "requests: {cpu", "kustomize"),
        ("base/deployment.yaml", "name: retrainer-project", "name: project", "ConfigMap/project"),
        ("base/role.yaml", "  - kind: ServiceAccount", "  - kind: User", "User/retrainer-trigger"),
        ("base/role.yaml", "[get, create, update, list, delete]", '["*"]', "grants '*'"),
        ("base/disruption-budget.yaml", "name: retrainer-trigger\n", "name: other\n", "no pod"),
        (
            "base/network-policy.yaml",
            "name: retrainer-trigger\n  policy",
            "x: y\n  policy",
            "no pod",
        ),
        ("overlays/example/kustomization.yaml", "digest: sha256:", "newTag: v", "its digest"),
        ("overlays/example/kustomization.yaml", "namespace: orders", "", "has no namespace"),
        (
            "overlays/key/credentials.yaml",
            "secretName: google",
            "secretName: other",
            "Secret/other",
        ),
        (
            "overlays/cron/cronjob.yaml",
            "name: retrainer-project",
            "name: project",
            "ConfigMap/project",
        ),
        ("overlays/ingress/service.yaml", "targetPort: http", "targetPort: web", 'named "web"'),
        ("overlays/ingress/ingress.yaml", "port: {name: http}", "port: {number: 81}", "no port of"),
    ],
)
def test_mistakes_are_refused(
    check: ModuleType, manifests: Path, copy: Path, file: str, old: str, new: str, said: str
) -> None:
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    faults = check.check_manifests(manifests, sorted((copy / "overlays").iterdir()))
    assert any(said in fault for fault in faults), faults
