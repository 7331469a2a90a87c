"""A store on S3, the work that is sent to an engine, and an engine with its workers in other processes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.beam_engine import Prism, WorkerPool, beam_args
from servers.built_images import task_image
from servers.engine_work import EngineWork
from servers.s3 import S3Server


@pytest.fixture(scope="session")
def image() -> str:
    """Return the name of the image of retrainer."""
    return task_image()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The server of the store."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, s3: S3Server) -> EngineWork:
    """The starter project, with data and store on S3."""
    work = EngineWork(tmp_path_factory.mktemp("submitter"), "s3://acme/store", "s3://acme/data")
    work.prepare()
    return work


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    """A job service."""
    with Prism(tmp_path_factory.mktemp("prism") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory, s3: S3Server) -> Iterator[WorkerPool]:
    """Workers that know of the store, and of nothing else."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    with WorkerPool(tmp_path_factory.mktemp("pool"), {**quiet, **s3.environment}) as server:
        yield server


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, pool: WorkerPool) -> list[str]:
    """Return Beam's options for Prism, or for Flink or Spark from a job server's jar, as RETRAINER_TEST_ENGINE says."""
    name = os.environ.get("RETRAINER_TEST_ENGINE")
    if not name:
        return beam_args(request.getfixturevalue("prism").address, pool.address)
    jar = Path(os.environ["RETRAINER_TEST_ENGINE_JAR"]).resolve()
    master = {"flink": "--flink_master=[local]", "spark": "--spark_master_url=local[2]"}[name]
    return [
        f"--runner={name.capitalize()}Runner",
        f"--{name}_job_server_jar={jar}",
        master,
        "--environment_type=EXTERNAL",
        f"--environment_config={pool.address}",
    ]
