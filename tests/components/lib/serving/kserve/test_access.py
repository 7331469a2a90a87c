"""What deploying to KServe asks of a cluster is what the role of docs/deploy grants."""

import pytest
import yaml
from servers.kserve_real_cluster import OVERLAY
from servers.kube_apiserver import ON_A_KUBE_APISERVER

from retrainer.components.lib.serving.interface import Plan, ServiceError

pytestmark = list(ON_A_KUBE_APISERVER)

ROLE, _ = yaml.safe_load_all((OVERLAY / "role.yaml").read_text())
ISVC = ("serving.kserve.io", "inferenceservices")
# Each mode's own, of the role.
OF_MODE = {
    "knative": {("serving.knative.dev", "revisions", "get")},
    "standard": {
        ("apps", "deployments", "get"),
        ("gateway.networking.k8s.io", "httproutes", "get"),
    },
}


@pytest.fixture
def server(kserve_apiserver):
    return kserve_apiserver


def rights_of(role):
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def live(bench):
    """Deploy, roll out, meet a version that does not become ready, and end."""
    service = bench.open()
    service.apply(bench.plan(7))
    service.apply(bench.plan(7, 8, 30))
    service.apply(bench.plan(8))
    bench.controller.broken["versions/000009"] = "no such file"
    with pytest.raises(ServiceError):
        service.apply(bench.plan(8, 9, 10))
    service.apply(bench.plan(8))
    service.apply(Plan(None))


def test_a_life_of_a_service_asks_for_what_the_role_grants(bench):
    live(bench)
    others = set.union(*OF_MODE.values()) - OF_MODE[bench.mode]
    mode = {("", "configmaps", "get")}
    assert bench.cluster.asked == rights_of(ROLE) - others | mode


@pytest.mark.parametrize("verb", ["get", "create", "patch", "delete"])
def test_a_missing_right_is_named(bench, kserve_apiserver, verb):
    rules = [
        {
            **rule,
            "verbs": [
                its for its in rule["verbs"] if its != verb or rule["apiGroups"] != [ISVC[0]]
            ],
        }
        for rule in ROLE["rules"]
    ]
    metadata = {**ROLE["metadata"], "namespace": "ml"}
    assert kserve_apiserver.apply({**ROLE, "metadata": metadata, "rules": rules}).ok
    with pytest.raises(
        ServiceError, match=rf"access denied.*Grant the account the verb '{verb} inferenceservices'"
    ):
        live(bench)
