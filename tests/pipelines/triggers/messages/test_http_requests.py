"""Requests of every make, as their senders write them, become the message that Pub/Sub's own push would be."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from multidict import CIMultiDict
from servers.trigger_messages import (
    DATA,
    NOON,
    eventarc,
    incident,
    message,
    scheduled,
    structured,
    unwrapped,
    written,
)

from retrainer.pipelines.project.sections.triggers import TriggerConfig
from retrainer.pipelines.triggers.matching import Findings, Matcher
from retrainer.pipelines.triggers.messages.http_requests import Form, read_request
from retrainer.pipelines.triggers.messages.pubsub_envelope import EnvelopeError


def read(headers, body=b""):
    return read_request(CIMultiDict(headers), body)


def find(request, **triggers: dict) -> Findings:
    configs = {name: TriggerConfig(**section) for name, section in triggers.items()}
    return Matcher("orders", configs, DATA).find(read(*request).message)


MARKED = {"kind": "storage", "pattern": "gs://acme/day={span}/*", "marker": "_SUCCESS"}


@pytest.mark.parametrize("mode", [lambda *event: event, structured], ids=["binary", "structured"])
@pytest.mark.parametrize("name", ["day=7/_SUCCESS", "day=7 日%2F#+/_SUCCESS"])
def test_eventarcs_event_of_storage_is_what_the_notification_would_be(mode, name):
    request = mode(*eventarc(name, generation=1234567890123456))
    (cause,) = find(request, data=MARKED).causes
    (same,) = (
        Matcher("orders", {"data": TriggerConfig(**MARKED)}, DATA)
        .find(written(name, generation=1234567890123456))
        .causes
    )
    assert (cause.key, cause.readable, cause.ready) == (same.key, same.readable, same.ready)
    assert read(*request).form == Form.CLOUD_EVENT


def test_the_media_type_of_an_event_is_read_without_regard_to_case():
    headers, body = structured(*eventarc("day=7/_SUCCESS"))
    kind = headers.pop("Content-Type")
    odd = headers | {"Content-Type": kind.upper()}
    assert read(odd, body) == read(headers | {"Content-Type": kind}, body)


@pytest.mark.parametrize("event", ["deleted", "archived", "metadataUpdated", "somethingNew"])
def test_other_events_of_storage_start_nothing(event):
    ask = {"kind": "request"}
    found = find(eventarc("day=7/_SUCCESS", event=event), data=MARKED, ask=ask)
    assert (found.causes, found.invalid) == ([], [])


def test_eventarcs_event_of_pubsub_is_the_message_that_was_published():
    inner = {"messageId": "7", "publishTime": "2026-03-01T12:00:00Z", "data": "", "attributes": {}}
    inner["attributes"]["retrainer-trigger"] = "nightly"
    headers, _ = eventarc("x")
    headers["ce-type"] = "google.cloud.pubsub.topic.v1.messagePublished"
    body = json.dumps({"message": inner, "subscription": "projects/p/subscriptions/s"}).encode()
    (cause,) = find((headers, body), nightly={"kind": "schedule"}).causes
    assert read(headers, body).message.message_id == "7"
    assert cause.readable == "nightly-20260301-1200"


def _event(**changes):
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/mine",
        "type": "com.acme.asked",
        **changes,
    }
    kept = {name: text for name, text in event.items() if text is not None}
    return {"Content-Type": "application/cloudevents+json"}, json.dumps(kept).encode()


def test_an_event_of_ones_own_starts_what_it_names_and_else_what_asks_for_it():
    ask = {"kind": "request", "allow": ["span"]}
    data = {"parameters": {"span": "7"}}
    assert find(_event(data=data), ask=ask).causes == []
    assert find(_event(data={"weather": "fine"}), ask=ask).invalid == []
    (named,) = find(_event(data=data, retrainertrigger="ask"), ask=ask).causes
    filtered = {**ask, "attributes": {"ce-type": "com.acme.*"}}
    (asked,) = find(_event(data=data), ask=filtered).causes
    assert named.parameters == asked.parameters == {"span": "7"}
    # An id is one within its source.
    (other,) = find(_event(data=data, source="/theirs"), ask=filtered).causes
    assert named.key == asked.key != other.key


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (_event(id=None), "no 'id'"),
        (_event(type=None), "no 'type'"),
        (_event(specversion="0.3"), "1.0 is supported"),
        (_event(time="yesterday"), "'time' is 'yesterday'"),
        (_event(data_base64="*"), "not base64"),
        (({"Content-Type": "application/cloudevents+json"}, b"[]"), "not a JSON object"),
        (({"Content-Type": "application/cloudevents+json"}, b"\xff"), "not JSON"),
        (({"Content-Type": "application/cloudevents-batch+json"}, b"[]"), "batch"),
        (({"ce-specversion": "1.0"}, b""), "no 'id'"),
        ((eventarc("x")[0] | {"Content-Type": "application/protobuf"}, b"x"), "event-data-content"),
        ((eventarc("x")[0], b"{}"), "no 'bucket'"),
        ((eventarc("x")[0], b"x"), "not JSON"),
    ],
)
def test_a_malformed_event_says_what_is_wrong(request_, says):
    with pytest.raises(EnvelopeError, match=says) as error:
        read(*request_)
    assert error.value.kind == "cloudevent"


@pytest.mark.parametrize("name", ["day=7/_SUCCESS", "day=7 a/_SUCCESS"])
def test_an_unwrapped_push_is_what_the_wrapped_one_would_be(name):
    sent = written(name, generation=17)
    received = read(*unwrapped(sent))
    assert received.form == Form.UNWRAPPED
    assert (received.message.message_id, received.message.published) == (sent.message_id, NOON)
    # Without what HTTP, proxies and Google's front ends add.
    headers, body = unwrapped(sent)
    added = ("Content-Length", "X-Forwarded-For", "x-goog-iap-jwt", "Via", "X-Cloud-Trace-Context")
    found = read({**headers, **dict.fromkeys(added, "7")}, body).message.attributes
    assert {name.lower() for name in found} == {name.lower() for name in sent.attributes}
    (cause,) = find(unwrapped(sent), data=MARKED).causes
    assert cause.key == f"gs://acme/{name}#17"


def test_an_unwrapped_push_without_its_time_was_published_now():
    headers, body = unwrapped(written("day=7/_SUCCESS"))
    before = datetime.now(UTC)
    del headers["x-goog-pubsub-publish-time"]
    assert before <= read(headers, body).message.published <= datetime.now(UTC)


def test_attributes_that_come_as_headers_are_compared_without_regard_to_case():
    nightly = {"kind": "schedule", "attributes": {"sentBy": "a*"}}
    sent = message(b"", trigger="nightly", sentBy="acme")
    assert find(unwrapped(sent), nightly=nightly).causes
    again = {"Retrainer-Message-Id": "3", "Retrainer-Published": "2026-02-28T12:00:00Z"}
    replayed = read(*unwrapped(message(b"", **again))).message
    assert (replayed.message_id, replayed.published) == ("3", NOON - timedelta(days=1))
    assert "retrainer-published" not in replayed.attributes


def test_an_unwrapped_push_without_metadata_is_known_by_what_is_in_it():
    sent = written("day=7/_SUCCESS")
    body = {**json.loads(sent.data), "generation": "17", "metageneration": "1"}
    body["timeCreated"] = "2026-03-01T12:00:00Z"
    (cause,) = find(({}, json.dumps(body).encode()), data=MARKED).causes
    assert cause.key == "gs://acme/day=7/_SUCCESS#17"
    for gone in ({"timeDeleted": "2026-03-01T13:00:00Z"}, {"metageneration": "2"}):
        assert find(({}, json.dumps(body | gone).encode()), data=MARKED).causes == []
    alert = json.dumps(incident("i1")).encode()
    assert find(({}, alert), watch={"kind": "alert"}).causes[0].key == "i1"
    asked = ({}, b'{"id": "q1", "reason": "by hand"}')
    assert find(asked, ask={"kind": "request"}).causes[0].key == "q1"
    assert read(*asked).form == Form.PLAIN
    # Without an id, the same request sent twice could be two or one.
    for body in (b'{"parameters": {}}', b"{}", b"[]", b"x", b""):
        with pytest.raises(EnvelopeError):
            read({}, body)


def test_a_slot_of_cloud_scheduler_is_one_cause_however_often_it_is_tried():
    def cause(slot, **headers):
        request = scheduled(slot, **headers)
        return find(request, weekly={"kind": "schedule"}).causes[0].key

    own = {"retrainer_trigger": "weekly"}
    assert cause(NOON, **own) == cause(NOON, **own) != cause(NOON + timedelta(hours=1), **own)
    assert read(*scheduled(**own)).message.message_id == "retrain-weekly@2026-03-01T12:00:00+00:00"


def test_cloud_scheduler_can_ask_for_a_run_with_parameters():
    request = scheduled(body=b'{"parameters": {"span": "7"}}', retrainer_trigger="ask")
    (cause,) = find(request, ask={"kind": "request", "allow": ["span"]}).causes
    assert cause.parameters == {"span": "7"}


def test_a_scheduler_that_names_no_trigger_is_answered_which_header_is_missing():
    with pytest.raises(EnvelopeError, match="--headers=retrainer-trigger=<name>") as error:
        read(*scheduled())
    assert error.value.kind == "scheduler"


def test_a_request_of_cloud_scheduler_is_known_by_either_of_its_headers():
    for own in ({"X-CloudScheduler": "true"}, {"X-CloudScheduler-JobName": "nightly-job"}):
        before = datetime.now(UTC).replace(second=0, microsecond=0)
        received = read({**own, "retrainer-trigger": "nightly"})
        assert received.form == Form.SCHEDULER
        # Without its slot it is of this minute, whichever attempt it is.
        slot = received.message.published
        assert before <= slot <= datetime.now(UTC)
        assert (slot.second, slot.microsecond) == (0, 0)
        job = own.get("X-CloudScheduler-JobName", "scheduler")
        assert received.message.message_id == f"{job}@{slot.isoformat()}"
        assert received.message.delivery_attempt == 0


def test_of_a_cloud_event_what_is_no_text_is_no_attribute():
    headers, body = eventarc("day=7/_SUCCESS")
    kind, text = structured(headers, body)
    event = {**json.loads(text), "type": "of.mine", "number": 7, "word": "a"}
    attributes = read(kind, json.dumps(event).encode()).message.attributes
    assert attributes["ce-word"] == "a"
    assert "ce-number" not in attributes
    written_once = json.loads(body)
    del written_once["generation"]
    attributes = read(headers, json.dumps(written_once).encode()).message.attributes
    assert "objectGeneration" not in attributes
    assert attributes["objectId"] == "day=7/_SUCCESS"
