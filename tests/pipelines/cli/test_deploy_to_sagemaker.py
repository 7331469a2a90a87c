"""`retrainer deploy` to SageMaker and S3, on moto's server."""

import json

import pytest
from servers.sagemaker import ACCOUNT, BUCKET, SageMakerServer

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.registry.promotions import roll_back
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.serving.sagemaker import service
from retrainer.components.lib.store import Store
from retrainer.pipelines.project.starting import init_project

SETTINGS = f"""
serving:
  deploy:
    sagemaker:
      endpoint: live
      role: arn:aws:iam::{ACCOUNT}:role/serving
      image: {ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/tensorflow-inference:2.16.1-cpu
      model_data: s3://{BUCKET}/models
"""


@pytest.fixture
def sagemaker(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "POLL_SECONDS", 0.01)
    with SageMakerServer(tmp_path) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def file(tmp_path, sagemaker):
    init_project(tmp_path / "project")
    path = tmp_path / "project" / "retrain.yaml"
    path.write_text(f"{path.read_text()}\nstore: {tmp_path / 'store'}\n{SETTINGS}")
    return path


def push(tmp_path, number):
    registry = Registry(Store(str(tmp_path / "store")).models_uri)
    model = tmp_path / f"model-{number}"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(b"graph %d" % number)
    version = registry.add(str(model), digest_folder(model), {"run": f"run-{number}"})
    registry.move_alias(CHAMPION, version.version, registry.version_of(CHAMPION), {})
    return registry


def served(retrainer, file):
    (row,) = json.loads(retrainer("deploy", "--status", "--json", "--file", file))
    assert not row["differences"]
    assert not row["error"]
    return row["served"]["traffic"]


def test_a_push_a_failure_and_a_rollback_reach_the_endpoint(retrainer, file, sagemaker, tmp_path):
    push(tmp_path, 1)
    shown = retrainer("deploy", "--file", file)
    assert shown.startswith(
        f"sagemaker: now serves version 1 at {sagemaker.url}/endpoints/live/invocations"
    )
    registry = push(tmp_path, 2)
    sagemaker.change_fails("The container for variant v2 did not pass the ping health check.")
    shown = retrainer("deploy", "--file", file, code=1)
    assert "did not pass the ping health check" in shown
    shown = retrainer("deploy", "--status", "--file", file, code=1)
    assert "did not pass the ping health check" in shown
    retrainer("deploy", "--file", file)
    assert served(retrainer, file) == {"2": 100}
    roll_back(registry, {"by": "ana", "why": "worse on UA"})
    retrainer("deploy", "--file", file)
    assert served(retrainer, file) == {"1": 100}
