"""What every test gets: quiet libraries, and integration tests that skip with their reason."""

import collections
import functools
import gc
import inspect
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import go_programs

from retrainer.components.lib.garbage_collection import collect_seldom

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Before anything imports gcsfs, which else asks Google what kind of bucket each one is, whatever its endpoint.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")


_NEAREST = 10


def _stack(context: int = 0) -> list[inspect.FrameInfo]:
    frame, found = inspect.currentframe(), []
    while frame is not None and (frame := frame.f_back) is not None and len(found) < _NEAREST:
        about = inspect.getframeinfo(frame, context=0)
        found.append(inspect.FrameInfo(frame, *about, positions=about.positions))
    return found


# kfp asks for the name of its caller, and for the source text of all of the stack's lines with it, for every image that
# is set. Below pytest's deep stack that was two thirds of the time of compiling.
inspect.stack = _stack


# TensorFlow's modules are a million objects that the collector looks at again and again: an eighth of the tests' time.
collect_seldom()


OPTIONAL = ("slow", "cluster", "engines")
"""Marks of tests that run where an option of the same name asks for them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    for mark in OPTIONAL:
        parser.addoption(
            f"--{mark}", action="store_true", help=f"also run the tests marked `{mark}`"
        )


def pytest_configure() -> None:
    go_programs.share_folder()
    # A shell has what it starts with & ignore interrupts, as do all processes below it; tests send some.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    without = [mark for mark in OPTIONAL if not config.getoption(mark)]
    left_out = [item for item in items if any(map(item.get_closest_marker, without))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    if os.environ.get("PYTEST_XDIST_WORKER"):
        # Those that share a runner, then files of few tests: they run whole pipelines, and no worker should begin with
        # one at the end.
        tests = collections.Counter(item.path for item in items)
        items.sort(key=lambda item: (item.path not in _share_a_runner(), tests[item.path]))


@functools.cache
def _share_a_runner() -> set[Path]:
    """List the files whose tests run pipelines in the fixture `warm_retrainer`, which loads all libraries once."""
    files = (Path(__file__).parent / "pipelines").rglob("test_*.py")
    return {file for file in files if "warm_retrainer" in file.read_text()}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a worker whole files, and all files that share a runner to the same one."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "pipelines" if config.rootpath / file in _share_a_runner() else file

    return Scheduling(config, log)


def pytest_collection_finish() -> None:
    # What the tests' modules import stays.
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("integration"):
        for program in marker.args:
            if not shutil.which(program):
                pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="session")
def kube_apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start Kubernetes' own API server, once for all tests marked `cluster`."""
    from servers.kube_apiserver import KubeApiserver

    server = KubeApiserver(tmp_path_factory.mktemp("kube-apiserver"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kserve_apiserver(kube_apiserver: Any) -> Any:
    """Return the same, with KServe's resource definition."""
    from servers import kserve_schema

    definition = kserve_schema.definition()
    kube_apiserver.define(definition, "inferenceservices", "serving.kserve.io/v1beta1")
    return kube_apiserver


@pytest.fixture(autouse=True)
def no_legacy_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without the switch that TFT sets in the process that imports it."""
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
