import socket

import pytest
import requests

from retrainer.components.lib.serving.http_reason import http_reason


def test_the_operating_systems_words_are_taken_from_below_the_libraries():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(requests.ConnectionError) as raised:
            requests.get(f"http://127.0.0.1:{closed.getsockname()[1]}", timeout=5)
    assert http_reason(raised.value) == "Connection refused"
    error = requests.ConnectionError("Max retries exceeded with url: /v1")
    error.__cause__ = ConnectionResetError(104, "Connection reset by peer")
    assert http_reason(error) == "Connection reset by peer"


def test_an_error_that_nothing_caused_is_its_own_reason():
    assert http_reason(ValueError("no scheme.")) == "no scheme"
    assert http_reason(TimeoutError()) == "TimeoutError"
