import os
import re
import signal
import time
from contextlib import nullcontext

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
)
from apache_beam.runners.portability import prism_runner

from retrainer.components.lib.engine import pipelines
from retrainer.components.lib.engine.pipelines import (
    Engine,
    job_name,
    open_engine,
    pipeline_options,
)
from retrainer.components.lib.errors import RetrainerError

DATAFLOW = [
    "--runner=DataflowRunner",
    "--sdk_container_image=registry/retrainer:1",
    "--project=acme",
    "--region=europe-west1",
]
POOL = [
    "--runner=PortableRunner",
    "--job_endpoint=jobs:8099",
    "--environment_type=EXTERNAL",
    "--environment_config=localhost:50000",
]


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


def test_a_temporary_folder_of_this_machine_needs_no_bucket():
    with open_engine("x", ["--temp_location=gs://no-such-bucket/x"], ["/gcs/bucket/x"]) as engine:
        assert engine.is_here
        assert os.path.isdir(engine.folder)
    assert not os.path.exists(engine.folder)


@pytest.mark.parametrize(
    ("arguments", "uris", "says"),
    [
        (POOL, ["/data/store/spans/1/v"], r"workers of PortableRunner at jobs:8099 can't reach '/"),
        ([*DATAFLOW[:1], *DATAFLOW[2:]], ["gs://b/s/spans/1/v"], r"(?s)no retrainer.*worker_image"),
        (
            [*POOL[:2], "--temp_location=/tmp", *POOL[2:]],
            ["s3://b/spans/1/v"],
            "can't reach '/tmp'",
        ),
        (["--runer=PortableRunner"], [], "--runer is no option"),
        (POOL, ["s3://b/somewhere"], "is in no store.*temp_location"),
    ],
)
def test_what_can_not_work_is_an_error_before_anything_is_sent(monkeypatch, arguments, uris, says):
    monkeypatch.setattr(pipelines, "check_endpoint", lambda *_: None)
    with pytest.raises(RetrainerError, match=says), open_engine("x", arguments, uris):
        raise AssertionError


def test_names_of_jobs_are_those_of_dataflow_and_no_two_are_the_same():
    names = {job_name(given, "compute_statistics") for given in (None, "Flights_2013", "9 x" * 40)}
    for name in (*names, job_name(None, "compute_statistics")):
        assert len(name) <= 63
        # apache_beam/options/pipeline_options_validator.py, JOB_PATTERN.
        assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert job_name("a", "b") != job_name("a", "b")


def test_what_is_left_out_is_filled_in(monkeypatch):
    # It asks the bucket.
    quiet = "_warn_if_soft_delete_policy_enabled"
    monkeypatch.setattr(GoogleCloudOptions, quiet, lambda *_: None)
    options: list[PipelineOptions] = []
    monkeypatch.setattr(beam.Pipeline, "run", lambda self: options.append(self._options) or Done())
    monkeypatch.setattr(pipelines, "shared_folder", lambda *names: nullcontext("/".join(names)))
    with (
        open_engine("transform_features", DATAFLOW, ["gs://acme-store/store/spans/1/v"]) as engine,
        engine.pipeline(),
    ):
        pass
    found = options[0].get_all_options()
    assert engine.folder == "gs://acme-store/store/temporary/transform_features"
    assert found["temp_location"] == f"{engine.folder}/beam"
    assert found["staging_location"] == f"{engine.folder}/staging"
    assert found["save_main_session"] is False
    assert found["beam_plugins"] == [
        "retrainer.components.lib.engine.beam_files.FsspecFileSystem",
    ]
    assert found["job_name"].startswith("retrainer-transform-features-")


@pytest.mark.parametrize("kind", ["EXTERNAL", "LOOPBACK"])
def test_a_failure_on_an_engine_is_a_few_lines_wherever_its_workers_are(monkeypatch, kind):
    def fail(_):
        raise RuntimeError("Traceback:\n  File x\nValueError: a\n" * 20)

    monkeypatch.setattr(beam.Pipeline, "run", fail)
    arguments = POOL if kind == "EXTERNAL" else [*POOL[:2], "--environment_type=LOOPBACK"]
    with (
        pytest.raises(
            RetrainerError, match=r"^x failed on PortableRunner at jobs:8099:\nValueError: a"
        ),
        Engine("x", kind == "LOOPBACK", "/t", tuple(arguments)).pipeline(),
    ):
        pass


def test_a_task_that_is_stopped_stops_its_job(monkeypatch):
    class Running:
        def wait_until_finish(self):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)

        def cancel(self):
            cancelled.append(self)

    cancelled: list[Running] = []
    monkeypatch.setattr(beam.Pipeline, "run", lambda _: Running())
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit), Engine("x", False, "s3://b/t", tuple(POOL)).pipeline():
        pass
    assert len(cancelled) == 1
    assert signal.getsignal(signal.SIGTERM) == before


class Done:
    def wait_until_finish(self):
        pass
