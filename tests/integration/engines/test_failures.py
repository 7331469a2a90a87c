"""What goes wrong on an engine: its machines die or lack something, and its options are wrong."""

import json

import pytest
from servers.engine_machines import JOB_PORT, MODULE, POOL_PORT, POOLS, Machines, read_answer
from servers.engine_work import COMPONENTS

pytestmark = [pytest.mark.integration("go", "docker"), pytest.mark.engines]
PLACE = ("/tmp/work", "s3://acme/store")
MOST_LINES = 12
FILLER = "/tmp/filler"


@pytest.fixture(scope="module")
def machines(image, tmp_path_factory):
    with Machines(image, tmp_path_factory.mktemp("machines")) as machines:
        machines.here = read_answer(machines.work(*PLACE, "prepare"))
        yield machines


@pytest.fixture
def beam_args(machines):
    return json.dumps(machines.beam_args())


def failed(done):
    """What it said, in a few lines."""
    assert done.returncode == 1, done.stdout + done.stderr
    # Beam logs a worker's traceback before it.
    said = done.stderr.rpartition("RetrainerError: ")[2]
    assert len(said.splitlines()) <= MOST_LINES, said
    return said


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_worker_that_dies_fails_its_task_and_the_retry_writes_the_same(
    machines, beam_args, component
):
    work = machines.start_work(*PLACE, component, beam_args)
    pool = machines.stop_store_at(work)
    machines.remove(pool)
    machines.continue_store()
    _, said = work.communicate(timeout=300)
    machines.start_pool(pool)
    machines.wait_for(f"{pool}:{POOL_PORT}", "pools")
    assert work.returncode == 1
    assert component in said.split("RetrainerError: ")[1]
    again = machines.work(*PLACE, component, beam_args)
    assert read_answer(again)[component] == machines.here[component]


def test_a_job_service_that_dies_fails_the_task_and_the_retry_writes_the_same(machines, beam_args):
    work = machines.start_work(*PLACE, "transform_features", beam_args)
    machines.stop_store_at(work)
    machines.remove("jobs")
    machines.continue_store()
    _, said = work.communicate(timeout=300)
    assert work.returncode == 1
    assert f"jobs:{JOB_PORT}" in said.split("RetrainerError: ")[1]
    machines.start_jobs()
    machines.wait_for(f"jobs:{JOB_PORT}")
    again = machines.work(*PLACE, "transform_features", beam_args)
    assert read_answer(again)["transform_features"] == machines.here["transform_features"]


@pytest.mark.parametrize("component", ["transform_features", "predict_batch"])
def test_a_workers_full_disk_is_named(machines, beam_args, component):
    # A worker does not start without any room.
    fill = f"cat /dev/zero > {FILLER}; truncate --size=-32K {FILLER}"
    for pool in POOLS:
        machines.execute(pool, ["sh", "-c", fill])
    try:
        said = failed(machines.work(*PLACE, component, beam_args))
    finally:
        for pool in POOLS:
            machines.execute(pool, ["rm", FILLER])
    assert "worker is full" in said
    again = machines.work(*PLACE, component, beam_args)
    assert read_answer(again)[component] == machines.here[component]


def test_a_module_that_the_workers_image_lacks_is_named(machines, beam_args):
    said = failed(machines.work(*PLACE, "transform_features", beam_args, MODULE))
    assert MODULE in said
    assert "image" in said


def test_a_job_service_that_does_not_answer_is_named(machines):
    beam_args = [*machines.beam_args(), "--job_endpoint=jobs:1"]
    said = failed(machines.work(*PLACE, "compute_statistics", json.dumps(beam_args)))
    assert "jobs:1" in said


def test_a_mistyped_option_is_named_before_anything_is_sent(machines):
    beam_args = ["--runer=PortableRunner", *machines.beam_args()[1:]]
    said = failed(machines.work(*PLACE, "compute_statistics", json.dumps(beam_args)))
    assert "runer" in said
    assert "'runner'" in said
