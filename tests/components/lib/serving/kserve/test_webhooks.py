"""Deploying where Kubernetes' own API server calls KServe's webhooks, which change what is applied."""

import time

import pytest
from servers.kserve_webhooks import KServeWebhooks
from servers.kube_apiserver import ON_A_KUBE_APISERVER

from retrainer.components.lib.serving.interface import Plan, ServiceError

pytestmark = list(ON_A_KUBE_APISERVER)


@pytest.fixture
def server(kserve_apiserver, tmp_path):
    probe = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": {"predictor": {"minReplicas": -1}},
    }
    (tmp_path / "webhooks").mkdir()
    with KServeWebhooks(tmp_path / "webhooks", "Serverless") as webhooks:
        for configuration in webhooks.configurations():
            answer = kserve_apiserver.apply(configuration)
            assert answer.ok, answer.text
        wait_for(lambda: kserve_apiserver.apply(probe, dryRun="All"), 403)
        yield kserve_apiserver
        for configuration in webhooks.configurations():
            assert kserve_apiserver.send("DELETE", kserve_apiserver.path(configuration)).ok
        wait_for(lambda: kserve_apiserver.apply(probe, dryRun="All"), 201)


def wait_for(ask, status):
    for _ in range(300):
        answer = ask()
        if answer.status_code == status:
            return
        time.sleep(0.1)
    pytest.fail(answer.text)


def test_what_webhooks_put_in_is_no_conflict_and_no_change(bench):
    service = bench.open()
    service.apply(bench.plan(7))
    for percent in (10, 50):
        assert service.apply(bench.plan(7, 8, percent)).traffic == {7: 100 - percent, 8: percent}
        canaries = bench.cluster.isvc()["spec"].get("canary") or []
        assert all(one["predictor"]["model"]["resources"] == {} for one in canaries)
    generation = bench.cluster.isvc()["metadata"]["generation"]
    bench.cluster.requests.clear()
    assert bench.open().apply(bench.plan(7, 8, 50)).traffic == {7: 50, 8: 50}
    assert {one.method for one in bench.cluster.requests} == {"GET"}
    assert bench.cluster.isvc()["metadata"]["generation"] == generation
    assert service.apply(bench.plan(8)).traffic == {8: 100}
    model = bench.cluster.isvc()["spec"]["predictor"]["model"]
    assert (model["runtime"], model["resources"]) == ("kserve-tensorflow-serving", {})
    assert bench.splits()[-1] == {"8": 100}
    assert "deleted" in service.apply(Plan(None)).notes[0]


def test_what_the_validator_denies_is_its_own_word(bench):
    with pytest.raises(ServiceError, match=r"validator.*'MinReplicas' cannot be greater") as said:
        bench.open(min_replicas=3, max_replicas=2).apply(bench.plan(7))
    assert "Grant" not in str(said.value)
    assert not said.value.transient
