"""The roles of docs/deploy grant, by Kubernetes' own access control, what the work needs and nothing more."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import config as kubernetes_config
from kubernetes.client import CoordinationV1Api
from servers.deploy_overlays import Overlays
from servers.kube_apiserver import ON_A_KUBE_APISERVER, KubeApiserver
from servers.kubeflow import SMALL_PIPELINE
from servers.kubeflow_access import AUDIENCE, KubeflowOnKubernetes

from retrainer.pipelines.definitions.compiled import Pipeline
from retrainer.pipelines.project.sections.targets import KubeflowConfig
from retrainer.pipelines.targets.errors import RefusedError, UnauthenticatedError
from retrainer.pipelines.targets.kubeflow.target import KubeflowTarget
from retrainer.pipelines.targets.types import RunRequest, ScheduleRequest
from retrainer.pipelines.triggers.claims.leases import LeaseClaims

pytestmark = list(ON_A_KUBE_APISERVER)

CLAIMING = {
    ("coordination.k8s.io", "leases", "", verb)
    for verb in ("get", "create", "update", "list", "delete")
}
STARTING = {
    (AUDIENCE, "experiments", "", "list"),
    (AUDIENCE, "experiments", "", "create"),
    (AUDIENCE, "runs", "", "list"),
    (AUDIENCE, "runs", "", "create"),
    (AUDIENCE, "runs", "", "get"),
}
DEPLOYING = {
    *(
        ("serving.kserve.io", "inferenceservices", "", verb)
        for verb in ("get", "create", "patch", "delete")
    ),
    ("apps", "deployments", "", "get"),
    ("gateway.networking.k8s.io", "httproutes", "", "get"),
    ("serving.knative.dev", "revisions", "", "get"),
    ("", "pods", "", "list"),
}
# What an account that makes schedules needs, too.
SCHEDULING = ("list", "create", "enable", "disable", "delete")
SPEC = next(iter(yaml.safe_load_all(SMALL_PIPELINE)))


def apply(server: KubeApiserver, objects: list[dict[str, Any]]) -> None:
    for obj in objects:
        answer = server.apply(obj)
        assert answer.ok, answer.text


def granted(server: KubeApiserver, namespace: str, account: str, where: str = "") -> set[Any]:
    """Return what an account may do more than one without a role."""
    own, bare = (server.token(namespace, name) for name in (account, "default"))
    where = where or namespace
    return set(server.rules(own, where)) - set(server.rules(bare, where))


@pytest.mark.parametrize(
    ("overlay", "account", "rights"),
    [
        ("example", "retrainer-trigger", CLAIMING | STARTING),
        ("key", "retrainer-trigger", CLAIMING | STARTING),
        ("ingress", "retrainer-trigger", CLAIMING | STARTING),
        ("cron", "retrainer-trigger", STARTING),
        ("kserve", "default-editor", DEPLOYING),
    ],
)
def test_an_overlay_grants_what_its_work_needs_in_its_namespace_alone(
    kube_apiserver: KubeApiserver,
    overlays: Overlays,
    namespaces: Callable[..., str],
    overlay: str,
    account: str,
    rights: set[Any],
) -> None:
    apply(kube_apiserver, overlays.build(overlay))
    assert granted(kube_apiserver, overlays.namespace, account) == rights
    assert granted(kube_apiserver, overlays.namespace, account, namespaces()) == set()
    user = f"system:serviceaccount:{overlays.namespace}:{account}"
    for verb, resource in [
        ("get", "secrets"),
        ("list", "secrets"),
        ("create", "pods"),
        ("get", "pods/exec"),
        ("create", "serviceaccounts/token"),
        ("patch", "deployments.apps"),
        ("update", "roles.rbac.authorization.k8s.io"),
        ("create", f"jobs.{AUDIENCE}"),
        ("deletecollection", "leases.coordination.k8s.io"),
    ]:
        assert not kube_apiserver.may(user, verb, resource, overlays.namespace), (verb, resource)


def claims_of(server: KubeApiserver, namespace: str, folder: Path) -> LeaseClaims:
    token = server.token(namespace, "retrainer-trigger")
    file = server.write_kubeconfig(folder / "kubeconfig", namespace, token)
    return LeaseClaims(
        namespace, CoordinationV1Api(kubernetes_config.new_client_from_config(str(file)))
    )


def claim(claims: LeaseClaims) -> None:
    """Do all that the trigger service does with claims."""
    first = claims.write("runs/orders-7", {"by": "one"}, None)
    assert first
    assert claims.write("runs/orders-7", {"by": "two"}, first)
    assert claims.read("runs/orders-7")
    assert claims.sweep(datetime(2126, 1, 1, tzinfo=UTC)) == 1


@pytest.mark.parametrize("verb", ["", "get", "create", "update", "list", "delete"])
def test_each_verb_on_leases_is_needed(
    kube_apiserver: KubeApiserver, overlays: Overlays, tmp_path: Path, verb: str
) -> None:
    verbs = ["get", "create", "update", "list", "delete"]
    left = [its for its in verbs if its != verb]
    overlays.edit("base/role.yaml", f"[{', '.join(verbs)}]", f"[{', '.join(left)}]")
    apply(kube_apiserver, overlays.build("example"))
    claims = claims_of(kube_apiserver, overlays.namespace, tmp_path)
    if not verb:
        claim(claims)
        return
    with pytest.raises(
        RefusedError, match=f"403 .*cannot {verb} resource .leases.*needs the verbs"
    ):
        claim(claims)


@pytest.fixture
def target(
    kube_apiserver: KubeApiserver, overlays: Overlays, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Return what makes a target with the token of an account of the overlay."""
    with KubeflowOnKubernetes(kube_apiserver, overlays.namespace) as server:

        def make(account: str = "retrainer-trigger", audience: str = AUDIENCE) -> Any:
            token = kube_apiserver.token(overlays.namespace, account, audience)
            monkeypatch.setenv("RETRAINER_KUBEFLOW_TOKEN", token)
            config = KubeflowConfig(host=server.url, namespace=overlays.namespace)
            return KubeflowTarget(config, Pipeline("orders", SMALL_PIPELINE, SPEC), 5.0), server

        yield make


def test_the_trigger_starts_and_follows_a_run_of_kubeflow(
    kube_apiserver: KubeApiserver, overlays: Overlays, target: Any
) -> None:
    apply(kube_apiserver, overlays.build("example"))
    kubeflow, server = target()
    request = RunRequest("orders-7", {}, {})
    assert kubeflow.find("orders-7") is None
    submission = kubeflow.submit(request)
    assert kubeflow.submit(request).existed
    assert kubeflow.status(submission).state
    assert set(server.asked) == {(resource, verb) for _, resource, _, verb in STARTING}
    with pytest.raises(RefusedError, match=r"not authorized to terminate runs.*Grant"):
        kubeflow.cancel(submission)
    with pytest.raises(RefusedError, match=r"not authorized to list jobs.*Grant"):
        kubeflow.put_schedule(ScheduleRequest("weekly", "0 6 * * 1"))
    # The pod's own token is for the cluster's API alone.
    kubeflow, _ = target(audience="")
    with pytest.raises(UnauthenticatedError):
        kubeflow.find("orders-7")


@pytest.mark.parametrize(
    ("resource", "verbs", "verb"),
    [
        ("experiments", "list, create", "list"),
        ("experiments", "list, create", "create"),
        ("runs", "get, list, create", "list"),
        ("runs", "get, list, create", "create"),
    ],
)
def test_each_right_to_start_runs_is_needed(
    kube_apiserver: KubeApiserver,
    overlays: Overlays,
    target: Any,
    resource: str,
    verbs: str,
    verb: str,
) -> None:
    left = ", ".join(its for its in verbs.split(", ") if its != verb)
    rule = f"resources: [{resource}]\n    verbs: "
    overlays.edit("base/role.yaml", f"{rule}[{verbs}]", f"{rule}[{left}]")
    apply(kube_apiserver, overlays.build("example"))
    kubeflow, _ = target()
    with pytest.raises(RefusedError, match=f"not authorized to {verb} {resource}.*Grant"):
        kubeflow.submit(RunRequest("orders-7", {}, {}))


def test_an_account_that_may_make_recurring_runs_makes_and_replaces_schedules(
    kube_apiserver: KubeApiserver, overlays: Overlays, target: Any
) -> None:
    rights = [
        {"apiGroups": [AUDIENCE], "resources": ["experiments"], "verbs": ["list", "create"]},
        {"apiGroups": [AUDIENCE], "resources": ["jobs"], "verbs": list(SCHEDULING)},
    ]
    apply(kube_apiserver, role(overlays.namespace, "default-editor", rights))
    kubeflow, server = target("default-editor")
    kubeflow.put_schedule(ScheduleRequest("weekly", "0 6 * * 1"))
    assert kubeflow.put_schedule(ScheduleRequest("weekly", "0 7 * * 1")).updated
    kubeflow.pause_schedule("weekly")
    assert kubeflow.list_schedules()
    kubeflow.delete_schedule("weekly")
    asked = {verb for resource, verb in server.asked if resource == "jobs"}
    assert asked == set(SCHEDULING)


def role(namespace: str, account: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make a Role, and the RoleBinding that grants it to an account."""
    metadata = {"name": "made", "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "made"},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        },
    ]
