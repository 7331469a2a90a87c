"""An environment that names no certificates, and is as before after each test."""

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from retrainer.components.lib import network


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    with mock.patch.dict(os.environ):
        for name in {*network._CERTIFICATES, *network._FILLED}:
            os.environ.pop(name, None)
        yield
