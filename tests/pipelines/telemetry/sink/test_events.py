"""CloudEvents in each mode become lines in structured mode."""

import base64
import json

import pytest

from retrainer.pipelines.telemetry.sink.events import EventError, read_events

# As KServe's logger sends them: github.com/kserve/kserve, pkg/logger/worker.go.
HEADERS = {
    "Ce-Id": "r1",
    "Ce-Source": "http://localhost:9081/",
    "Ce-Specversion": "1.0",
    "Ce-Type": "org.kubeflow.serving.inference.request",
    "Ce-Time": "2026-11-26T11:00:00.123Z",
    "Ce-Inferenceservicename": "flights",
    "Ce-Namespace": "ml",
    "Ce-Endpoint": "default",
    "Content-Type": "application/json",
    "User-Agent": "Go-http-client/1.1",
}
EVENT = {"id": "r1", "source": "/x", "type": "t", "specversion": "1.0"}


def lines(headers: dict[str, str], body: bytes) -> list[dict]:
    return [json.loads(row.line()) for row in read_events(headers, body)]


def test_an_event_of_kserve_is_a_line():
    (line,) = lines(HEADERS, b'{"instances": [1.5]}')
    assert line.pop("receivedtime").endswith("Z")
    assert line == {
        "id": "r1",
        "source": "http://localhost:9081/",
        "specversion": "1.0",
        "type": "org.kubeflow.serving.inference.request",
        "time": "2026-11-26T11:00:00.123Z",
        "inferenceservicename": "flights",
        "namespace": "ml",
        "endpoint": "default",
        "datacontenttype": "application/json",
        "data": {"instances": [1.5]},
    }


@pytest.mark.parametrize("body", [b"no JSON", b"\xff\x00", b"", b'{"a": NaN}', b"[" * 100_000])
def test_data_that_is_no_json_is_kept_as_it_is(body):
    (line,) = lines(HEADERS, body)
    assert "data" not in line
    assert base64.b64decode(line["data_base64"]) == body


def test_attributes_are_decoded():
    (line,) = lines({**HEADERS, "ce-metadata": "%7B%22stra%C3%9Fe%22%3A1%7D"}, b"1")
    assert line["metadata"] == '{"straße":1}'


def test_structured_mode_is_kept_with_its_extensions():
    event = {**EVENT, "endpoint": "canary", "data": {"predictions": [2]}}
    headers = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    (line,) = lines(headers, json.dumps(event).encode())
    del line["receivedtime"]
    assert line == event


def test_a_batch_is_a_line_for_each_event():
    events = [{**EVENT, "id": "a", "data": 1}, {**EVENT, "id": "b", "data_base64": "AA=="}]
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    found = lines(headers, json.dumps(events).encode())
    assert [line["id"] for line in found] == ["a", "b"]
    assert lines(headers, b"[]") == []


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({}, b"{}", "has no 'id'"),
        ({k: v for k, v in HEADERS.items() if k != "Ce-Type"}, b"{}", "has no 'type'"),
        ({**HEADERS, "Ce-Specversion": "0.3"}, b"{}", "version '0.3'"),
        ({"Content-Type": "application/cloudevents+json"}, b"{", "not JSON"),
        ({"Content-Type": "application/cloudevents+json"}, b"[]", "not a CloudEvent"),
        ({"Content-Type": "application/cloudevents-batch+json"}, b"{}", "not a batch"),
        ({"Content-Type": "application/cloudevents-batch+json"}, b"[1]", "not a JSON object"),
        (
            {"Content-Type": "application/cloudevents-batch+json"},
            json.dumps([EVENT, {**EVENT, "id": 5}]).encode(),
            "has no 'id'",
        ),
    ],
)
def test_what_is_no_event_is_named(headers, body, reason):
    with pytest.raises(EventError, match=reason):
        read_events(headers, body)
