"""What each component would send to Dataflow: nothing of this machine, and what was set."""

import os
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from servers.dataflow_requests import Request, capture, job_of, request_of

from retrainer.components.lib.examples import SpanPart
from retrainer.components.lib.features import FLOAT, STRING

pytestmark = pytest.mark.slow

ARGUMENTS = [
    "--runner=DataflowRunner",
    "--project=acme-project",
    "--region=europe-west1",
    "--sdk_container_image=europe-docker.pkg.dev/acme/retrainer:1",
    "--service_account_email=beam@acme.iam.gserviceaccount.com",
    "--network=shop",
    "--subnetwork=regions/europe-west1/subnetworks/shop",
    "--no_use_public_ips",
    "--machine_type=n2-highmem-4",
    "--max_num_workers=7",
    '--labels={"team": "shop"}',
    "--job_name=flights",
]
# What the workers' image has, beside Python itself.
INSTALLED = {
    "absl", "apache_beam", "google", "numpy", "pyarrow", "retrainer", "tensorflow", "tensorflow_data_validation",
    "tensorflow_metadata", "tensorflow_model_analysis", "tensorflow_transform", "tfx_bsl",
}  # fmt: skip
# As on Vertex AI, where a task sees buckets as folders.
PARTS = [
    SpanPart(name, f"/gcs/acme/store/spans/{name}/v1", "all", 5, ("a.parquet", "b.parquet"))
    for name in ("2013-01", "2013-02")
]
MODEL = """
import tensorflow_transform as tft


class Mine:
    pass


def preprocessing_fn(inputs):
    return {
        "delay": tft.scale_to_z_score(inputs["delay"]),
        "carrier": tft.compute_and_apply_vocabulary(inputs["carrier"]),
    }
"""


@pytest.fixture(autouse=True)
def _captured(monkeypatch):
    capture(monkeypatch)


def check(request: Request, component: str, folder: str) -> None:
    """Check what is the same for every component."""
    assert re.fullmatch(f"flights-{component.replace('_', '-')}-[0-9a-f]{{8}}", request.name)
    assert request.labels == {"team": "shop"}
    assert request.environment["serviceAccountEmail"] == "beam@acme.iam.gserviceaccount.com"
    pool = request.pool
    image = "europe-docker.pkg.dev/acme/retrainer:1"
    assert pool["workerHarnessContainerImage"] == image
    assert [one["containerImage"] for one in pool["sdkHarnessContainerImages"]] == [image]
    assert pool["network"] == "shop"
    assert pool["subnetwork"] == "regions/europe-west1/subnetworks/shop"
    assert pool["ipConfiguration"] == "WORKER_IP_PRIVATE"
    assert pool["machineType"] == "n2-highmem-4"
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 7
    assert request.options["save_main_session"] is False
    assert request.options["temp_location"].startswith(f"{folder}/beam/{request.name}")
    assert request.options["staging_location"].startswith(f"{folder}/staging/{request.name}")
    assert any(name.endswith("FsspecFileSystem") for name in request.options["beam_plugins"])
    check_content(request.content, 5)
    assert request.modules
    assert request.modules <= {*INSTALLED, *sys.stdlib_module_names}


def check_content(content: list[bytes], least: int) -> None:
    """Check that nothing in a request names a folder of this machine, and that it was unpacked."""
    assert len(content) >= least
    here = [
        tempfile.gettempdir(),
        "/gcs/",
        str(Path.home()),
        os.getcwd(),
        str(Path(__file__).parent),
    ]
    for one in content:
        for path in here:
            assert f"{path.rstrip('/')}/".encode() not in one.replace(sys.prefix.encode(), b""), (
                path
            )


def test_statistics():
    from retrainer.components.lib.statistics.sketch_beam import make_on_beam
    from retrainer.components.lib.statistics.sketches import parse_options

    request = request_of(lambda: make_on_beam(PARTS, parse_options({}), ARGUMENTS))
    check(request, "compute_statistics", "gs://acme/store/temporary/compute_statistics-0")
    assert any(b"gs://acme/store/spans/2013-02/v1" in one for one in request.content)


def test_transform(tmp_path):
    from retrainer.components.lib.user_code.user_module import load_module, user_function
    from retrainer.components.transform_features.on_beam import analyse_on_beam

    preprocess = user_function(load_module("", MODEL), "preprocessing_fn")
    kinds = {"delay": FLOAT, "carrier": STRING}
    request = request_of(
        lambda: analyse_on_beam(preprocess, kinds, PARTS, str(tmp_path), "", MODEL, ARGUMENTS)
    )
    folder = "gs://acme/store/temporary/transform_features-0"
    check(request, "transform_features", folder)
    # The module's text travels.
    assert any(b"class Mine" in one for one in request.content)
    assert any(f"{folder}/graph".encode() in one for one in request.content)
    assert any(b"fsspec://gs/acme/store/temporary/transform" in one for one in request.content)


def test_evaluation(tmp_path, monkeypatch):
    from retrainer.components.evaluate_model import on_beam
    from retrainer.components.lib.evaluation.eval_config import build_eval_config
    from retrainer.components.lib.examples import Examples

    uploaded = []
    monkeypatch.setattr(on_beam, "upload", lambda *names: uploaded.append(names))
    metrics = [{"metrics": [{"class_name": "AUC"}, {"class_name": "BinaryAccuracy"}]}]
    config = build_eval_config(metrics, [{"feature_keys": ["carrier"]}], {}, "late", "", True)
    examples = Examples("late", {"train": (), "eval": tuple(PARTS)}, ("2013-01", "2013-02"))
    # On Kubeflow an artifact is a folder of the pod alone.
    models = {
        "candidate": (str(tmp_path / "model"), "challenger"),
        "baseline": ("/gcs/acme/store/models/versions/1/model", "champion"),
    }
    request = request_of(
        lambda: on_beam.evaluate_examples_on_beam(
            config, examples, models, ["carrier"], ["late", "delay"], str(tmp_path), False, ARGUMENTS, 100
        )
    )  # fmt: skip
    folder = "gs://acme/store/temporary/evaluate_model-0"
    check(request, "evaluate_model", folder)
    assert uploaded == [(str(tmp_path / "model"), f"{folder}/models/candidate")]
    assert any(f"{folder}/models/candidate".encode() in one for one in request.content)
    assert any(b"gs://acme/store/models/versions/1/model" in one for one in request.content)


def test_batch_prediction(tmp_path, monkeypatch):
    from retrainer.components.lib.registry.registry import ModelVersion
    from retrainer.components.lib.source_files import SourceFile, SourceSpan
    from retrainer.components.lib.source_rows.column_types import ColumnType
    from retrainer.components.lib.source_rows.settings import IngestSettings
    from retrainer.components.predict_batch.on_beam import write_on_beam
    from retrainer.components.predict_batch.settings import PredictSettings, WantedColumns
    from retrainer.components.predict_batch.source_predictions import SpanWork

    settings = PredictSettings(IngestSettings(label="", key=("id",)))
    wanted = WantedColumns(settings, {"delay": "float32"}, "model (version 1)")
    version = ModelVersion(1, "/gcs/acme/store/models/versions/1/model", "digest")
    types = dict.fromkeys(["id", "delay"], ColumnType.TEXT)
    files = tuple(SourceFile(f"/gcs/acme/in/{name}.csv", 5, "f") for name in "ab")
    request = request_of(
        lambda: write_on_beam(
            SourceSpan("1", files), "v", SpanWork(version, wanted, types, {}), b"",
            "gs://acme/store/predictions/1/.writing-0", ARGUMENTS,
        )
    )  # fmt: skip
    check(request, "predict_batch", "gs://acme/store/predictions/1/.writing-0/beam/predict_batch-0")
    assert any(b"gs://acme/in/b.csv" in one for one in request.content)


def test_a_local_store_is_an_error_before_anything_is_sent():
    from retrainer.components.lib.errors import RetrainerError
    from retrainer.components.lib.statistics.sketch_beam import make_on_beam
    from retrainer.components.lib.statistics.sketches import parse_options

    parts = [replace(PARTS[0], uri="/home/me/store/spans/1/v1")]
    with pytest.raises(RetrainerError, match="DataflowRunner can't reach '/home/me/store"):
        make_on_beam(parts, parse_options({}), ARGUMENTS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--runner=FlinkRunner", "--flink_master=flink:8081"],
        ["--runner=SparkRunner", "--spark_master_url=spark://spark:7077"],
    ],
)
def test_what_flink_and_spark_are_sent(monkeypatch, arguments):
    """Up to their job servers: programs of Java, which the runners would download."""
    from retrainer.components.lib.engine import pipelines
    from retrainer.components.lib.statistics.sketch_beam import make_on_beam
    from retrainer.components.lib.statistics.sketches import parse_options

    monkeypatch.setattr(pipelines, "check_endpoint", lambda *_: None)
    arguments = [*arguments, "--environment_type=DOCKER", "--environment_config=acme/retrainer:1"]
    job = job_of(lambda: make_on_beam(PARTS, parse_options({}), arguments))
    (environment,) = job.environments
    assert environment.urn == "beam:env:docker:v1"
    assert b"acme/retrainer:1" in environment.payload
    check_content(job.content, 5)
    assert job.options["beam:option:save_main_session:v1"] is False
    assert job.options["beam:option:job_name:v1"].startswith("retrainer-compute-statistics-")
