"""One moto server for a worker's tests of SageMaker, and models to deploy there."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
from servers.sagemaker import ACCOUNT, BUCKET, SageMakerServer

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.serving.interface import ServedModel
from retrainer.components.lib.serving.sagemaker import service as service_module
from retrainer.components.lib.serving.services import open_service
from retrainer.pipelines.project.sections.deploy.sagemaker import SageMakerDeployment

SETTINGS = {
    "endpoint": "flights",
    "role": f"arn:aws:iam::{ACCOUNT}:role/serving",
    "image": f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/tensorflow-inference:2.16.1-cpu",
    "model_data": f"s3://{BUCKET}/models",
}
Open = Callable[..., Any]
_LOADER = botocore.loaders.create_loader()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SageMakerServer]:
    with SageMakerServer(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def server(running: SageMakerServer, monkeypatch: pytest.MonkeyPatch) -> SageMakerServer:
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(service_module, "POLL_SECONDS", 0.01)
    real = boto3.session.Session

    def session(**options: Any) -> Any:
        # Reading the description of SageMaker's API takes half a second: once is enough.
        own = botocore.session.Session()
        own.register_component("data_loader", _LOADER)
        return real(botocore_session=own, **options)

    monkeypatch.setattr(boto3.session, "Session", session)
    running.reset()
    return running


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, ServedModel]:
    return {number: _model(tmp_path_factory.mktemp(f"v{number}"), number) for number in (1, 2, 3)}


@pytest.fixture
def opened() -> Open:
    """Open the service with the least settings, and those that are given."""

    def call(**settings: Any) -> Any:
        section = SageMakerDeployment.model_validate({**SETTINGS, **settings})
        return open_service(
            "sagemaker", section.model_dump(mode="json", exclude_none=True), "flights"
        )

    return call


@pytest.fixture
def aws(server: SageMakerServer) -> Open:
    """Make a client of boto3, as somebody else uses it."""
    return functools.cache(lambda service: boto3.session.Session().client(service))


def _model(folder: Path, number: int) -> ServedModel:
    (folder / "variables").mkdir()
    (folder / "saved_model.pb").write_bytes(b"graph" * number)
    (folder / "variables" / "variables.index").write_bytes(bytes(range(256)))
    info = {"run": f"run-{number}", "span": "2013-11"}
    return ServedModel(number, str(folder), digest_folder(folder), info)
