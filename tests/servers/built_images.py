"""The container images that `make image` builds, for tests that run them."""

import os

import pytest

from retrainer.components.lib.image import IMAGE

from .restricted import docker

TRIGGER_IMAGE = IMAGE.replace("retrainer:", "retrainer-trigger:")


def task_image() -> str:
    """Return the name of the image of the tasks: RETRAINER_TEST_IMAGE, else the release's."""
    return _built("RETRAINER_TEST_IMAGE", IMAGE)


def trigger_image() -> str:
    """Return the name of the image of the trigger service: RETRAINER_TEST_TRIGGER_IMAGE, else the release's."""
    return _built("RETRAINER_TEST_TRIGGER_IMAGE", TRIGGER_IMAGE)


def _built(variable: str, name: str) -> str:
    """Find an image; the test is skipped where it is not built, and fails where the variable promises it."""
    named = os.environ.get(variable, name)
    found = docker("image", "inspect", named)
    if found.returncode and variable not in os.environ:
        pytest.skip(f"no Docker engine has the image {named}; make image builds it")
    assert found.returncode == 0, found.stderr
    return named
