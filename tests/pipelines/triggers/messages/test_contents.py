from datetime import timedelta

import pytest
from servers.trigger_messages import NOON, message, written

from retrainer.pipelines.triggers.messages.contents import (
    check_span,
    find_written,
    is_storage,
    read_body,
    read_request,
    read_written,
    restore,
    show_value,
)
from retrainer.pipelines.triggers.service.dead_letters import describe
from retrainer.pipelines.triggers.types import InvalidMessageError, Message


def test_a_notification_of_storage_is_read_from_its_attributes():
    notification = written("day=1/a.csv", NOON + timedelta(microseconds=5), generation=17)
    assert find_written(notification) == "gs://acme/day=1/a.csv"
    read = read_written(notification)
    assert (read.uri, read.generation) == ("gs://acme/day=1/a.csv", "17")
    assert read.at == NOON + timedelta(microseconds=5)


@pytest.mark.parametrize("event", ["OBJECT_DELETE", "OBJECT_ARCHIVE", "OBJECT_METADATA_UPDATE"])
def test_other_events_than_writing_are_no_data(event):
    assert find_written(written("day=1/a.csv", eventType=event)) is None


def test_the_empty_object_that_stands_for_a_folder_is_no_data():
    assert find_written(written("day=1/")) is None


def test_without_its_time_an_event_is_as_old_as_its_message():
    assert read_written(written("day=1/a.csv", eventTime="")).at == NOON


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
        ({"eventTime": "0001-01-01T00:00:00+23:59"}, "must be a time such as"),
    ],
)
def test_a_wrong_attribute_of_storage_is_named(changes, says):
    attributes = dict(written("day=1/a.csv").attributes) | changes
    notification = message(b"", NOON, **{key: text for key, text in attributes.items() if text})
    with pytest.raises(InvalidMessageError, match=says):
        (find_written(notification), read_written(notification))


def test_a_clock_may_be_ahead_by_an_hour_and_no_more():
    hour = NOON + timedelta(hours=1)
    assert read_written(written("day=1/a.csv", eventTime=hour.isoformat())).at == hour
    for later in (hour + timedelta(microseconds=1), hour + timedelta(days=1)):
        with pytest.raises(InvalidMessageError, match="was published at"):
            read_written(written("day=1/a.csv", eventTime=later.isoformat()))
    first = "2000-01-01T00:00:00+00:00"
    assert read_written(written("day=1/a.csv", eventTime=first)).at.year == 2000
    with pytest.raises(InvalidMessageError, match="was published at"):
        read_written(written("day=1/a.csv", eventTime="1999-12-31T23:59:59Z"))


def test_a_replayed_message_has_the_id_and_the_time_that_it_had_first():
    sent = message(b"{}", NOON, message_id="7", team="ml")
    given_up = message(b"{}", NOON + timedelta(days=1), message_id="9", **describe(sent, "no."))
    attributes = {key: text for key, text in given_up.attributes.items() if "reason" not in key}
    again = restore(message(b"{}", NOON + timedelta(days=2), message_id="11", **attributes))
    assert (again.message_id, again.published) == ("7", NOON)
    assert again.attributes == {"team": "ml"}
    assert again.queued == NOON + timedelta(days=2)
    assert restore(again).queued == again.queued


@pytest.mark.parametrize("published", ["", "yesterday", "2026-03-01T12:00:00", "9999-01-01T00:00Z"])
def test_a_time_of_its_own_choice_does_not_put_a_message_ahead(published):
    sent = message(b"", NOON, message_id="7", **{"retrainer-published": published})
    assert restore(sent).published == NOON


@pytest.mark.parametrize(
    "name",
    ["timeout", "retry", "topic", "data", "ordering_key", "messages", "self", "été", "x" * 256],
)
def test_a_dead_letter_keeps_attributes_of_any_name(name):
    letter = describe(Message("7", b"", {name: "5"}, NOON), "no.")
    assert letter[name] == "5"
    assert letter["retrainer-reason"] == "no."


def test_a_dead_letter_keeps_to_the_limits_of_pubsub():
    attributes = {f"a{number}": "é" * 1000 for number in range(150)}
    attributes |= {"googclient_schemaencoding": "JSON", "k" * 257: "v", "half": "\ud800"}
    letter = describe(message(b"", **attributes), "é" * 1000)
    assert len(letter) == 100
    assert all(len(value.encode()) <= 1024 for value in letter.values())
    assert not [key for key in letter if key.startswith("goog") or len(key) > 256]
    assert describe(message(b"", half="\ud800"), "")["half"] == "?"


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
    with pytest.raises(InvalidMessageError, match=says):
        read_body(message(body))


def test_a_request_without_an_id_is_identified_by_its_message():
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
    with pytest.raises(InvalidMessageError, match=says):
        read_request(message(), body)


@pytest.mark.parametrize("span", ["7", "day 1", "2026-01-31", "2026/01/31", "a.b", "latest", "日"])
def test_a_span_is_a_part_of_a_path_or_a_date(span):
    assert check_span(span) == span


@pytest.mark.parametrize(
    "span", ["", ".", "..", "a/b", "/", "2026//31", "../x", "{span}", "a\\b", "a\tb", "a\u2028b", 7]
)
def test_other_spans_are_refused(span):
    with pytest.raises(InvalidMessageError):
        check_span(span)


def test_a_long_value_is_cut_in_the_reason():
    with pytest.raises(InvalidMessageError) as error:
        read_request(message(), {"id": ["x" * 5000]})
    assert len(str(error.value)) < 200


def test_texts_and_bodies_may_be_as_long_as_their_limits():
    name = "a" * 1024
    assert read_written(written(name)).uri == f"gs://acme/{name}"
    body = b'{"id": "7"}'.ljust(256 * 1024)
    assert read_body(message(body)) == {"id": "7"}


@pytest.mark.parametrize(
    ("time", "is_taken"),
    [
        (NOON + timedelta(hours=1), True),
        (NOON + timedelta(hours=1, seconds=1), False),
        (NOON.replace(year=2000), True),
        (NOON.replace(year=1999), False),
    ],
)
def test_an_objects_time_is_of_this_century_and_at_most_an_hour_ahead_of_its_message(
    time, is_taken
):
    late = message(b"", NOON, **written("day=1/a.csv", time).attributes)
    if is_taken:
        assert read_written(late).at == time
        return
    with pytest.raises(InvalidMessageError, match="was published at 2026-03-01"):
        read_written(late)


@pytest.mark.parametrize(
    ("generation", "is_taken"), [("9" * 20, True), ("9" * 21, False), ("1a", False), ("", True)]
)
def test_a_generation_is_a_number_of_twenty_digits_at_most(generation, is_taken):
    notification = written("day=1/a.csv", objectGeneration=generation)
    if is_taken:
        assert read_written(notification).generation == generation
        return
    with pytest.raises(InvalidMessageError, match="'objectGeneration' is"):
        read_written(notification)


@pytest.mark.parametrize(("length", "is_cut"), [(78, False), (79, True)])
def test_a_value_is_shown_whole_up_to_eighty_characters(length, is_cut):
    text = "x" * length
    assert show_value(text) == (f"'{text[:76]}..." if is_cut else f"'{text}'")
    assert len(show_value(text)) == 80
    assert show_value(None) == "missing"


@pytest.mark.parametrize(
    ("attributes", "is_it"),
    [
        ({"bucketId": "acme"}, True),
        ({"objectId": "a"}, True),
        ({"eventType": "OBJECT_DELETE"}, True),
        ({"eventType": "other"}, False),
        ({}, False),
    ],
)
def test_one_attribute_of_storage_makes_a_notification_of_it(attributes, is_it):
    assert is_storage(message(b"", NOON, **attributes)) is is_it


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"retrainer-message-id": "3"}, ("3", NOON)),
        ({"retrainer-published": "2026-02-28T12:00:00Z"}, ("7", NOON - timedelta(days=1))),
        ({"retrainer-published": "2026-03-02T12:00:00Z"}, ("7", NOON)),
        ({}, ("7", NOON)),
    ],
)
def test_a_replay_may_say_its_first_id_or_its_first_time_alone(attributes, expected):
    again = restore(message(b"", NOON, message_id="7", **attributes))
    assert (again.message_id, again.published) == expected
    assert again.attributes == {}
    assert again.queued == NOON


def test_two_parameters_of_a_request_are_both_taken_and_true_is_text():
    asked = read_request(message(), {"parameters": {"span": "7", "allow_older": True}})
    assert asked.parameters == {"span": "7", "allow_older": "true"}
    assert read_request(message(), {"parameters": {"a": False}}).parameters == {"a": "false"}


def test_of_a_replayed_message_the_first_id_or_the_first_time_may_be_missing():
    later = NOON + timedelta(days=1)
    of_id = restore(message(b"", later, message_id="9", **{"retrainer-message-id": "7"}))
    assert (of_id.message_id, of_id.published, of_id.attributes) == ("7", later, {})
    first = {"retrainer-published": NOON.isoformat()}
    of_time = restore(message(b"", later, message_id="9", **first))
    assert (of_time.message_id, of_time.published, of_time.queued) == ("9", NOON, later)
