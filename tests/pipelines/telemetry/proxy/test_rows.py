"""A row of the log is a line of JSON, whatever was sent."""

import base64
import gzip
import json
import zlib

import pytest

from retrainer.pipelines.telemetry.proxy.rows import Body, RequestRow


def line(**changes) -> dict:
    fields = {
        "request_id": "r1",
        "time": 1764156250.123456,
        "method": "POST",
        "path": "/v1/models/flights:predict",
        "status": 200,
        "latency_ms": 3.21749,
        "model": "flights",
        "model_version": "3",
        "model_label": None,
        "variant": "stable",
        "sample_rate": 0.1,
        "request": Body(b'{"instances": [1]}', 18),
        "response": Body(b'{"predictions": [2]}', 20),
        **changes,
    }
    text = RequestRow(**fields).line()
    assert b"\n" not in text
    return json.loads(text)


def test_a_line_has_the_fields_that_readers_know():
    assert line() == {
        "request_id": "r1",
        "time": "2025-11-26T11:24:10.123456Z",
        "method": "POST",
        "path": "/v1/models/flights:predict",
        "status": 200,
        "latency_ms": 3.217,
        "model": "flights",
        "model_version": "3",
        "model_label": None,
        "variant": "stable",
        "sample_rate": 0.1,
        "error": None,
        "request_bytes": 18,
        "request": '{"instances": [1]}',
        "response_bytes": 20,
        "response": '{"predictions": [2]}',
    }


@pytest.mark.parametrize(
    "text", ["no JSON {", '{"a":\n1}', '"}, "status": 500', "Straße \u2028 \0"]
)
def test_a_body_stays_what_it_was(text):
    body = text.encode()
    assert line(request=Body(body, len(body)))["request"] == text


def test_bytes_that_are_no_text_are_in_base64():
    found = line(response=Body(b"\xff\x00", 2))
    assert found["response"] is None
    assert base64.b64decode(found["response_base64"]) == b"\xff\x00"


def test_a_body_that_was_left_out_says_its_size():
    found = line(request=Body(None, 5_000_000))
    assert (found["request"], found["request_bytes"]) == (None, 5_000_000)


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (gzip.compress(b'{"instances": [1]}'), "gzip"),
        (zlib.compress(b'{"instances": [1]}'), "Deflate"),
    ],
    # What gzip makes has the time in it, and a test must have one name on all of xdist's workers.
    ids=["gzip", "deflate"],
)
def test_a_compressed_body_is_logged_unpacked(packed, encoding):
    assert line(request=Body(packed, len(packed), encoding))["request"] == '{"instances": [1]}'


@pytest.mark.parametrize(
    "packed",
    [b"no gzip at all", gzip.compress(b"x" * 100)[:-20], gzip.compress(bytes(17 << 20))],
    ids=["plain", "cut off", "too large"],
)
def test_what_can_not_be_unpacked_stays_packed(packed):
    found = line(request=Body(packed, len(packed), "gzip"))
    content = found.get("request_base64")
    assert (base64.b64decode(content) if content else found["request"].encode()) == packed
