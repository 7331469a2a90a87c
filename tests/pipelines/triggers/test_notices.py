"""Messages that start no run: who is notified of them, and how often."""

import json
from datetime import UTC, datetime

import pytest
from servers.memory_target import MemoryTarget
from servers.receiver import Receiver
from servers.small_project import MODEL

from retrainer.components.lib.monitoring.incident import Detection, Group
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.lib.store import Store
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.sections.data import DataConfig
from retrainer.pipelines.project.sections.triggers import TriggerConfig
from retrainer.pipelines.targets.errors import RefusedError, UnavailableError
from retrainer.pipelines.triggers.claims import files as file_claims
from retrainer.pipelines.triggers.claims.backends import open_claims
from retrainer.pipelines.triggers.claims.ledger import Ledger
from retrainer.pipelines.triggers.dispatch import Dispatcher
from retrainer.pipelines.triggers.notices import Notices, make_notices
from retrainer.pipelines.triggers.service.metrics import Metrics
from retrainer.pipelines.triggers.service.processing import Answer, Processor
from retrainer.pipelines.triggers.types import Message

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server():
    with Receiver() as server:
        yield server


@pytest.fixture
def receiver(server):
    server.requests.clear()
    server.status = 200
    return server


class Service:
    """Replicas of a trigger service that starts one run a day."""

    def __init__(self, folder, receiver, on=("waiting", "failed")):
        self.now = NOON.timestamp()
        self.target = MemoryTarget(names_runs=True)
        self.receiver, self.folder = receiver, folder
        self.channels = [
            {"kind": "webhook", "name": "webhook", "on": list(on), "url": f"{receiver.url}/hook"}
        ]
        self.replicas = [self.replica(), self.replica()]

    def replica(self):
        def clock():
            return self.now

        triggers = {"asked": TriggerConfig(kind="request", daily_limit=1, allow=["span"])}
        data = DataConfig(pattern="gs://acme/day={span}/*.csv", label="x")
        ledger = Ledger(open_claims(str(self.folder / "claims")))
        dispatcher = Dispatcher("orders", triggers, data, self.target, ledger, clock)
        notices = Notices("orders", self.channels, str(self.folder / "notified"), clock)
        return Processor(dispatcher, Metrics(), notices=notices)

    def send(self, content, message_id="1", replica=0):
        published = datetime.fromtimestamp(self.now, UTC)
        data = json.dumps(content).encode()
        return self.replicas[replica].process(Message(message_id, data, {}, published)).answer

    @property
    def sent(self):
        return [json.loads(request.body) for request in self.receiver.requests]


@pytest.fixture
def service(tmp_path, receiver):
    return Service(tmp_path, receiver)


def test_a_run_that_waits_for_its_limit_is_said_once_over_all_replicas(service):
    assert service.send({"id": "a"}) == Answer.DONE
    assert service.sent == []
    for replica in (0, 1, 0, 1):
        assert service.send({"id": "b"}, "2", replica) == Answer.LATER
        service.now += 600
    (notice,) = service.sent
    assert notice["outcome"] == "waiting"
    assert notice["title"] == "orders: a run waits"
    assert "has started 1 of 1 runs of 2026-04-01 (UTC)" in notice["reason"]
    assert notice["run"].startswith("orders-")
    service.send({"id": "c"}, "3")
    assert len(service.sent) == 2
    # Where they lie in the claims, the sweep knows them.
    names = [f"notified/orders/{file.name}" for file in (service.folder / "notified").iterdir()]
    assert [file_claims._key_of(name) for name in names] == names


def test_messages_that_can_not_start_a_run_are_one_notice_a_day(service):
    for number in range(3):
        assert service.send({"id": "x", "sapn": number}, f"1{number}", number % 2) == Answer.REFUSED
    (notice,) = service.sent
    assert notice["outcome"] == "failed"
    assert "No run was started for a message" in notice["reason"]
    assert "sapn" in notice["reason"]
    service.now += 86_400
    service.send({"id": "x", "sapn": 4}, "14")
    assert len(service.sent) == 2


@pytest.mark.parametrize(
    ("error", "count"), [(RefusedError("no role."), 1), (UnavailableError("down."), 0)]
)
def test_a_target_that_refuses_is_said_and_one_that_is_away_is_not(
    service, monkeypatch, error, count
):
    def submit(_):
        raise error

    monkeypatch.setattr(service.target, "submit", submit)
    for _ in range(2):
        assert service.send({"id": "a"}) == Answer.FAILED
    assert len(service.sent) == count


def test_nobody_is_asked_for_an_outcome_that_no_channel_is_for(tmp_path, receiver):
    service = Service(tmp_path, receiver, on=["pushed"])
    service.send({"id": "a"})
    service.send({"id": "b"}, "2")
    assert service.sent == []


def test_a_message_is_handled_although_nobody_can_be_notified(service, receiver, caplog):
    receiver.status = 403
    service.send({"id": "a"})
    assert service.send({"id": "b"}, "2") == Answer.LATER
    assert "webhook was not notified of 'orders: a run waits': not sent" in caplog.text
    receiver.status = 200
    service.send({"id": "b"}, "2")
    assert len(service.sent) == 1
    service.now += 3601
    service.send({"id": "b"}, "2")
    service.send({"id": "b"}, "2", replica=1)
    assert len(service.sent) == 2


def test_without_a_store_nobody_is_notified_again_and_again(service, tmp_path):
    (tmp_path / "notified").touch()
    service.send({"id": "a"})
    assert service.send({"id": "b"}, "2") == Answer.LATER
    assert service.sent == []


def test_a_message_that_comes_again_and_again_is_tried_again_after_an_hour(service, receiver):
    receiver.status = 403
    service.send({"id": "a"})
    for _ in range(7):
        service.send({"id": "b"}, "2")
        service.now += 600
    assert len(service.sent) == 2


def test_the_trigger_service_notifies_of_incidents_once_over_replicas(receiver, tmp_path):
    store = str(tmp_path / "store")
    found = Detection("estimated_quality/auc", "7", "AUC is bad.")
    IncidentRecords(store).open(Group.MODEL, 3, [found], datetime.now(UTC))
    channel = {
        "kind": "webhook",
        "name": "webhook",
        "on": ["incident"],
        "url": f"{receiver.url}/hook",
    }
    for _ in range(2):
        Notices("orders", [channel], str(tmp_path / "claims")).send_incidents(store)
    (message,) = [json.loads(request.body) for request in receiver.requests]
    assert (message["outcome"], message["incident"]) == ("incident", "v3-model-1")


def test_a_store_of_incidents_that_cannot_be_read_stops_nothing(receiver, tmp_path, caplog):
    folder = tmp_path / "store" / "monitoring" / "incidents" / "v3-model-1"
    folder.mkdir(parents=True)
    (folder / "000001.json").write_text("{}")
    channel = {
        "kind": "webhook",
        "name": "webhook",
        "on": ["incident"],
        "url": f"{receiver.url}/hook",
    }
    Notices("orders", [channel], str(tmp_path / "claims")).send_incidents(str(tmp_path / "store"))
    assert receiver.requests == []
    assert "no channel was notified of incidents" in caplog.text


@pytest.mark.parametrize(
    ("claims", "place"),
    [
        ("null", "store/claims"),
        ("gs://acme/claims", "gs://acme/claims"),
        # Leases hold the claims of runs alone, and a folder of one replica is not the others'.
        ("lease://retrainer", "store/claims"),
        ("claims", "store/claims"),
    ],
)
def test_replicas_agree_in_the_store_on_what_was_sent_unless_they_claim_runs_on_a_bucket(
    tmp_path, claims, place
):
    project = tmp_path / "retrain.yaml"
    (tmp_path / "model.py").write_text(MODEL)
    settings = f"trigger_service: {{claims: {claims}}}\nname: orders\nstore: {tmp_path}/store\n"
    settings += "data: {pattern: 's/{span}.csv', label: y}\nevaluation: {metrics_specs: []}\n"
    project.write_text(settings)
    assert make_notices(load_config(project)) is None
    project.write_text(settings + "notify: {slack: {}}\n")
    made = make_notices(load_config(project))
    wanted = place if "://" in place else f"{Store(str(tmp_path / 'store')).claims_uri}"
    assert made._claims_uri == f"{wanted}/notified/orders"
