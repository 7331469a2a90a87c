"""`retrainer trigger` as real processes, against servers that stand in for Google's."""

import itertools
import json
import random
import signal
import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime

import fsspec.config
import pytest
import requests
from servers.cloud_run import strip
from servers.google_tokens import ACCOUNT, AUDIENCE, CertificateServer, SigningKey
from servers.kubeflow import KubeflowServer
from servers.pubsub import PubSubServer
from servers.storage import StorageServer
from servers.trigger_messages import eventarc, scheduled, structured, unwrapped
from servers.trigger_messages import written as written_object
from servers.trigger_process import BUCKET, TriggerProcess, envelope, storage_message, write_project
from servers.vertex import VertexServer

from retrainer.components.lib.monitoring.incident import Detection, Group, IncidentState
from retrainer.components.lib.monitoring.incident_records import IncidentRecords

KEY = SigningKey("2026-a")
OPEN = "--insecure-no-auth"


@pytest.fixture
def vertex():
    with VertexServer() as server:
        yield server


@pytest.fixture
def certificates():
    with CertificateServer(KEY) as server:
        yield server


@pytest.fixture
def file(tmp_path, vertex):
    return write_project(tmp_path, vertex.url)


@pytest.fixture
def guard(certificates):
    """Return what lets a service verify tokens."""
    return {
        "RETRAINER_TRIGGER_CERTS_URL": certificates.certs_url,
        "RETRAINER_TRIGGER_AUDIENCE": AUDIENCE,
        "RETRAINER_TRIGGER_PUSH_ACCOUNT": ACCOUNT,
    }


def written(day, name="_SUCCESS", generation=1):
    return storage_message(f"day={day}/{name}", generation)


def wait_until(holds):
    while not holds():
        threading.Event().wait(0.02)


def test_a_finished_span_starts_one_run_that_says_what_for(vertex, file, guard):
    with TriggerProcess("serve", file, **guard) as service:
        token = KEY.token()
        wait_until(lambda: service.get("/readyz").status_code == 200)
        for number in range(10):
            body = envelope(f"1{number}", *written("2026-11-20", f"part-{number}.parquet"))
            assert service.push(body, token) == 204
        assert not vertex.jobs
        for message_id in ("20", "20", "21"):
            assert service.push(envelope(message_id, *written("2026-11-20")), token) == 204
        ((run_id, job),) = vertex.jobs.items()
        assert "2026-11-20" in run_id
        assert job.labels["retrainer-trigger"] == "new-data"
        text = service.get("/metrics").text
        assert 'retrainer_messages_total{result="started",trigger="new-data"} 1.0' in text
        assert 'retrainer_messages_total{result="duplicate",trigger="new-data"} 2.0' in text
        assert 'retrainer_messages_total{result="ignored",trigger=""} 10.0' in text
        assert service.terminate() == 0
    started = [entry for entry in service.entries if entry.get("result") == "started"]
    assert [(entry["run_id"], entry["message_id"]) for entry in started] == [(run_id, "20")]
    assert len(service.entries) == len(service.lines)
    assert not [line for line in service.lines if token in line]


def test_nobody_comes_in_without_the_right_token(vertex, file, guard, certificates):
    body = envelope("1", *written("2026-11-20"))
    with TriggerProcess("serve", file, **guard) as service:
        assert service.push(body) == 401
        assert service.push(body, SigningKey("2026-a").token()) == 401
        assert service.push(body, KEY.token(iat=1, exp=2)) == 401
        assert service.push(body, KEY.token(aud="https://other.example.com")) == 403
        assert service.push(body, KEY.token(email="other@example.com")) == 403
        # Sent as no client would, so that the server itself can't read the header and says so in its log.
        with socket.create_connection(("127.0.0.1", service.port)) as raw:
            raw.sendall(b"POST /push HTTP/1.1\r\nAuthorization: Bearer \x00a-secret\r\n\r\n")
            assert b" 400 " in raw.recv(1000)
        assert not vertex.jobs
        assert service.push(body, KEY.token()) == 204
        assert len(vertex.jobs) == 1
        service.terminate()
    assert not [line for line in service.lines if "a-secret" in line]


@pytest.mark.parametrize("missing", ["AUDIENCE", "PUSH_ACCOUNT"])
def test_it_does_not_serve_with_an_open_door(file, guard, missing):
    del guard[f"RETRAINER_TRIGGER_{missing}"]
    service = TriggerProcess("serve", file, **guard)
    assert service.wait() == 1
    assert f"RETRAINER_TRIGGER_{missing}" in "".join(service.lines)


def test_signatures_are_left_to_iam_on_cloud_run_alone(file, guard):
    service = TriggerProcess("serve", file, RETRAINER_TRIGGER_AUTH="iam", **guard)
    assert service.wait() == 1
    assert "K_SERVICE" in service.lines[-1]


def test_a_token_that_cloud_run_altered_says_what_to_set(file, guard, vertex):
    body = envelope("1", *written("2026-11-20"))
    with TriggerProcess("serve", file, **guard) as service:
        assert service.push(body, strip(KEY.token())) == 401
        service.terminate()
    assert not vertex.jobs
    assert [entry for entry in service.entries if "trigger_service.auth" in entry["message"]]


def test_an_open_door_must_be_asked_for_and_is_logged(file):
    with TriggerProcess("serve", file, OPEN) as service:
        assert service.push(envelope("1", *written("2026-11-20"))) == 204
        assert "--insecure-no-auth" in service.entries[0]["message"]
        assert service.entries[0]["severity"] == "WARNING"


def test_it_is_not_ready_before_it_has_certificates_and_a_target(vertex, file, guard, certificates):
    vertex.down = certificates.down = True
    with TriggerProcess("serve", file, **guard) as service:
        assert service.get("/healthz").status_code == 200
        assert service.get("/readyz").json()["missing"] == ["certificates", "target"]
        assert service.push(envelope("1", *written("2026-11-20")), KEY.token()) == 503
        vertex.down = certificates.down = False
        wait_until(lambda: service.get("/readyz").status_code == 200)
        assert service.push(envelope("1", *written("2026-11-20")), KEY.token()) == 204


def test_while_the_api_is_broken_messages_come_again_and_none_is_lost(vertex, file):
    body = envelope("1", *written("2026-11-20"))
    with TriggerProcess("serve", file, OPEN) as service:
        wait_until(lambda: service.get("/readyz").status_code == 200)
        # The job is made and the reply lost; then nothing works for longer than a submission is tried.
        vertex.fail_next(1, status=0, after=True, method="POST")
        vertex.fail_next(1000, status=503)
        assert service.push(body) == 503
        vertex._faults.clear()
        assert service.push(body) == 204
        assert len(vertex.jobs) == 1
        assert 'result="failed",trigger="new-data"} 1.0' in service.get("/metrics").text


def deliver_shuffled(replicas, days):
    """Deliver each span's message three times, from eight threads, until it is acknowledged."""
    messages = [envelope(day, *written(day)) for day in days] * 3
    random.Random(1).shuffle(messages)
    todo, lock = iter(zip(itertools.cycle(replicas), messages, strict=False)), threading.Lock()

    def deliver():
        while True:
            with lock:
                replica, message = next(todo, (None, None))
            if replica is None:
                return
            while replica.push(message) != 204:
                threading.Event().wait(0.05)

    threads = [threading.Thread(target=deliver) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_messages_of_every_make_start_a_run(vertex, file):
    def post(request, path="/push"):
        headers, body = request
        return requests.post(service.url + path, body, headers=headers, timeout=60).status_code

    with TriggerProcess("serve", file, OPEN) as service:
        binary = eventarc("day=1/_SUCCESS", bucket=BUCKET)
        assert post(binary, "/?__GCP_CloudEventsMode=GCS_NOTIFICATION") == 204
        assert post(structured(*eventarc("day=2/_SUCCESS", bucket=BUCKET))) == 204
        for day, metadata in (("3", True), ("4", False)):
            notification = written_object(f"day={day}/_SUCCESS", bucket=BUCKET)
            named = {**json.loads(notification.data), "generation": "1", "metageneration": "1"}
            body = {**named, "timeCreated": "2026-03-01T12:00:00Z"}
            sent = replace(notification, data=json.dumps(body).encode())
            assert post(unwrapped(sent, metadata)) == 204
        own = {"retrainer_trigger": "asked", "origin": "people"}
        asked = scheduled(body=b'{"parameters": {"span": "5"}}', **own)
        # The trigger's filter asks for an attribute that Cloud Scheduler can't send.
        assert post(asked) == 204
        for _ in range(2):
            assert post(eventarc("day=1/_SUCCESS", bucket=BUCKET)) == 204
        assert service.terminate() == 0
    assert sorted(run.split("-")[1] for run in vertex.jobs) == ["1", "2", "3", "4"]


def test_two_replicas_start_one_run_for_each_cause(vertex, file):
    days = [f"2026-11-{day:02}" for day in range(1, 21)]
    with TriggerProcess("serve", file, OPEN) as one, TriggerProcess("serve", file, OPEN) as two:
        deliver_shuffled([one, two], days)
    assert vertex.stats["created"] == len(vertex.jobs) == len(days)


def test_replicas_agree_by_claims_where_the_service_takes_an_id_twice(file, tmp_path):
    days = [f"2026-11-{day:02}" for day in range(1, 11)]
    with KubeflowServer() as kubeflow:
        environment = {
            "RETRAINER_KUBEFLOW_HOST": kubeflow.url,
            "RETRAINER_TRIGGER_CLAIMS": str(tmp_path / "claims"),
        }
        replicas = [
            TriggerProcess("serve", file, OPEN, to="kubeflow", **environment) for _ in range(2)
        ]
        with replicas[0] as one, replicas[1] as two:
            deliver_shuffled([one, two], days)
        assert len(kubeflow.runs) == len(days)


def test_a_message_that_can_never_work_is_refused_with_the_reason_in_the_log(vertex, file):
    with TriggerProcess("serve", file, OPEN) as service:
        attributes = {"origin": "people", "retrainer-trigger": "asked"}
        assert service.push(envelope("1", b"no JSON", attributes)) == 422
        bad = json.dumps({"parameters": {"store": "gs://elsewhere"}}).encode()
        assert service.push(envelope("2", bad, attributes)) == 422
        good = json.dumps({"parameters": {"span": "2026-11-20"}}).encode()
        assert service.push(envelope("3", good, attributes)) == 204
        service.terminate()
    assert len(vertex.jobs) == 1
    invalid = [entry for entry in service.entries if entry.get("result") == "invalid"]
    assert [entry["severity"] for entry in invalid] == ["ERROR", "ERROR"]
    assert "store" in invalid[1]["message"]


def test_sigterm_finishes_what_is_in_flight(vertex, file):
    with TriggerProcess("serve", file, OPEN) as service:
        wait_until(lambda: service.get("/readyz").status_code == 200)
        vertex.fail_next(1, status=0, after=True, delay=1.0, method="POST")
        statuses = []
        body = envelope("1", *written("2026-11-20"))
        pushing = threading.Thread(target=lambda: statuses.append(service.push(body)))
        pushing.start()
        wait_until(lambda: vertex.jobs)
        assert service.terminate() == 0
        pushing.join()
        assert service.push(body) == 0
    assert statuses == [204]
    assert service.entries[-1]["message"] == "stopped."


def test_a_port_that_is_taken_is_named(file):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = TriggerProcess("serve", file, OPEN, "--port", str(port))
        assert service.wait() == 1
    assert f"127.0.0.1:{port}" in "".join(service.lines)


@pytest.mark.parametrize("name", ["", "trigger"])
def test_pull_needs_a_subscription(file, name):
    service = TriggerProcess("pull", file, "--subscription", name)
    assert service.wait() == 1
    assert "--subscription" in "".join(service.lines)


@pytest.fixture
def pubsub():
    with PubSubServer() as server:
        yield server


@pytest.mark.integration("go")
def test_pulled_messages_start_runs_and_dead_letters_go_aside(vertex, file, pubsub):
    topic, dead = pubsub.add_topic("triggers"), pubsub.add_topic("dead")
    name, letters = (
        pubsub.add_subscription("trigger", topic),
        pubsub.add_subscription("letters", dead),
    )
    environment = {"RETRAINER_TRIGGER_DEAD_LETTER_TOPIC": dead}
    with TriggerProcess("pull", file, "--subscription", name, **environment) as service:
        data, attributes = written("2026-11-20")
        for _ in range(3):
            pubsub.publish(topic, data, **attributes)
        invalid = pubsub.publish(topic, b"no JSON", origin="people")
        (letter,) = pubsub.pull(letters, 1)
        assert letter.attributes["retrainer-message-id"] == invalid
        assert letter.attributes["retrainer-reason"]
        wait_until(
            lambda: 'result="duplicate",trigger="new-data"} 2.0' in service.get("/metrics").text
        )
        wait_until(lambda: service.get("/readyz").status_code == 200)
        assert service.terminate() == 0
    assert len(vertex.jobs) == 1


@pytest.mark.integration("go")
def test_a_puller_that_is_killed_leaves_its_message_to_another_and_there_is_one_run(
    vertex, file, pubsub
):
    topic = pubsub.add_topic("triggers")
    name = pubsub.add_subscription("trigger", topic)
    data, attributes = written("2026-11-20")
    # The run is made, and the puller waits for the reply when it is killed.
    vertex.fail_next(1, status=0, after=True, delay=60, method="POST")
    with TriggerProcess("pull", file, "--subscription", name) as first:
        pubsub.publish(topic, data, **attributes)
        wait_until(lambda: vertex.jobs)
        first.kill()
    with TriggerProcess("pull", file, "--subscription", name) as second:
        wait_until(lambda: 'trigger="new-data"} 1.0' in second.get("/metrics").text)
        assert second.terminate() == 0
    assert vertex.stats["created"] == 1


@pytest.mark.integration("go")
def test_a_subscription_that_is_not_there_ends_the_command(file, pubsub):
    name = "projects/acme-ml/subscriptions/none"
    service = TriggerProcess("pull", file, "--subscription", name)
    assert service.wait() == 1
    assert name in service.lines[-1]


@pytest.mark.integration("go")
def test_pulling_stops_on_an_interrupt_too(file, pubsub):
    name = pubsub.add_subscription("trigger", pubsub.add_topic("triggers"))
    with TriggerProcess("pull", file, "--subscription", name) as service:
        service.process.send_signal(signal.SIGINT)
        assert service.wait() == 0


def test_incidents_start_their_runs_by_a_message_and_without_one(vertex, file, monkeypatch):
    file.write_text(file.read_text() + "retraining: {cool_down_seconds: 0}\n")
    with StorageServer() as bucket:
        options = {"token": "anon", "endpoint_url": bucket.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        records = IncidentRecords("gs://acme-ml-store/orders")

        def ask(champion):
            found = Detection("estimated_quality/auc", "7", "AUC is bad.")
            made = records.open(Group.MODEL, champion, [found], datetime.now(UTC))
            records.change(made.id, lambda one: replace(one, wants_run=True))
            return made.id

        message = {"id": ask(3), "pipeline": "orders"}
        environment = {"FSSPEC_GS_ENDPOINT_URL": bucket.url}
        words = [OPEN, "--incident-seconds", "0.1"]
        with TriggerProcess("serve", file, OPEN, "--incident-seconds", "0", **environment) as one:
            headers = {"retrainer-trigger": "retraining"}
            for _ in range(2):
                url = f"{one.url}/push"
                answer = requests.post(url, json=message, headers=headers, timeout=60)
                assert answer.status_code == 204
        second = ask(4)
        with TriggerProcess("serve", file, *words, **environment):
            wait_until(lambda: records.find(second).state == IncidentState.RETRAINING)
        assert len(vertex.jobs) == 2
        named = {records.find(one).run for one in (message["id"], second)}
    assert {job.display_name for job in vertex.jobs.values()} == named
