"""What goes wrong on the way: the cluster, other people, a death at any call."""

import json
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest
import requests
from servers import kserve_schema

from retrainer.components.lib.serving.interface import ServiceError
from retrainer.components.lib.serving.kserve import cluster
from retrainer.components.lib.serving.kserve.cluster import Cluster

PLANS = [(7, None, 0), (7, 8, 20), (8, None, 0)]

# KServe's schema is read from its own Go module.
pytestmark = pytest.mark.integration("go")


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_reply_at_each_change_is_made_up_for(bench, after):
    planned = [{"7": 100}, {"7": 80, "8": 20}, {"8": 100}]
    for plan in PLANS:
        # Each change of the plan is lost once; the counts differ by mode, so more are ordered than happen.
        bench.cluster.fail_next(1, status=0, after=after, method="PATCH")
        bench.cluster.fail_next(1, status=503, after=after, method="PATCH")
        bench.cluster.fail_next(2, status=0, after=after, method="GET")
        served = bench.open().apply(bench.plan(*plan))
        assert served.traffic == bench.plan(*plan).traffic
    assert bench.splits() == planned


def _deploy(opened, plan, calls_left):
    send = Cluster._send

    def deadly(self, method, *args):
        result = send(self, method, *args)
        if method == "PATCH":
            calls_left[0] -= 1
            if calls_left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return result

    Cluster._send = deadly
    opened.apply(plan)


def test_a_deploy_that_is_killed_after_any_change_is_finished_by_the_next(bench):
    fork = multiprocessing.get_context("fork")
    for plan in PLANS:
        for nth in range(1, 6):
            child = fork.Process(target=_deploy, args=(bench.open(), bench.plan(*plan), [nth]))
            child.start()
            child.join(30)
            if child.exitcode == 0:
                break
            assert child.exitcode == -signal.SIGKILL
        assert child.exitcode == 0
        assert bench.open().status().traffic == bench.plan(*plan).traffic
    assert bench.splits() == [{"7": 100}, {"7": 80, "8": 20}, {"8": 100}]


def test_two_deploys_of_one_plan_at_once_end_as_planned(bench):
    services = [bench.open(), bench.open()]
    services[0].apply(bench.plan(7))
    problems = []

    def deploy(service):
        try:
            service.apply(bench.plan(7, 8, 20))
        except ServiceError as error:
            problems.append(error)

    threads = [threading.Thread(target=deploy, args=(one,)) for one in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not problems
    assert bench.open().status().traffic == {7: 80, 8: 20}
    assert bench.splits() == [{"7": 100}, {"7": 80, "8": 20}]


def test_a_service_that_is_down_is_transient(bench):
    service = bench.open()
    bench.cluster.down = True
    with pytest.raises(ServiceError, match="can't be reached") as refused:
        service.apply(bench.plan(7))
    assert refused.value.transient
    bench.cluster.down = False
    bench.cluster.fail_next(9, status=429)
    with pytest.raises(ServiceError, match="429") as refused:
        service.apply(bench.plan(7))
    assert refused.value.transient


def test_a_service_that_hangs_up_is_asked_once_in_each_try(bench):
    service = bench.open()
    bench.cluster.fail_next(99, status=0)
    with pytest.raises(ServiceError, match="can't be reached") as refused:
        service.status()
    assert refused.value.transient
    assert len(bench.cluster.requests) == 1 + len(cluster._PAUSES)


def test_what_a_webhook_denies_is_its_own_word_and_no_missing_right(bench):
    bench.cluster.refusal = 'admission webhook "policy.example.com" denied the request: no team'
    with pytest.raises(ServiceError, match=r"policy\.example\.com.*no team") as refused:
        bench.open().apply(bench.plan(7))
    assert "Grant" not in str(refused.value)
    assert not refused.value.transient


def test_a_quota_is_transient_and_named(bench):
    quota = "pods is forbidden: exceeded quota: team, requested: cpu=2, used: cpu=7, limited: cpu=8"
    bench.cluster.refusal = quota
    with pytest.raises(ServiceError, match=r"exceeded quota.*Raise the ResourceQuota") as refused:
        bench.open().apply(bench.plan(7))
    assert refused.value.transient


@pytest.mark.parametrize(
    "forbidden", ["get inferenceservices", "patch inferenceservices", "delete inferenceservices"]
)
def test_a_denied_verb_is_named(bench, forbidden):
    if forbidden.startswith("delete"):
        bench.open().apply(bench.plan(7))
    bench.cluster.forbidden.add(forbidden)
    plan = bench.plan(None if forbidden.startswith("delete") else 7)
    with pytest.raises(ServiceError, match=f"verb '{forbidden}'.*overlays/kserve") as refused:
        bench.open().apply(plan)
    assert not refused.value.transient


def test_a_denied_kind_that_readiness_needs_is_named(bench):
    kind = "revisions" if bench.mode == "knative" else "deployments"
    bench.cluster.forbidden.add(f"get {kind}")
    with pytest.raises(ServiceError, match=f"verb 'get {kind}'"):
        bench.open().apply(bench.plan(7))


def test_pods_that_may_not_be_listed_leave_the_reason_out(bench):
    bench.cluster.forbidden.add("list pods")
    bench.controller.broken["000007"] = "no model"
    with pytest.raises(ServiceError, match="no model"):
        bench.open().apply(bench.plan(7))


def test_a_cluster_without_kserve_is_named(bench):
    bench.cluster.schema = None
    with pytest.raises(ServiceError, match="KServe is not installed there"):
        bench.open().apply(bench.plan(7))


def test_an_unknown_field_is_answered_as_a_kube_apiserver_does(bench):
    """What an older KServe without `spec.canary` is known by."""
    path = "/apis/serving.kserve.io/v1beta1/namespaces/ml/inferenceservices/taxi"
    body = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    body |= {"metadata": {"name": "taxi"}, "spec": {"predictor": {"model": {"unknown": 1}}}}
    answer = requests.patch(
        bench.cluster.url + path,
        json.dumps(body),
        params={"fieldManager": "retrainer", "fieldValidation": "Strict"},
        headers={"Content-Type": "application/apply-patch+yaml"},
        timeout=30,
    )
    assert answer.status_code == 500
    assert ".spec.predictor.model.unknown: field not declared in schema" in answer.text


def test_a_cluster_that_nothing_names_is_an_error(bench, monkeypatch, tmp_path):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ServiceError, match="no cluster to deploy to"):
        bench.open(kubeconfig=str(tmp_path / "missing")).apply(bench.plan(7))
    with pytest.raises(ServiceError, match="no cluster to deploy to"):
        bench.open(context="other").apply(bench.plan(7))


def test_in_a_pod_the_cluster_and_the_namespace_are_the_pods(bench, monkeypatch, tmp_path):
    def of_the_pod(client_configuration):
        client_configuration.host = bench.cluster.url
        client_configuration.api_key["authorization"] = "bearer pod"

    (tmp_path / "namespace").write_text("ml\n")
    monkeypatch.setattr("kubernetes.config.load_incluster_config", of_the_pod)
    monkeypatch.setattr(cluster, "_POD_NAMESPACE", str(tmp_path / "namespace"))
    assert bench.open(kubeconfig=None).apply(bench.plan(7)).traffic == {7: 100}
    assert bench.cluster.isvc()["metadata"]["namespace"] == "ml"
    assert {one.headers["Authorization"] for one in bench.cluster.requests} == {"bearer pod"}


def test_a_field_of_somebody_else_is_named_and_taken_over_only_if_asked(bench):
    bench.open().apply(bench.plan(7))

    def change(isvc):
        isvc["spec"]["predictor"]["model"]["storageUri"] = "gs://other/model"

    bench.cluster.edit(change, "kubectl-edit")
    with pytest.raises(ServiceError, match=r"model\.storageUri .*kubectl-edit.*take_over: true"):
        bench.open().apply(bench.plan(7))
    assert bench.cluster.isvc()["spec"]["predictor"]["model"]["storageUri"] == "gs://other/model"
    bench.open(take_over=True).apply(bench.plan(7))
    assert "000007" in bench.cluster.isvc()["spec"]["predictor"]["model"]["storageUri"]


def start_canary(bench):
    def change(isvc):
        if bench.mode == "knative":
            isvc["spec"]["predictor"]["model"]["storageUri"] = "gs://other/model"
            isvc["spec"]["predictor"]["canaryTrafficPercent"] = 5
        else:
            model = {"name": "k", "modelFormat": {"name": "tensorflow"}, "storageUri": "gs://o/m"}
            entry = {"trafficPercent": 5, "predictor": {"name": "mine", "model": model}}
            isvc["spec"]["canary"] = [entry]

    bench.cluster.edit(change, "argocd")


def test_a_canary_that_somebody_else_started_is_kept_unless_asked(bench):
    bench.open().apply(bench.plan(7))
    start_canary(bench)
    for plan in (bench.plan(7), bench.plan(8), bench.plan(7, 8, 10), bench.plan(None)):
        with pytest.raises(ServiceError, match="a canary that argocd started"):
            bench.open().apply(plan)
    assert bench.open(take_over=True).apply(bench.plan(7, 8, 10)).traffic == {7: 90, 8: 10}


def test_a_change_between_reading_and_deleting_is_transient(bench):
    bench.open().apply(bench.plan(7))
    read = Cluster.delete

    def delete(self, found):
        bench.cluster.edit(lambda isvc: isvc["spec"]["predictor"]["labels"].update(team="x"))
        return read(self, found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cluster, "delete", delete)
        with pytest.raises(ServiceError, match="changed meanwhile") as refused:
            bench.open().apply(bench.plan(None))
    assert refused.value.transient
    assert bench.cluster.isvc()


def test_a_service_of_another_pipeline_is_left_alone(bench):
    bench.open().apply(bench.plan(7))
    with pytest.raises(ServiceError, match="belongs to the pipeline 'taxi'"):
        bench.open(pipeline="orders").apply(bench.plan(8))


def test_another_mode_than_the_one_that_is_asked_for_is_an_error(bench):
    other = "standard" if bench.mode == "knative" else "knative"
    bench.open(mode=bench.mode).apply(bench.plan(7))
    with pytest.raises(ServiceError, match="KServe can't change the mode"):
        bench.open(mode=other).apply(bench.plan(7))


def test_the_mode_of_a_new_service_is_the_setting_else_the_installations(bench):
    other = "standard" if bench.mode == "knative" else "knative"
    bench.open(mode=other).apply(bench.plan(7))
    written = bench.cluster.isvc()["metadata"]["annotations"][kserve_schema.MODE]
    # KServe's webhook writes today's names.
    assert kserve_schema.SPELLINGS[written] == {"standard": "Standard", "knative": "Knative"}[other]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.forbidden.add("get configmaps"), "can't be read from the ConfigMap"),
        (lambda c: c.objects.clear(), "there is no ConfigMap 'inferenceservice-config'"),
        (
            lambda c: c.put("configmaps", "kserve", "inferenceservice-config", {"data": {}}),
            "names no defaultDeploymentMode",
        ),
        (
            lambda c: c.put(
                "configmaps",
                "kserve",
                "inferenceservice-config",
                {"data": {"deploy": '{"defaultDeploymentMode": "ModelMesh"}'}},
            ),
            "'ModelMesh', which is unsupported",
        ),
    ],
)
def test_a_mode_that_cannot_be_known_is_an_error(knative, change, said):
    change(knative.cluster)
    with pytest.raises(ServiceError, match=said):
        knative.open().apply(knative.plan(7))


def test_an_older_kserve_without_canaries_replaces_its_pods(older):
    older.cluster.schema = kserve_schema.without("canary", "name")
    older.open().apply(older.plan(7))
    assert "name" not in older.cluster.isvc()["spec"]["predictor"]
    assert older.open().apply(older.plan(8)).traffic == {8: 100}
    with pytest.raises(ServiceError, match=r"no `spec\.canary`.*0\.20 or newer"):
        older.open().apply(older.plan(8, 9, 10))
    assert older.open().status().traffic == {8: 100}
    older.controller.broken["000009"] = "no model"
    with pytest.raises(ServiceError, match="Version 8 serves all requests, as before"):
        older.open().apply(older.plan(9))
    assert older.splits() == [{"7": 100}, {"8": 100}]


def test_an_older_kserve_that_takes_any_field_never_deploys_a_canary_to_all(older):
    older.cluster.minimal = True
    older.controller.canaries = False
    older.open().apply(older.plan(7))
    with pytest.raises(ServiceError, match=r"reports no canary.*Version 7 serves all"):
        older.open().apply(older.plan(7, 8, 10))
    assert "canary" not in older.cluster.isvc()["spec"]
    assert older.splits() == [{"7": 100}]


@pytest.mark.parametrize("missing", ["gateway", "weights"])
def test_a_kserve_that_splits_no_requests_is_named(standard, missing):
    setattr(standard.controller, missing, False)
    service = standard.open()
    service.apply(standard.plan(7))
    service.apply(standard.plan(7, 8, 0))
    with pytest.raises(ServiceError, match=r"splits no requests here.*Version 7 serves all"):
        service.apply(standard.plan(7, 8, 10))
    # Without a split, a version can still take over.
    assert service.apply(standard.plan(8)).traffic == {8: 100}


def test_a_controller_that_is_away_is_waited_for(bench):
    bench.open().apply(bench.plan(7))
    bench.controller.paused = True
    with pytest.raises(ServiceError, match=r"waited for.* version 8"):
        bench.open(timeout_seconds=bench.soon).apply(bench.plan(8))
    bench.controller.paused = False
    assert bench.open().apply(bench.plan(8)).traffic == {8: 100}
    assert bench.splits() == [{"7": 100}, {"8": 100}]


def test_a_share_that_fell_back_to_an_older_revision_is_put_right(knative):
    """kserve/kserve#2040 and #2097: KServe calls the revision before the stable one rolled out."""
    service = knative.open()
    for plan in ((7, None, 0), (8, None, 0), (8, 9, 10)):
        service.apply(knative.plan(*plan))
    with knative.cluster.lock:
        found = knative.cluster.isvc()
        component = found["status"]["components"]["predictor"]
        component["latestRolledoutRevision"] = component["previousRolledoutRevision"]
        knative.cluster.put("inferenceservices", "ml", "taxi", found)
    assert service.apply(knative.plan(8, 9, 10)).traffic == {8: 90, 9: 10}


def test_a_copy_that_was_killed_is_made_again(bench):
    model = bench.model(7)
    half = Path(model.uri).parent / "served/7"
    half.mkdir(parents=True)
    (half / "saved_model.pb").write_text("ha")
    bench.open().apply(bench.plan(7))
    assert (half / "saved_model.pb").read_text() == "model 7"
