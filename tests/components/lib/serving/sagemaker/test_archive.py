"""The archive of a model, and names in SageMaker, without a server."""

import io
import os
import re
import tarfile
from dataclasses import replace

import pytest
from pydantic import ValidationError

from retrainer.components.lib.serving.interface import ServedModel
from retrainer.components.lib.serving.sagemaker.archive import write_archive
from retrainer.components.lib.serving.sagemaker.names import (
    config_name,
    is_config_of,
    is_model_of,
    model_name,
    version_of,
)
from retrainer.pipelines.project.sections.deploy.sagemaker import SageMakerDeployment

# CreateModel and CreateEndpointConfig in SageMaker's API reference.
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def test_equal_content_gives_equal_bytes(models: dict[int, ServedModel]) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    write_archive(models[1], first)
    os.utime(f"{models[1].uri}/saved_model.pb", (1, 1))
    write_archive(models[1], second)
    assert first.getvalue() == second.getvalue()


def test_the_archive_has_the_files_below_the_registrys_number(
    models: dict[int, ServedModel],
) -> None:
    packed = io.BytesIO()
    write_archive(replace(models[2], version=12), packed)
    packed.seek(0)
    with tarfile.open(fileobj=packed) as tar:
        member = tar.extractfile("model/12/saved_model.pb")
        assert member is not None
        assert member.read() == b"graph" * 2
        assert {(one.mode, one.uid, one.mtime) for one in tar.getmembers()} == {(0o644, 0, 0)}


@pytest.mark.parametrize("endpoint", ["a", "flights", "f" * 63, "f-" * 31 + "f"])
def test_names_fit_and_are_known_again(endpoint: str) -> None:
    model, config = model_name(endpoint, 1234567, {"a": 1}), config_name(endpoint, {"a": 1})
    assert NAME.fullmatch(model)
    assert NAME.fullmatch(config)
    assert is_model_of(endpoint, model)
    assert is_config_of(endpoint, config)
    assert not is_model_of(endpoint, config)
    assert not is_config_of(endpoint, model)
    assert not is_model_of(f"{endpoint[:-1]}x", model)
    assert model != model_name(endpoint, 1234567, {"a": 2})


def test_long_names_of_two_endpoints_differ() -> None:
    assert model_name("f" * 62 + "a", 1, {}) != model_name("f" * 62 + "b", 1, {})


@pytest.mark.parametrize(
    ("variant", "version"), [("v12", 12), ("v0", None), ("AllTraffic", None), ("v1x", None)]
)
def test_a_variants_name_says_which_version_it_serves(variant: str, version: int | None) -> None:
    assert version_of(variant) == version


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("endpoint", "a_b"),
        ("endpoint", "a" * 64),
        ("role", "serving"),
        ("image", ""),
        ("model_data", "gs://bucket/models"),
        ("instance_type", "m5.large"),
        ("instance_count", 0),
        ("data_capture", {"uri": "/tmp/x"}),
        ("startup_timeout_seconds", 5),
    ],
)
def test_settings_that_sagemaker_would_refuse_are_refused(key: str, value: object) -> None:
    good = {
        "endpoint": "flights",
        "role": "arn:aws:iam::123456789012:role/serving",
        "image": "repository:tag",
        "model_data": "s3://bucket",
    }
    SageMakerDeployment.model_validate(good)
    with pytest.raises(ValidationError):
        SageMakerDeployment.model_validate({**good, key: value})
