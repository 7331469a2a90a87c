import re
from pathlib import Path

import pytest

from retrainer.components.lib.engine.arguments import BeamArguments
from retrainer.components.lib.engine.work_items import versions
from retrainer.components.lib.engine.worker_image import check_image, image_versions
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.image import IMAGE, IMAGE_VERSIONS

ROOT = Path(__file__).parents[4]


def test_what_the_image_is_made_with_is_what_its_lock_says():
    lock = (ROOT / "requirements" / "py313.txt").read_text()
    beam = re.search(r"^apache-beam(?:\[[^\]]*\])?==(\d+\.\d+)", lock, re.MULTILINE)
    assert beam
    assert {"Python": "3.13", "Beam": beam[1]} == IMAGE_VERSIONS


def test_names_that_say_versions():
    beam = "gcr.io/cloud-dataflow/v1beta3/beam_python3.11_sdk:2.72.0"
    assert image_versions(beam) == {"Python": "3.11", "Beam": "2.72"}
    assert image_versions(f"europe-docker.pkg.dev/acme/{IMAGE}") == IMAGE_VERSIONS
    assert image_versions(f"acme/{IMAGE}@sha256:00") == IMAGE_VERSIONS
    assert image_versions(f"acme/{IMAGE}-shop") is None
    assert image_versions("acme/shop:1") is None


@pytest.mark.parametrize(
    ("runner", "options", "says"),
    [
        ("DataflowRunner", {}, r"no retrainer.*--sdk_container_image"),
        ("FlinkRunner", {"flink_master": "f:1"}, r"no retrainer.*--environment_config"),
        (
            "DataflowRunner",
            {"sdk_container_image": "apache/beam_python3.9_sdk:2.50.0"},
            r"'apache/beam_python3\.9_sdk:2\.50\.0' does not fit.*Python 3\.9 and Beam 2\.50, and this task",
        ),
        (
            "FlinkRunner",
            {"flink_master": "f:1", "environment_config": "beam_python3.9_sdk:2.50.0"},
            "does not fit",
        ),
    ],
)
def test_an_image_that_can_not_work_is_named(runner, options, says):
    with pytest.raises(RetrainerError, match=says):
        check_image(BeamArguments(runner, options), "the engine")


def test_an_image_that_may_work_passes():
    same = "beam_python{Python}_sdk:{Beam}.0".format(**versions())
    for options in (
        {"sdk_container_image": "acme/shop:1"},
        {"setup_file": "./setup.py"},
        {"sdk_container_image": f"apache/{same}"},
    ):
        check_image(BeamArguments("DataflowRunner", options), "the engine")
    external = {"job_endpoint": "x:1", "environment_type": "EXTERNAL"}
    check_image(BeamArguments("PortableRunner", external), "the engine")
