import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
from google.cloud.aiplatform_v1.types import MutateDeployedModelResponse
from servers import vertex_killed_deploys
from servers.vertex import PARENT
from servers.vertex_killed_deploys import PLANS
from servers.vertex_serving_cases import ENDPOINT, model, serving

from retrainer.components.lib import vertex_api
from retrainer.components.lib.serving.interface import Plan, ServiceError
from retrainer.components.lib.serving.vertex import api, open_service

SPLITS = [{7: 100}, {7: 90, 8: 10}, {8: 100}]


def versions(split):
    return {int(name.rsplit("-v", 1)[1].partition("-")[0]): one for name, one in split.items()}


def check(server, pipeline, endpoint):
    """Check that a rollout ended right, and that nothing was made twice on the way."""
    (deployed,) = server.named(endpoint).deployed_models
    assert versions(server.split_of(endpoint)) == {8: 100}
    own = [
        versions(one)
        for one in server.splits
        if one and next(iter(one)).startswith(f"{pipeline}-v")
    ]
    assert own == SPLITS
    assert server.most == 1
    assert len(server.registry.versions[pipeline]) == 2
    assert server.registry.aliases(pipeline)["champion"] == "2"
    assert "challenger" not in server.registry.aliases(pipeline)
    for number in ("1", "2"):
        assert len(server.registry.evaluations[f"{PARENT}/models/{pipeline}@{number}"]) == 1
    assert deployed.model == f"{PARENT}/models/{pipeline}@2"


def test_a_deploy_that_is_killed_at_any_call_goes_on(server, tmp_path):
    server.operations.seconds = 0.02
    done = subprocess.run(
        [sys.executable, vertex_killed_deploys.__file__, server.url, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    killed = int(done.stdout)
    assert killed >= 15
    for number in range(1, killed + 1):
        check(server, f"orders-{number}", f"live-{number}")


@pytest.mark.slow
@pytest.mark.parametrize("done", [True, False], ids=["done", "not-done"])
def test_each_call_may_lose_its_reply_once(server, monkeypatch, done):
    monkeypatch.setattr(vertex_api, "_FIRST_WAIT_SECONDS", 0.005)
    send = requests.Session.send
    lost = count = 0

    def send_and_lose(self, request, **options):
        nonlocal count, lost
        count += request.method != "GET"
        if request.method == "GET" or count != number:
            return send(self, request, **options)
        if done:
            send(self, request, **options)
        count, lost = count + 1, lost + 1
        raise requests.exceptions.ConnectionError("the reply is lost")

    monkeypatch.setattr(requests.Session, "send", send_and_lose)
    for number in range(1, 100):
        before, count = lost, 0
        for plan in PLANS:
            service = open_service(
                {
                    "project": "acme-ml",
                    "region": "europe-west1",
                    "endpoint": f"live-{number}",
                    "api_address": server.url,
                },
                f"orders-{number}",
            )
            try:
                service.apply(plan)
            except ServiceError as error:
                assert error.transient  # noqa: PT017
                service.apply(plan)
        check(server, f"orders-{number}", f"live-{number}")
        if lost == before:
            break
    assert lost >= 15


def test_two_deploys_at_once_deploy_once(server):
    server.operations.seconds = 0.05
    errors = []

    def deploy():
        try:
            serving(server).apply(Plan(model(7), model(8), 10))
        except ServiceError as error:
            errors.append(error)

    threads = [threading.Thread(target=deploy) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not errors
    assert serving(server).status().traffic == {7: 90, 8: 10}
    assert server.most == 1
    assert len(server.endpoints) == 1


def test_an_endpoint_that_somebody_changes_meanwhile_is_read_again(server):
    serving(server).apply(Plan(model(7)))
    server.meanwhile.append(("PATCH", lambda: server.put_foreign(ENDPOINT, "theirs", 0)))
    served = serving(server).apply(Plan(model(7), model(8), 10))
    assert served.traffic == {7: 90, 8: 10}
    assert len(served.foreign) == 1
    assert len([one for one in server.requests if one.method == "PATCH"]) == 3


def test_an_endpoint_that_is_busy_is_waited_for(server):
    serving(server).apply(Plan(model(7)))
    server.exclusive, server.operations.seconds = True, 0.05
    name = server.named(ENDPOINT).name

    def mutate():
        server.operations.start(name, "mutateDeployedModel", MutateDeployedModelResponse)

    server.meanwhile.append(("deployModel", mutate))
    assert serving(server).apply(Plan(model(8))).traffic == {8: 100}
    deploys = [one for one in server.requests if one.path.endswith(":deployModel")]
    assert len(deploys) >= 3
    assert len({json.loads(one.body)["deployedModel"]["id"] for one in deploys[1:]}) == 1


def test_traffic_that_somebody_moves_meanwhile_is_not_overwritten(server):
    serving(server).apply(Plan(model(7)))
    server.meanwhile.append(("PATCH", lambda: server.put_foreign(ENDPOINT, "theirs", 30)))
    with pytest.raises(ServiceError, match=r"theirs .*30 %"):
        serving(server).apply(Plan(model(8)))
    assert server.split_of(ENDPOINT)["theirs"] == 30


def test_a_quota_is_named_and_the_version_before_serves(server):
    serving(server).apply(Plan(model(7)))
    server.replica_quota = 1
    with pytest.raises(ServiceError) as caught:
        serving(server).apply(Plan(model(8)))
    assert caught.value.transient
    for word in (
        "quota aiplatform.googleapis.com/custom_model_serving_cpus",
        "project 'acme-ml', region 'europe-west1'",
        "machine_type ('n1-standard-2' now)",
    ):
        assert word in str(caught.value)
    assert serving(server).status().traffic == {7: 100}
    server.replica_quota = 2
    assert serving(server).apply(Plan(model(8))).traffic == {8: 100}


def test_a_machine_that_the_region_lacks_is_named(server):
    with pytest.raises(ServiceError, match="'europe-west1' does not have 'a3-mega'") as caught:
        serving(server, machine_type="a3-mega").apply(Plan(model(7)))
    assert not caught.value.transient


def test_a_missing_permission_is_named(server):
    server.denied = "aiplatform.endpoints.create"
    with pytest.raises(ServiceError, match="Grant the caller the permission aiplatform") as caught:
        serving(server, service_account="s@acme-ml.iam.gserviceaccount.com").apply(Plan(model(7)))
    assert not caught.value.transient
    assert "roles/iam.serviceAccountUser on s@acme-ml" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "message", "transient"),
    [
        ("FAILED_PRECONDITION", "Model server exited unexpectedly.", False),
        ("INTERNAL", "Internal error.", True),
        ("RESOURCE_EXHAUSTED", "GCE_STOCKOUT in the zone.", True),
    ],
)
def test_a_deployment_that_fails_late_leaves_the_version_before(server, code, message, transient):
    serving(server).apply(Plan(model(7)))
    server.operations.seconds = 0.02
    server.operations.fail_next("deployModel", code, message)
    with pytest.raises(ServiceError, match=r"deployment of version 8") as caught:
        serving(server).apply(Plan(model(8)))
    assert message.rstrip(".") in str(caught.value)
    assert caught.value.transient == transient
    assert serving(server).status().traffic == {7: 100}
    assert serving(server).apply(Plan(model(8))).traffic == {8: 100}


def test_a_deployment_that_takes_longer_than_the_wait_is_found_by_the_next_deploy(server):
    serving(server).apply(Plan(model(7)))
    server.operations.seconds = 0.5
    with pytest.raises(ServiceError, match=r"goes on with .*/operations/") as caught:
        serving(server, timeout_seconds=0.1).apply(Plan(model(8)))
    assert caught.value.transient
    assert serving(server).apply(Plan(model(8))).traffic == {8: 100}
    assert server.most == 1
    assert len(server.registry.versions["orders"]) == 2


@pytest.mark.parametrize("call", [":upload", ":deployModel"])
def test_what_ends_between_two_looks_is_not_started_twice(server, call):
    serving(server).apply(Plan(model(7)))
    server.meanwhile.append((f"{call}$", lambda: setattr(server.operations, "seconds", 1000)))
    with pytest.raises(ServiceError, match="goes on with"):
        serving(server, timeout_seconds=0.1).apply(Plan(model(8)))
    server.operations.seconds = 0
    server.meanwhile.append(("^GET .*/operations$", server.operations.end_all))
    assert serving(server).apply(Plan(model(8))).traffic == {8: 100}
    assert len([one for one in server.requests if one.path.endswith(call)]) == 2


def test_an_endpoint_deleted_by_hand_is_created_again(server):
    serving(server).apply(Plan(model(7)))
    server.endpoints.clear()
    assert serving(server).apply(Plan(model(7))).traffic == {7: 100}


def test_an_endpoint_deleted_during_a_deploy_is_named_and_created_by_the_next_one(server):
    serving(server).apply(Plan(model(7)))
    server.meanwhile.append(("deployModel", server.endpoints.clear))
    with pytest.raises(ServiceError, match=r"deleted meanwhile. Deploy again") as caught:
        serving(server).apply(Plan(model(8)))
    assert caught.value.transient
    assert serving(server).apply(Plan(model(8))).traffic == {8: 100}


def test_a_service_that_is_down_may_be_up_later(server, monkeypatch):
    monkeypatch.setattr(api, "CALL_SECONDS", 0.3)
    server.down = True
    with pytest.raises(ServiceError, match="did not answer") as caught:
        serving(server).apply(Plan(model(7)))
    assert caught.value.transient
    server.down = False
    assert serving(server).apply(Plan(model(7))).traffic == {7: 100}


def test_an_account_without_credentials_is_shown_how_to_log_in(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(Path(tmp_path) / "missing.json"))
    service = open_service(
        {"project": "acme-ml", "region": "europe-west1", "endpoint": ENDPOINT}, "orders"
    )
    with pytest.raises(ServiceError, match="gcloud auth application-default login"):
        service.status()
