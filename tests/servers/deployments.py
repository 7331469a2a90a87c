"""Fixtures of deployments: a store with pushed models, and a service in memory."""

import os
from collections.abc import Callable

import pytest
from servers import memory_service

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.serving.lock import LockTiming
from retrainer.components.lib.serving.services import SERVICES
from retrainer.components.lib.store import Store

QUICK = LockTiming(heartbeat=0.05, stale=0.4, wait=20, poll=0.02)


@pytest.fixture
def quick():
    """Seconds of the lock that a test can wait for."""
    return QUICK


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


@pytest.fixture
def push(store, tmp_path):
    """Push a model of its own content, as the champion: its version."""
    registry = Registry(Store(store).models_uri)
    count = iter(range(1, 100))

    def push() -> int:
        number = next(count)
        model = tmp_path / f"model-{number}"
        model.mkdir()
        (model / "saved_model.pb").write_bytes(b"graph %d" % number)
        version = registry.add(str(model), digest_folder(str(model)), {"run": f"run-{number}"})
        registry.move_alias(CHAMPION, version.version, registry.version_of(CHAMPION), {})
        return version.version

    return push


@pytest.fixture
def registry(store):
    return Registry(Store(store).models_uri)


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A service that `serving.deploy` can name."""
    monkeypatch.setitem(SERVICES, "memory", "servers.memory_service")
    monkeypatch.setattr(memory_service, "BEFORE", [])
    monkeypatch.setattr(memory_service, "AFTER", [])
    return memory_service.MemoryService(tmp_path / "memory.json")


@pytest.fixture
def settings(memory):
    return {"file": str(memory.file)}


@pytest.fixture
def in_child():
    """Run a function in a process of its own: how that ended, as `os.waitstatus_to_exitcode` says it."""

    def run(work: Callable[[], object]) -> int:
        return wait(start(work))

    def start(work: Callable[[], object]) -> int:
        process = os.fork()
        if process:
            return process
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)

    def wait(process: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    run.start, run.wait = start, wait
    return run
