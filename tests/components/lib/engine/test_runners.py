"""What a runner is called, what it needs, where its workers are and what they start from."""

import pytest

from retrainer.components.lib.engine.runners import (
    image_option,
    image_options,
    missing_options,
    runner_class,
    runner_problem,
    unusable_options,
    with_worker_image,
    works_here,
)

FULL = {"job_endpoint": "jobs:8099", "environment_type": "DOCKER"}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("in_process", ""),
        ("dataflow", "DataflowRunner"),
        ("DataflowRunner", "DataflowRunner"),
        ("dataflowrunner", "DataflowRunner"),
        ("Prism", "PrismRunner"),
        ("portable", "PortableRunner"),
        ("apache_beam.runners.portability.flink_runner.FlinkRunner", "FlinkRunner"),
        ("acme.runners.AcmeRunner", "acme.runners.AcmeRunner"),
        ("fnapi", None),
        ("FlinkRuner", None),
        ("", None),
    ],
)
def test_a_runner_is_found_by_the_names_that_beam_takes(name, known):
    assert runner_class(name) == (known if name != "fnapi" else "FnApiRunner")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FlinkRuner", "Did you mean 'FlinkRunner'"),
        ("dataflw", "Did you mean 'dataflow'"),
        ("xyz", "It is in_process, dataflow, flink, spark, portable, prism or direct, or a class"),
        ("apache_beam.runners.dask.dask_runner.DaskRunner", "empty file"),
        ("apache_beam.runners.NoRunner", "is no runner"),
    ],
)
def test_an_unknown_runner_is_described(name, text):
    assert text in runner_problem(name)
    assert runner_problem("spark") == ""


@pytest.mark.parametrize(
    ("runner", "options", "texts"),
    [
        ("", {}, []),
        ("DirectRunner", {}, []),
        ("DataflowRunner", {"project": "acme", "region": "r"}, []),
        ("DataflowRunner", {}, ["'project'", "'region'"]),
        ("DataflowRunner", {"project": 123, "region": "r"}, ["number"]),
        (
            "DataflowRunner",
            {
                "project": "acme",
                "region": "r",
                "temp_location": "/tmp",
                "staging_location": "gs://b",
            },
            ["'/tmp', and Dataflow needs a folder on a bucket"],
        ),
        ("PortableRunner", {}, ["'job_endpoint'", "'environment_type'"]),
        ("PortableRunner", FULL, []),
        ("PortableRunner", FULL | {"environment_type": "Docker"}, ["mean 'DOCKER'"]),
        ("PortableRunner", FULL | {"environment_type": "beam:env:embedded_python:v1"}, []),
        ("PortableRunner", FULL | {"environment_type": "EXTERNAL"}, ["host:port of a worker pool"]),
        (
            "PortableRunner",
            FULL
            | {
                "environment_type": "EXTERNAL",
                "environment_option": ["external_service_address=pool:50000"],
            },
            [],
        ),
        (
            "PortableRunner",
            FULL | {"environment_type": "EXTERNAL", "environment_config": "pool:50000"},
            [],
        ),
        ("PortableRunner", FULL | {"environment_type": "PROCESS"}, ["the command that starts"]),
        (
            "PortableRunner",
            FULL | {"environment_type": "PROCESS", "environment_config": '{"os": "linux"}'},
            ["the command that starts"],
        ),
        (
            "PortableRunner",
            FULL | {"environment_type": "PROCESS", "environment_config": {"command": "boot"}},
            [],
        ),
        (
            "PortableRunner",
            FULL | {"environment_type": "PROCESS", "environment_options": {"process_command": "b"}},
            [],
        ),
        ("FlinkRunner", {}, ["'flink_master'"]),
        ("FlinkRunner", {"flink_master": "flink:8081"}, []),
        ("FlinkRunner", {"job_endpoint": "jobs:8099"}, []),
        ("SparkRunner", {}, ["'spark_master_url'"]),
        ("SparkRunner", {"spark_master_url": "local[4]"}, []),
        ("SparkRunner", {"spark_submit_uber_jar": True}, ["'spark_rest_url'"]),
        ("PrismRunner", {}, ["'job_endpoint'"]),
        ("PrismRunner", {"prism_location": "/opt/prism"}, []),
        ("acme.AcmeRunner", {}, []),
    ],
)
def test_what_a_runner_needs(runner, options, texts):
    problems = list(missing_options(runner, options))
    assert len(problems) == len(texts)
    for problem, text in zip(problems, texts, strict=True):
        assert text in problem.text


def test_options_that_give_a_task_no_result_are_named():
    options = {"template_location": "gs://a/b", "update": True, "dry_run": "False", "region": "r"}
    found = [problem.name for problem in unusable_options(options)]
    assert found == ["template_location", "update"]


@pytest.mark.parametrize(
    ("runner", "options", "here"),
    [
        ("", {}, True),
        ("DirectRunner", {"direct_running_mode": "multi_processing"}, True),
        ("FnApiRunner", {}, True),
        ("PrismRunner", {"prism_location": "/opt/prism"}, True),
        ("PrismRunner", FULL | {"environment_type": "EXTERNAL"}, False),
        ("PortableRunner", FULL, False),
        ("PortableRunner", FULL | {"environment_type": "LOOPBACK"}, True),
        ("FlinkRunner", {"flink_master": "[local]"}, True),
        ("FlinkRunner", {"flink_master": "flink:8081"}, False),
        ("FlinkRunner", {"flink_master": "flink:8081", "environment_type": "LOOPBACK"}, True),
        ("SparkRunner", {"spark_master_url": "local[2]"}, True),
        ("SparkRunner", {"spark_master_url": "spark://spark:7077"}, False),
        ("DataflowRunner", {}, False),
        ("acme.AcmeRunner", {}, False),
    ],
)
def test_where_workers_see_the_disk_of_this_process(runner, options, here):
    assert works_here(runner, options) is here


def test_the_image_goes_where_the_runner_reads_it_and_replaces_none_that_is_given():
    assert with_worker_image("DataflowRunner", {}, "i") == {"sdk_container_image": "i"}
    assert with_worker_image("DataflowRunner", {"sdk_container_image": "own"}, "i") == {
        "sdk_container_image": "own"
    }
    flink = {"flink_master": "flink:8081"}
    assert with_worker_image("FlinkRunner", flink, "i") == flink | {"environment_config": "i"}
    for options in (
        FULL | {"environment_config": "own"},
        FULL | {"environment_option": ["docker_container_image=own"]},
        FULL | {"environment_type": "EXTERNAL"},
    ):
        assert image_option("PortableRunner", options) == ""
    assert image_option("DirectRunner", {}) == ""


def test_the_options_that_name_images_are_known():
    assert image_options("DataflowRunner", {"sdk_container_image": "i", "region": "r"}) == [
        "sdk_container_image"
    ]
    assert image_options("PortableRunner", FULL | {"environment_config": "i"}) == [
        "environment_config"
    ]
    external = FULL | {"environment_type": "EXTERNAL", "environment_config": "pool:50000"}
    assert image_options("PortableRunner", external) == []
