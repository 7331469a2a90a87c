"""Pub/Sub's envelope: each field in either spelling, in both, or missing."""

import base64
import json

import pytest
from servers.trigger_messages import NOON

from retrainer.pipelines.triggers.messages.pubsub_envelope import EnvelopeError, parse_push

DATA = base64.b64encode(b'{"id": "q1"}').decode()
CAMEL = {"messageId": "7", "publishTime": "2026-03-01T12:00:00Z", "data": DATA}
SNAKE = {"message_id": "7", "publish_time": "2026-03-01T12:00:00Z", "data": DATA}


def parse(content, **envelope):
    return parse_push(json.dumps({"message": content, **envelope}).encode())


@pytest.mark.parametrize("content", [CAMEL, SNAKE, {**SNAKE, **CAMEL}])
def test_a_message_is_read_in_either_spelling(content):
    read = parse(content)
    assert (read.message_id, read.data, read.published) == ("7", b'{"id": "q1"}', NOON)
    assert (read.attributes, read.delivery_attempt) == ({}, 0)


def test_of_two_spellings_that_differ_the_documented_one_counts():
    assert parse({**CAMEL, "message_id": "8"}).message_id == "7"
    assert parse({**CAMEL, "messageId": "", "message_id": "8"}).message_id == "8"
    assert parse(CAMEL, deliveryAttempt=2, delivery_attempt=3).delivery_attempt == 2


@pytest.mark.parametrize(
    ("envelope", "attempt"),
    [
        ({"deliveryAttempt": 3}, 3),
        ({"delivery_attempt": 3}, 3),
        ({"deliveryAttempt": "3"}, 0),
        ({"deliveryAttempt": None}, 0),
    ],
)
def test_which_delivery_it_is_may_be_counted(envelope, attempt):
    assert parse(CAMEL, **envelope).delivery_attempt == attempt


@pytest.mark.parametrize(
    ("attributes", "read"), [({"a": "1", "b": "2"}, {"a": "1", "b": "2"}), ({}, {}), (None, {})]
)
def test_attributes_are_texts_or_none(attributes, read):
    assert parse({**CAMEL, "attributes": attributes}).attributes == read


def test_a_time_without_an_offset_is_in_utc_and_another_offset_is_kept():
    assert parse({**CAMEL, "publishTime": "2026-03-01T12:00:00"}).published == NOON
    assert parse({**CAMEL, "publishTime": "2026-03-01T14:00:00+02:00"}).published == NOON


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({**CAMEL, "messageId": ""}, "no 'messageId'"),
        ({**CAMEL, "messageId": 7}, "no 'messageId'"),
        ({"messageId": "7", "data": DATA}, "no 'publishTime'"),
        ({**CAMEL, "publishTime": "noon"}, "'publishTime' is no time"),
        ({**CAMEL, "data": "%%"}, "is not base64"),
        ({**CAMEL, "data": "YQ"}, "is not base64"),
        ({**CAMEL, "data": 7}, "'data' is no text"),
        ({**CAMEL, "attributes": []}, "'attributes' are not texts"),
        ({**CAMEL, "attributes": {"a": "1", "b": 2}}, "'attributes' are not texts"),
        (None, "no 'message'"),
        ([CAMEL], "no 'message'"),
    ],
)
def test_an_envelope_without_a_message_says_why(content, says):
    with pytest.raises(EnvelopeError, match=says):
        parse(content)


@pytest.mark.parametrize(
    ("body", "says"), [(b"{", "not JSON"), (b"\xff", "not JSON"), (b"[]", "not a JSON object")]
)
def test_a_body_that_is_no_json_object_says_so(body, says):
    with pytest.raises(EnvelopeError, match=says):
        parse_push(body)


def test_a_message_may_have_no_data():
    assert parse({"messageId": "7", "publishTime": CAMEL["publishTime"]}).data == b""
