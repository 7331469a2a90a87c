"""An InferenceService in both deployment modes, on a local API server with KServe's own schema and rules."""

from pathlib import Path

import pytest

from retrainer.components.lib.serving.interface import Plan, ServiceError

# KServe's schema is read from its own Go module.
pytestmark = pytest.mark.integration("go")


def test_a_first_version_serves_and_a_second_takes_over_without_an_outage(bench):
    served = bench.open().apply(bench.plan(7))
    assert (served.traffic, served.loaded, served.foreign) == ({7: 100}, (7,), ())
    assert served.address == "http://taxi.ml.example.com"
    assert bench.splits() == [{"7": 100}]

    assert bench.open().apply(bench.plan(8)).traffic == {8: 100}
    assert bench.splits() == [{"8": 100}]
    assert bench.open().status().traffic == {8: 100}


def test_a_rollout_goes_on_step_by_step(bench):
    service = bench.open()
    service.apply(bench.plan(7))
    for percent in (0, 10, 50, 100):
        served = service.apply(bench.plan(7, 8, percent))
        assert served.traffic == {v: p for v, p in {7: 100 - percent, 8: percent}.items() if p}
        assert 8 in served.loaded
    assert service.apply(bench.plan(8)).traffic == {8: 100}
    assert bench.splits() == [
        {"7": 100},
        {"7": 90, "8": 10},
        {"7": 50, "8": 50},
        {"8": 100},
    ]


def test_a_rollback_in_the_middle_of_a_canary_leaves_only_what_served_before(bench):
    service = bench.open()
    service.apply(bench.plan(7))
    service.apply(bench.plan(7, 8, 30))
    served = service.apply(bench.plan(7))
    assert (served.traffic, served.loaded) == ({7: 100}, (7,))
    assert bench.splits() == [{"7": 100}, {"7": 70, "8": 30}, {"7": 100}]
    # The next canary is of a third version, and the one that was rolled back gets nothing.
    service.apply(bench.plan(7, 9, 10))
    service.apply(bench.plan(9))
    assert bench.splits() == [{"7": 90, "9": 10}, {"9": 100}]


def test_a_canary_of_another_version_replaces_one_that_was_not_finished(bench):
    service = bench.open()
    service.apply(bench.plan(7))
    service.apply(bench.plan(7, 8, 30))
    assert service.apply(bench.plan(7, 9, 10)).traffic == {7: 90, 9: 10}
    assert bench.splits()[2:] == [{"7": 100}, {"7": 90, "9": 10}]


def test_the_same_plan_again_changes_nothing(bench):
    service = bench.open()
    service.apply(bench.plan(7, 8, 30))
    generation = bench.cluster.isvc()["metadata"]["generation"]
    bench.cluster.requests.clear()
    bench.open().apply(bench.plan(7, 8, 30))
    assert {one.method for one in bench.cluster.requests} == {"GET"}
    assert bench.cluster.isvc()["metadata"]["generation"] == generation


def test_a_version_that_never_gets_ready_is_named_and_the_one_before_serves(bench):
    service = bench.open()
    service.apply(bench.plan(7))
    bench.controller.broken["000008"] = "Failed to fetch model. No model found in store."
    for plan in (bench.plan(8), bench.plan(7, 8, 10)):
        with pytest.raises(ServiceError) as refused:
            service.apply(plan)
        assert "version 8" in str(refused.value)
        assert "No model found in store" in str(refused.value)
        assert "Version 7 serves all requests, as before" in str(refused.value)
        assert not refused.value.transient
    assert bench.splits() == [{"7": 100}]
    assert service.status().traffic == {7: 100}
    # When it can be loaded, the same plan goes through.
    bench.controller.broken.clear()
    assert service.apply(bench.plan(8)).traffic == {8: 100}


def test_a_first_version_that_never_gets_ready_is_an_error(bench):
    bench.controller.broken["000007"] = "No model found in store."
    with pytest.raises(ServiceError, match=r"No model found.*Nothing that retrainer deployed"):
        bench.open().apply(bench.plan(7))
    assert "not ready" in " ".join(bench.open().status().notes)


def test_the_reason_of_a_pod_is_in_the_error(bench):
    bench.controller.broken["000007"] = "Deployment exceeded its progress deadline"
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}}
    labels = {"serving.kserve.io/inferenceservice": "taxi", "retrainer/version": "7"}
    status = {
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "Insufficient cpu."}],
        "initContainerStatuses": [
            {
                "name": "storage-initializer",
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "message": "Traceback\n  403 denied"}},
            }
        ],
        "containerStatuses": [{"name": "kserve-container", "state": waiting}],
    }
    bench.cluster.put("pods", "ml", "taxi-0", {"metadata": {"labels": labels}, "status": status})
    with pytest.raises(ServiceError) as refused:
        bench.open().apply(bench.plan(7))
    for said in (
        "no node for a pod: Insufficient cpu",
        "storage-initializer exits with 1: 403 denied",
        "kserve-container waits: ImagePullBackOff",
    ):
        assert said in str(refused.value)


def test_settings_and_metadata_reach_the_predictor(bench):
    bench.open(
        runtime="kserve-tensorflow-serving",
        runtime_version="2.19.0",
        protocol_version="v1",
        service_account="models",
        requests={"cpu": "500m", "memory": "1Gi"},
        limits={"memory": "2Gi"},
        min_replicas=2,
        max_replicas=5,
        request_timeout_seconds=30,
        node_selector={"pool": "serving"},
        labels={"team": "search"},
        annotations={"note": "x"},
        request_log={"mode": "request", "url": "http://broker"},
    ).apply(Plan(bench.model(7, run="taxi-1", span="2013-11")))
    found = bench.cluster.isvc()
    assert found["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "retrainer",
        "retrainer/pipeline": "taxi",
    }
    predictor = found["spec"]["predictor"]
    model = predictor["model"]
    assert model["modelFormat"] == {"name": "tensorflow"}
    assert model["storageUri"] == "pvc://models/store/models/versions/000007/served"
    assert model["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"memory": "2Gi"},
    }
    assert (model["runtime"], model["runtimeVersion"], model["protocolVersion"]) == (
        "kserve-tensorflow-serving",
        "2.19.0",
        "v1",
    )
    assert predictor["labels"]["retrainer/version"] == "7"
    assert predictor["labels"]["team"] == "search"
    assert predictor["annotations"] == {
        "note": "x",
        "retrainer/digest": bench.model(7).digest,
        "retrainer/run": "taxi-1",
        "retrainer/span": "2013-11",
    }
    assert (predictor["minReplicas"], predictor["maxReplicas"], predictor["timeout"]) == (2, 5, 30)
    assert predictor["serviceAccountName"] == "models"
    assert predictor["nodeSelector"] == {"pool": "serving"}
    assert predictor["logger"] == {"mode": "request", "url": "http://broker"}


def test_changed_settings_change_the_version_that_serves(bench):
    bench.open().apply(bench.plan(7))
    assert bench.open(limits={"memory": "2Gi"}).apply(bench.plan(7)).traffic == {7: 100}
    assert bench.cluster.isvc()["spec"]["predictor"]["model"]["resources"]["limits"] == {
        "memory": "2Gi"
    }
    assert bench.splits() == [{"7": 100}]


def test_the_copy_has_the_level_that_tensorflow_serving_reads(bench):
    model = bench.model(7)
    bench.open().apply(Plan(model))
    served = Path(model.uri).parent / "served"
    files = sorted(str(file.relative_to(served)) for file in served.rglob("*") if file.is_file())
    assert files == ["7/saved_model.pb", "7/variables/variables.index"]


def test_a_shadow_is_unsupported(bench):
    with pytest.raises(ServiceError, match="KServe copies no requests"):
        bench.open().apply(Plan(bench.model(7), bench.model(8), shadow=True))
    assert not bench.cluster.requests


def test_a_store_that_pods_cannot_read_is_an_error(bench):
    with pytest.raises(ServiceError, match="KServe's pods can't read"):
        bench.open(store_uri=None).apply(bench.plan(7))


def test_without_a_version_the_service_is_deleted(bench):
    service = bench.open()
    service.apply(bench.plan(7))
    assert "deleted" in service.apply(Plan(None)).notes[0]
    assert service.apply(Plan(None)).traffic == {}
    assert service.status().loaded == ()
