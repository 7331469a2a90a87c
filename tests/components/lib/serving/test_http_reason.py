from retrainer.components.lib.serving.http_reason import http_reason


def test_the_operating_systems_words_are_taken_from_below_the_libraries():
    error = ValueError("HTTPConnectionPool(...): Max retries exceeded")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert http_reason(error) == "Connection refused"


def test_an_error_that_nothing_caused_is_its_own_reason():
    assert http_reason(ValueError("no scheme.")) == "no scheme"
    assert http_reason(TimeoutError()) == "TimeoutError"
