from datetime import timedelta

import pytest
from servers.trigger_messages import NOON, message, written

from retrainer.pipelines.triggers.interface import HopelessMessageError
from retrainer.pipelines.triggers.messages import (
    check_span,
    read_body,
    read_request,
    read_storage,
)


def test_a_notification_of_storage_is_read_from_its_attributes():
    read = read_storage(written("day=1/a.csv", NOON + timedelta(microseconds=5), generation=17))
    assert read is not None
    assert (read.uri, read.generation) == ("gs://acme/day=1/a.csv", "17")
    assert read.at == NOON + timedelta(microseconds=5)


@pytest.mark.parametrize("event", ["OBJECT_DELETE", "OBJECT_ARCHIVE", "OBJECT_METADATA_UPDATE"])
def test_other_events_than_writing_are_no_data(event):
    assert read_storage(written("day=1/a.csv", eventType=event)) is None


def test_the_empty_object_that_stands_for_a_folder_is_no_data():
    assert read_storage(written("day=1/")) is None


def test_without_its_time_an_event_is_as_old_as_its_message():
    read = read_storage(written("day=1/a.csv", eventTime=""))
    assert read is not None
    assert read.at == NOON


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"eventType": ""}, "'eventType' is missing"),
        ({"bucketId": ""}, "'bucketId' is missing"),
        ({"objectId": ""}, "'objectId' is missing"),
        ({"objectId": "a\x00b"}, "control characters"),
        ({"objectId": "a\udc80"}, "control characters"),
        ({"objectId": "a" * 1025}, r"1,025 characters and may have 1,024"),
        ({"objectGeneration": "new"}, "'objectGeneration' is 'new'"),
        ({"eventTime": "yesterday"}, "'eventTime' is 'yesterday'"),
        ({"eventTime": "2026-03-01T12:00:00"}, "must be a time such as"),
        ({"eventTime": "2026-03-02T12:00:00Z"}, "was published at 2026-03-01"),
        ({"eventTime": "9999-12-31T23:59:59Z"}, "was published at 2026-03-01"),
        ({"eventTime": "0001-01-01T00:00:00+23:59"}, "was published at 2026-03-01"),
    ],
)
def test_a_wrong_attribute_of_storage_is_named(changes, says):
    attributes = dict(written("day=1/a.csv").attributes) | changes
    with pytest.raises(HopelessMessageError, match=says):
        read_storage(message(b"", NOON, **{key: text for key, text in attributes.items() if text}))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff{}", "not UTF-8: invalid start byte at byte 0"),
        ('{"id": "a"}'.encode("utf-16"), "not UTF-8"),
        (b'{"id": NaN}', "NaN is no JSON"),
        (b'{"id": -Infinity}', "-Infinity is no JSON"),
        (b'{"id": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 40_000, "nested too deeply"),
        (b"[]", r"is \[\] and must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b" " * (256 * 1024 + 1), "262,145 bytes and may have 262,144"),
    ],
)
def test_a_body_that_is_no_json_object_says_why(body, says):
    with pytest.raises(HopelessMessageError, match=says):
        read_body(message(body))


def test_a_request_without_an_id_is_told_by_its_message():
    asked = read_request(message({}, message_id="77"), {})
    assert (asked.key, asked.pipeline, asked.parameters) == ("77", "", {})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"paramters": {}}, "has the key 'paramters'.*id, parameters, pipeline, reason"),
        ({"parameters": ["span"]}, r"'parameters' is \['span'\] and must be a JSON object"),
        ({"parameters": None}, "'parameters' is missing and must be a JSON object"),
        ({"parameters": {"span": 7}}, "parameter 'span' is 7 and must be a text"),
        ({"parameters": {"span": "x" * 1025}}, "1,025 characters"),
        ({"parameters": {"span": "a\nb"}}, "control characters"),
        ({"id": 7}, "'id' is 7"),
        ({"id": ""}, "'id' is '' and must be a text"),
        ({"id": "a\ud800"}, "control characters"),
        ({"reason": {"a": 1}}, "'reason' is {'a': 1}"),
        ({"pipeline": ["orders"]}, "'pipeline' is"),
    ],
)
def test_a_wrong_request_names_what_is_wrong(body, says):
    with pytest.raises(HopelessMessageError, match=says):
        read_request(message(), body)


@pytest.mark.parametrize("span", ["7", "day 1", "2026-01-31", "2026/01/31", "a.b", "latest", "日"])
def test_a_span_is_a_part_of_a_path_or_a_date(span):
    assert check_span(span) == span


@pytest.mark.parametrize(
    "span", ["", ".", "..", "a/b", "/", "2026//31", "../x", "{span}", "a\\b", "a\tb", "a\u2028b", 7]
)
def test_other_spans_are_refused(span):
    with pytest.raises(HopelessMessageError):
        check_span(span)


def test_a_long_value_is_cut_in_the_reason():
    with pytest.raises(HopelessMessageError) as error:
        read_request(message(), {"id": ["x" * 5000]})
    assert len(str(error.value)) < 200
