import json

import pytest
from servers.vertex import PARENT
from servers.vertex_serving_cases import ENDPOINT, model, serving

from retrainer.components.lib.serving.interface import Plan, ServiceError

KEY = "projects/acme-ml/locations/europe-west1/keyRings/r/cryptoKeys/k"


def test_all_settings_reach_the_service(server):
    pool = f"{PARENT}/deploymentResourcePools/p"
    serving(
        server,
        machine_type="n1-standard-4",
        accelerator_type="NVIDIA_TESLA_T4",
        accelerator_count=2,
        min_replicas=2,
        max_replicas=5,
        service_account="server@acme-ml.iam.gserviceaccount.com",
        encryption_key=KEY,
        labels={"team": "search"},
        request_log={"sampling_rate": 0.25, "table": "bq://acme-ml.logs"},
    ).apply(Plan(model(7)))
    endpoint = server.named(ENDPOINT)
    (deployed,) = endpoint.deployed_models
    assert deployed.dedicated_resources.machine_spec.machine_type == "n1-standard-4"
    assert deployed.dedicated_resources.machine_spec.accelerator_count == 2
    assert deployed.dedicated_resources.min_replica_count == 2
    assert deployed.dedicated_resources.max_replica_count == 5
    assert deployed.service_account == "server@acme-ml.iam.gserviceaccount.com"
    assert deployed.model == f"{PARENT}/models/orders@1"
    assert dict(endpoint.labels) == {"team": "search", "retrainer-pipeline": "orders"}
    assert endpoint.encryption_spec.kms_key_name == KEY
    log = endpoint.predict_request_response_logging_config
    assert (log.enabled, log.sampling_rate) == (True, 0.25)
    assert log.bigquery_destination.output_uri == "bq://acme-ml.logs"

    serving(server, endpoint="shared", shared_resources=pool).apply(Plan(model(7)))
    (shared,) = server.named("shared").deployed_models
    assert shared.shared_resources == pool


def test_logging_follows_the_settings_of_an_endpoint_that_exists(server):
    serving(server).apply(Plan(model(7)))
    log = server.named(ENDPOINT).predict_request_response_logging_config
    assert log.bigquery_destination.output_uri == "bq://acme-ml"
    assert log.sampling_rate == 1.0
    serving(server, request_log={"sampling_rate": 0.5}).apply(Plan(model(7)))
    assert server.named(ENDPOINT).predict_request_response_logging_config.sampling_rate == 0.5
    serving(server, request_log={"sampling_rate": 0}).apply(Plan(model(7)))
    assert not server.named(ENDPOINT).predict_request_response_logging_config.enabled


def test_replicas_change_in_place_and_machines_by_another_deployment(server):
    serving(server).apply(Plan(model(7)))
    (before,) = server.named(ENDPOINT).deployed_models
    first_id = before.id
    serving(server, min_replicas=2, max_replicas=3).apply(Plan(model(7)))
    (scaled,) = server.named(ENDPOINT).deployed_models
    assert scaled.id == first_id
    assert scaled.dedicated_resources.max_replica_count == 3
    assert serving(server, machine_type="n1-standard-4").apply(Plan(model(7))).traffic == {7: 100}
    (moved,) = server.named(ENDPOINT).deployed_models
    assert moved.id != first_id
    # The version was uploaded once.
    assert list(server.registry.versions["orders"]) == ["1"]


def test_an_endpoint_is_named_by_its_resource_name(server):
    serving(server).apply(Plan(model(7)))
    name = server.named(ENDPOINT).name
    assert serving(server, endpoint=name).apply(Plan(model(8))).traffic == {8: 100}
    missing = f"{PARENT}/endpoints/404"
    with pytest.raises(ServiceError, match="endpoints/404' does not exist"):
        serving(server, endpoint=missing).apply(Plan(model(8)))


def test_two_endpoints_of_one_name_are_named(server):
    serving(server).apply(Plan(model(7)))
    copy = type(server.named(ENDPOINT))()
    copy.CopyFrom(server.named(ENDPOINT))
    copy.name = f"{PARENT}/endpoints/99"
    server.endpoints["99"] = copy
    with pytest.raises(ServiceError, match=r"2 endpoints have this display name.*endpoints/99"):
        serving(server).status()


def test_an_id_that_the_service_refuses_for_good_is_replaced(server):
    service = serving(server)
    service.apply(Plan(model(7)))
    (first,) = server.named(ENDPOINT).deployed_models
    service.apply(Plan(model(8)))
    server.used.add(first.id)
    assert service.apply(Plan(model(7))).traffic == {7: 100}
    (again,) = server.named(ENDPOINT).deployed_models
    assert again.id != first.id


def test_a_deployment_shows_how_far_it_is(server, monkeypatch, tmp_path):
    shown = tmp_path / "progress"
    monkeypatch.setenv("RETRAINER_PROGRESS_FILE", str(shown))
    server.operations.seconds = 0.05
    serving(server).apply(Plan(model(7)))
    assert json.loads(shown.read_text())["message"] == (
        f"deployment of version 7 on endpoint '{ENDPOINT}': creating serving cluster"
    )
