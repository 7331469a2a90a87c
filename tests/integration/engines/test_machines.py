"""Components on engines whose machines share nothing but a store on S3."""

import json

import pytest
from servers.engine_machines import Machines, read_answer
from servers.engine_work import COMPONENTS

pytestmark = [pytest.mark.integration("go", "docker"), pytest.mark.slow]
PLACE = ("/tmp/work", "s3://acme/store")


# Prism has one worker for a job; Beam's own job service in Python has one in each pool.
@pytest.fixture(scope="module", params=["prism", pytest.param("python", marks=pytest.mark.engines)])
def machines(request, image, tmp_path_factory):
    with Machines(image, tmp_path_factory.mktemp("machines"), request.param == "prism") as machines:
        machines.here = read_answer(machines.work(*PLACE, "prepare"))
        yield machines


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_a_component_makes_there_is_what_it_makes_here(machines, component):
    done = machines.work(*PLACE, component, json.dumps(machines.beam_args()))
    assert read_answer(done)[component] == machines.here[component]
