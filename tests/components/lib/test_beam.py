import os

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.runners.portability import prism_runner

from retrainer.components.lib.beam import (
    pipeline_options,
    shared_temporary_folder,
    worker_files,
    worker_uri,
)
from retrainer.components.lib.examples import SpanPart


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--runner=DirectRunner"],
        ["--runner", "directrunner", "--direct_num_workers=2"],
        ["--runner=apache_beam.runners.direct.direct_runner.DirectRunner"],
        ["--direct_running_mode=in_memory"],
    ],
)
def test_a_pipeline_of_this_machine_never_asks_for_prism(arguments, monkeypatch):
    asked = []
    monkeypatch.setattr(prism_runner.PrismRunner, "__init__", lambda self: asked.append(self))
    with beam.Pipeline(options=pipeline_options(arguments)) as pipeline:
        _ = pipeline | beam.Create([("a", 1), ("a", 2)]) | beam.GroupByKey()
    assert not asked


def test_another_runner_is_kept_with_its_arguments():
    options = pipeline_options(["--runner=DataflowRunner", "--region=europe-west1"])
    assert options.view_as(StandardOptions).runner == "DataflowRunner"
    assert options.get_all_options()["region"] == "europe-west1"


def test_a_mounted_bucket_is_named_as_workers_reach_it():
    assert worker_uri("/gcs/bucket/run/model") == "gs://bucket/run/model"
    assert worker_uri("/data/gcs/model") == "/data/gcs/model"
    assert worker_uri("s3://bucket/model") == "s3://bucket/model"
    part = SpanPart("1", "/gcs/bucket/spans/1/v1", "all", 5, ("a.parquet", "b.parquet"))
    found = worker_files([part])
    assert [(file.uri, file.files) for file in found] == [
        ("gs://bucket/spans/1/v1", ("a.parquet",)),
        ("gs://bucket/spans/1/v1", ("b.parquet",)),
    ]


@pytest.mark.parametrize("located", [True, False])
def test_workers_elsewhere_share_a_temporary_folder_that_is_deleted(tmp_path, located):
    location = [f"--temp_location={tmp_path}/temporary"] if located else []
    options = pipeline_options(["--runner=DataflowRunner", *location])
    with shared_temporary_folder(options, str(tmp_path / "graph")) as folder:
        assert folder.startswith(str(tmp_path / ("temporary/" if located else "graph-")))
        os.makedirs(folder)
    assert not os.path.exists(folder)


def test_a_temporary_folder_of_this_machine_needs_no_bucket():
    options = pipeline_options(["--temp_location=gs://no-such-bucket/x"])
    with shared_temporary_folder(options, "/gcs/bucket/graph") as folder:
        assert os.path.isdir(folder)
