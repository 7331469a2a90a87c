"""What a path says about the model, and which requests are logged."""

import re

import pytest

from retrainer.pipelines.telemetry.proxy.requests import PREDICTING, Asked, read_path


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/models/flights:predict", Asked("flights", None, None, "/v1/models/flights")),
        (
            "/v1/models/flights/versions/12:predict",
            Asked("flights", "12", None, "/v1/models/flights"),
        ),
        (
            "/v1/models/flights/labels/canary:classify",
            Asked("flights", None, "canary", "/v1/models/flights"),
        ),
        ("/v1/models/a%20b:regress", Asked("a b", None, None, "/v1/models/a%20b")),
        ("/v2/models/flights/versions/4/infer", Asked("flights", "4", None, None)),
        ("/v2/models/flights/infer", Asked("flights", None, None, None)),
        (
            "/v1/projects/acme-ml/locations/europe-west1/endpoints/123:rawPredict",
            Asked(None, None, None, None),
        ),
        ("/invocations", Asked(None, None, None, None)),
        ("/predict", Asked(None, None, None, None)),
    ],
)
def test_a_path_names_the_model(path, asked):
    assert re.search(PREDICTING, path)
    assert read_path(path) == asked


@pytest.mark.parametrize(
    "path",
    ["/v1/models/flights", "/v1/models/flights/metadata", "/v2/health/ready", "/predictions", "/"],
)
def test_other_requests_are_not_logged(path):
    assert not re.search(PREDICTING, path)
