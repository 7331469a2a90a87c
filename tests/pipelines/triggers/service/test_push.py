"""The push service over real HTTP, with a handler whose outcomes a test sets."""

import asyncio
import base64
import json
import logging
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import requests
from aiohttp import web
from servers.google_tokens import ACCOUNT, AUDIENCE, CertificateServer, SigningKey
from servers.trigger_messages import eventarc, scheduled, unwrapped, written

from retrainer.pipelines.triggers.service.certificates import Certificates
from retrainer.pipelines.triggers.service.dead_letters import DeadLetterError, describe
from retrainer.pipelines.triggers.service.logs import LOGGER, JsonFormatter
from retrainer.pipelines.triggers.service.metrics import Metrics
from retrainer.pipelines.triggers.service.processing import Processor
from retrainer.pipelines.triggers.service.push import MAX_BODY_BYTES, PushService
from retrainer.pipelines.triggers.service.readiness import Readiness
from retrainer.pipelines.triggers.service.tokens import TokenVerifier
from retrainer.pipelines.triggers.types import Outcome, Result

KEY = SigningKey("2026-a")
PUBLISHED = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


class FakeHandler:
    """Returns the outcomes that a test sets, and keeps the messages.

    Attributes:
        gate: Where `handle` waits until it is set.
    """

    def __init__(self):
        self.outcome = Outcome(Result.STARTED, "started.", "new-data", ("orders-1",))
        self.glanced = None
        self.messages = []
        self.gate = threading.Event()
        self.gate.set()

    def handle(self, message):
        self.messages.append(message)
        self.gate.wait(60)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def glance(self, message):
        return self.glanced


class Topic:
    """Keeps dead letters, unless it is broken."""

    def __init__(self):
        self.letters = []
        self.broken = False

    def publish(self, message, reason):
        if self.broken:
            raise DeadLetterError("the topic is gone.")
        self.letters.append((message, reason))


class Running:
    """A service on loopback."""

    def __init__(self, url, handler, metrics, readiness):
        self.url, self.handler, self.metrics, self.readiness = url, handler, metrics, readiness

    def push(self, body=None, path="/push", token=None, **headers):
        if token:
            headers["Authorization"] = f"Bearer {token}"
        content = envelope() if body is None else body
        return requests.post(self.url + path, data=content, headers=headers, timeout=60)

    def sample(self, name, **labels):
        return self.metrics.registry.get_sample_value(name, labels)


@contextmanager
def serving(verifier=None, topic=None, clock=PUBLISHED.timestamp, **limits):
    handler, metrics, readiness = FakeHandler(), Metrics(), Readiness({})
    processor = Processor(handler, metrics, topic, clock=clock)
    service = PushService(processor, metrics, readiness, verifier, **limits)
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    ports = []

    async def run():
        runner = web.AppRunner(service.app(), access_log=None, shutdown_timeout=5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports.append(runner.addresses[0][1])
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    ready.wait(60)
    try:
        yield Running(f"http://127.0.0.1:{ports[0]}", handler, metrics, readiness)
    finally:
        handler.gate.set()
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture
def service():
    with serving() as running:
        yield running


@pytest.fixture
def certificates():
    with CertificateServer(KEY) as server:
        yield server


@pytest.fixture
def guarded(certificates):
    verifier = TokenVerifier(AUDIENCE, ACCOUNT, Certificates(certificates.certs_url))
    with serving(verifier) as running:
        yield running


def envelope(body=b"{}", **changes):
    message = {
        "data": base64.b64encode(body).decode(),
        "attributes": {"eventType": "OBJECT_FINALIZE"},
        "messageId": "7",
        "publishTime": "2026-11-21T10:00:00.123Z",
        **changes,
    }
    kept = {key: value for key, value in message.items() if value is not None}
    name = "projects/acme-ml/subscriptions/trigger"
    return json.dumps({"message": kept, "subscription": name, "deliveryAttempt": 3})


def test_a_message_arrives_as_it_was_sent(service):
    assert service.push(envelope(b"\x00body")).status_code == 204
    (message,) = service.handler.messages
    assert (message.message_id, message.data) == ("7", b"\x00body")
    assert message.attributes == {"eventType": "OBJECT_FINALIZE"}
    assert message.published.isoformat() == "2026-11-21T10:00:00.123000+00:00"
    assert message.delivery_attempt == 3


def test_both_spellings_and_both_paths_are_understood(service):
    body = envelope(messageId=None, publishTime=None, data=None, attributes=None)
    twin = json.loads(body)
    twin["message"] |= {"message_id": "8", "publish_time": "2026-11-21T10:00:00Z"}
    assert service.push(json.dumps(twin), path="/").status_code == 204
    (message,) = service.handler.messages
    assert (message.message_id, message.data, message.attributes) == ("8", b"", {})


@pytest.mark.parametrize(
    ("outcome", "status", "text"),
    [
        (Outcome(Result.STARTED), 204, ""),
        (Outcome(Result.DUPLICATE), 204, ""),
        (Outcome(Result.IGNORED), 204, ""),
        (Outcome(Result.DEFERRED, "acme-ml cools down.", retry_seconds=12.3), 429, ""),
        (Outcome(Result.FAILED, "https://acme.example does not answer."), 503, ""),
        (Outcome(Result.INVALID, "no JSON."), 422, "no JSON.\n"),
        (RuntimeError("a bug"), 503, ""),
    ],
)
def test_each_result_has_its_status_and_only_what_is_invalid_a_reason(
    service, outcome, status, text
):
    service.handler.outcome = outcome
    response = service.push()
    assert (response.status_code, response.text) == (status, text)
    assert response.headers.get("Retry-After") == ("13" if status == 429 else None)


def test_an_invalid_message_is_acknowledged_once_it_lies_in_the_topic():
    topic = Topic()
    with serving(topic=topic) as service:
        service.handler.outcome = Outcome(Result.INVALID, "no JSON.", "asked")
        topic.broken = True
        assert service.push().status_code == 503
        topic.broken = False
        assert service.push().status_code == 204
        assert [(letter.message_id, reason) for letter, reason in topic.letters] == [
            ("7", "no JSON.")
        ]
        assert service.sample("retrainer_dead_letters_total", result="failed") == 1
        assert service.sample("retrainer_dead_letters_total", result="published") == 1


@pytest.mark.parametrize("result", [Result.DEFERRED, Result.FAILED])
def test_a_message_that_waits_or_fails_is_kept_for_thirty_days(result):
    topic, now = Topic(), [PUBLISHED + timedelta(days=29, hours=23)]
    with serving(topic=topic, clock=lambda: now[0].timestamp()) as service:
        for outcome in ("outcome", "glanced"):
            setattr(service.handler, outcome, Outcome(result, "the day is used up.", "asked"))
            status = 429 if result == Result.DEFERRED else 503
            # However often it was delivered.
            assert service.push(envelope(deliveryAttempt=1000)).status_code == status
        assert topic.letters == []
        now[0] += timedelta(hours=2)
        assert service.push().status_code == 204
        ((letter, reason),) = topic.letters
        assert letter.message_id == "7"
        assert reason == f"it was {result} for 30 days: the day is used up."
        # It is published again, and starts again.
        again = envelope(attributes=describe(letter, ""), publishTime=now[0].isoformat())
        assert service.push(again).status_code == status
        assert len(topic.letters) == 1


def test_a_dead_letter_that_comes_back_is_not_published_again():
    topic = Topic()
    with serving(topic=topic) as service:
        service.handler.outcome = Outcome(Result.INVALID, "no JSON.", "asked")
        assert (
            service.push(envelope(attributes={"retrainer-reason": "no JSON."})).status_code == 422
        )
        assert topic.letters == []


def test_a_subscription_that_gives_up_messages_which_wait_is_named_once(caplog):
    caplog.set_level(logging.WARNING)
    with serving(topic=Topic()) as service:
        service.handler.outcome = Outcome(Result.DEFERRED, "not yet.")
        for _ in range(3):
            service.push()
    warnings = [record for record in caplog.records if "dead-letter policy" in record.message]
    assert len(warnings) == 1


def test_a_message_that_needs_no_network_is_answered_at_once(service):
    service.handler.glanced = Outcome(Result.DUPLICATE, "known.", "new-data")
    assert service.push().status_code == 204
    assert service.handler.messages == []
    labels = {"trigger": "new-data", "result": "duplicate"}
    assert service.sample("retrainer_messages_total", **labels) == 1


def test_an_invalid_message_waits_for_the_topic_in_a_thread():
    topic = Topic()
    with serving(topic=topic) as service:
        service.handler.glanced = service.handler.outcome = Outcome(Result.INVALID, "no.")
        assert service.push().status_code == 204
        assert len(topic.letters) == len(service.handler.messages) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "[]",
        "null",
        "{}",
        '{"message": []}',
        "[" * 100_000,
        b"\xff\xfe",
        envelope(messageId=None),
        envelope(messageId=7),
        envelope(publishTime=None),
        envelope(publishTime="yesterday"),
        envelope(data="*"),
        envelope(data=7),
        envelope(data="é"),
        envelope(attributes={"a": 1}),
        envelope(attributes=[]),
    ],
)
def test_another_body_is_a_400_with_the_reason(service, body):
    answer = service.push(body.encode() if isinstance(body, str) else body)
    assert answer.status_code == 400
    assert answer.text.startswith("the ")
    assert answer.text.endswith(".\n")
    assert service.handler.messages == []
    assert service.sample("retrainer_refused_requests_total", reason="envelope") == 1


@pytest.mark.parametrize("path", ["/", "/push", "/?__GCP_CloudEventsMode=GCS_NOTIFICATION"])
def test_messages_of_every_make_arrive_and_are_counted(service, path):
    requests_ = {
        "cloudevent": eventarc("day=7/日 %.csv"),
        "unwrapped": unwrapped(written("day=7/日 %.csv")),
        "scheduler": scheduled(retrainer_trigger="weekly"),
        "plain": ({}, b'{"id": "q1"}'),
    }
    # aiohttp reads headers as UTF-8, and requests writes them as Latin-1.
    headers, _ = requests_["unwrapped"]
    requests_["unwrapped"][0].update({k: v.encode() for k, v in headers.items()})
    for form, (headers, body) in requests_.items():
        assert service.push(body, path, **headers).status_code == 204
        assert service.sample("retrainer_received_requests_total", form=form) == 1
    event, notification, slot, _ = service.handler.messages
    assert event.attributes["objectId"] == notification.attributes["objectId"] == "day=7/日 %.csv"
    assert slot.attributes == {"retrainer-trigger": "weekly"}


def test_a_malformed_event_is_a_400_that_is_counted_by_its_make(service):
    assert service.push(b"{}", **{"ce-specversion": "1.0"}).status_code == 400
    assert service.sample("retrainer_refused_requests_total", reason="cloudevent") == 1
    assert service.handler.messages == []


def test_bodies_are_bounded(service):
    assert service.push(b" " * (MAX_BODY_BYTES + 1)).status_code == 413
    assert service.push(envelope(b"x" * 10_000_000)).status_code == 204
    assert service.sample("retrainer_refused_requests_total", reason="size") == 1


def test_a_crowd_is_sent_back_rather_than_piled_up():
    with serving(threads=1, max_in_flight=2) as service:
        service.handler.gate.clear()
        statuses = []
        crowd = [
            threading.Thread(target=lambda: statuses.append(service.push().status_code))
            for _ in range(3)
        ]
        for thread in crowd:
            thread.start()
        # Two are in work, one after the other, and wait for the gate: only the third can have an answer.
        while not statuses:
            threading.Event().wait(0.02)
        assert statuses == [429]
        service.handler.gate.set()
        for thread in crowd:
            thread.join()
        assert statuses == [429, 204, 204]
        assert service.push().status_code == 204


def test_only_a_verified_token_starts_anything(guarded):
    assert guarded.push(token=KEY.token()).status_code == 204
    assert guarded.push().status_code == 401
    assert guarded.push(token=SigningKey("2026-a").token()).status_code == 401
    refused = guarded.push(token=KEY.token(aud="https://other.example.com"))
    assert (refused.status_code, refused.text) == (403, "")
    assert len(guarded.handler.messages) == 1
    for reason in ("missing", "forged", "audience"):
        assert guarded.sample("retrainer_auth_failures_total", reason=reason) == 1


def test_a_refused_request_is_not_read(guarded):
    assert guarded.push(b" " * (MAX_BODY_BYTES + 1)).status_code == 401


def test_no_certificates_is_no_open_door(guarded, certificates):
    certificates.down = True
    assert guarded.push(token=KEY.token()).status_code == 503
    assert guarded.handler.messages == []
    assert guarded.sample("retrainer_auth_failures_total", reason="certificates") == 1


def test_health_and_metrics_need_no_token(guarded):
    guarded.push(token=KEY.token())
    assert requests.get(f"{guarded.url}/healthz", timeout=60).status_code == 200
    assert requests.get(f"{guarded.url}/readyz", timeout=60).json() == {
        "ready": True,
        "missing": [],
    }
    text = requests.get(f"{guarded.url}/metrics", timeout=60).text
    assert 'retrainer_messages_total{result="started",trigger="new-data"} 1.0' in text
    assert 'retrainer_message_seconds_count{result="started"} 1.0' in text
    assert "retrainer_messages_in_flight 0.0" in text


def test_a_service_that_shuts_down_is_not_ready(service):
    service.readiness.stopping = True
    response = requests.get(f"{service.url}/readyz", timeout=60)
    assert (response.status_code, response.json()["missing"]) == (503, ["service"])


def test_readiness_waits_for_what_is_missing_and_shows_no_caller_why():
    tried = []

    async def target():
        tried.append(1)
        if len(tried) < 3:
            raise RuntimeError("no route to europe-west1.")

    async def run():
        readiness = Readiness({"target": target})
        assert readiness.missing == {"target": "not checked yet"}
        await readiness.establish()
        assert readiness.missing == {}

    asyncio.run(run())
    assert len(tried) == 3


def test_logs_are_json_and_hold_neither_token_nor_body(guarded, caplog):
    caplog.set_level(logging.DEBUG)
    tokens = [KEY.token(), KEY.token(email="other@example.com"), SigningKey("x").token(), "a.b.c"]
    for token in tokens:
        guarded.push(envelope(b"a-secret-body"), token=token)
    guarded.push(b"a-secret-body", token=tokens[0])
    lines = [JsonFormatter().format(record) for record in caplog.records]
    entries = [json.loads(line) for line in lines]
    started = next(entry for entry in entries if entry.get("result") == "started")
    assert (
        started.items() >= {"message_id": "7", "trigger": "new-data", "run_id": "orders-1"}.items()
    )
    assert all({"severity", "message", "time"} <= entry.keys() for entry in entries)
    assert LOGGER.name in {entry["logger"] for entry in entries}
    for secret in [*tokens, "a-secret-body", base64.b64encode(b"a-secret-body").decode()]:
        assert not [line for line in lines if secret in line]
