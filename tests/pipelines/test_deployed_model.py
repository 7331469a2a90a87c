"""The starter project with services: one run trains, pushes and deploys, and what others read there answers."""

import io
import json
import subprocess
import tarfile

import pytest
import tensorflow as tf
from google.protobuf import text_format
from servers import own_environment
from servers.mlflow import real_server
from servers.sagemaker import ACCOUNT, BUCKET, SageMakerServer
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from retrainer.components.lib.serving.sagemaker import service

SETTINGS = f"""
store: s3://{BUCKET}/store
pipeline_root: root
serving:
  deploy:
    tf_serving: {{{{uri: '{{serving}}'}}}}
    sagemaker:
      endpoint: live
      role: arn:aws:iam::{ACCOUNT}:role/serving
      image: {ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/tensorflow-inference:2.16.1-cpu
      model_data: s3://{BUCKET}/models
    mlflow: {{{{tracking_uri: '{{mlflow}}'}}}}
"""
# What a user of MLflow does, in an environment that has MLflow and no retrainer.
DOWNLOAD = """
import sys
import mlflow

mlflow.set_tracking_uri(sys.argv[1])
print(mlflow.artifacts.download_artifacts("models:/orders@champion", dst_path=sys.argv[2]))
"""


@pytest.fixture
def sagemaker(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "POLL_SECONDS", 0.01)
    with SageMakerServer(tmp_path) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        # Tasks are processes of their own and wait as long as with AWS.
        server.set(settles_after=0)
        yield server


@pytest.fixture
def mlflow(tmp_path, sagemaker):
    (tmp_path / "mlflow").mkdir()
    with real_server(tmp_path / "mlflow") as url:
        yield url


@pytest.mark.slow
def test_a_run_ends_with_its_model_on_every_service(
    warm_retrainer, tmp_path, monkeypatch, sagemaker, mlflow
):
    folder, serving = tmp_path / "orders", tmp_path / "serving"
    assert warm_retrainer("init", folder).returncode == 0
    file = folder / "retrain.yaml"
    settings = SETTINGS.format(serving=serving, mlflow=mlflow)
    file.write_text(f"{file.read_text()}\n{settings}")
    done = warm_retrainer("run", file, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    tasks = json.loads(done.stdout)["tasks"]
    assert tasks["push-model"]["outputs"]["verdict"].startswith("pushed as version 1")

    # What TensorFlow Serving reads: its own message, then the folder of the version with the label.
    config = text_format.Parse((serving / "models.config").read_text(), ModelServerConfig())
    (model,) = config.model_config_list.config
    number = model.version_labels["stable"]
    assert number == 1
    answers(f"{model.base_path}/{number}")

    # What SageMaker's container unpacks to /opt/ml/model.
    import boto3

    runs = boto3.client("sagemaker").describe_endpoint(EndpointName="live")
    assert [one["VariantName"] for one in runs["ProductionVariants"]] == ["v1"]
    s3 = boto3.client("s3")
    (archive,) = s3.list_objects_v2(Bucket=BUCKET, Prefix="models/")["Contents"]
    content = s3.get_object(Bucket=BUCKET, Key=archive["Key"])["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    answers(str(tmp_path / "unpacked" / "model" / "1"))

    # What MLflow's own client finds by the alias and copies from S3.
    command = [own_environment.python("mlflow"), "-c", DOWNLOAD, mlflow, tmp_path / "downloaded"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    answers(found.stdout.splitlines()[-1])

    shown = warm_retrainer("deploy", "--status", "--json", "--file", file)
    assert shown.returncode == 0, shown.stdout
    rows = json.loads(shown.stdout)
    assert {row["service"] for row in rows} == {"tf_serving", "sagemaker", "mlflow"}
    assert not any(row["differences"] or row["error"] for row in rows)


def answers(path):
    """Load a SavedModel as a server does, and have it answer two requests."""
    loaded = tf.saved_model.load(path)
    function = loaded.signatures["serving_default"]
    columns = function.structured_input_signature[1]
    values = {tf.string: ["DE", "FR"], tf.int64: [1, 2], tf.float32: [1.0, 2.0]}
    request = {name: tf.constant(values[spec.dtype], spec.dtype) for name, spec in columns.items()}
    (scores,) = function(**request).values()
    assert scores.shape[0] == 2
    assert ((scores.numpy() >= 0) & (scores.numpy() <= 1)).all()
