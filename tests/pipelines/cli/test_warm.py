"""The process that a command starts first: the runner takes it, or it ends with the command."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli import warm

# Other tests of this process may have replaced it by then.
from retrainer.pipelines.cli.warm import warming_up
from retrainer.pipelines.local.fork_client import TaskProcesses


@pytest.fixture(autouse=True)
def light(monkeypatch) -> list[TaskProcesses]:
    """Have nothing loaded; gives the processes that were started."""
    started = []

    class Noted(TaskProcesses):
        def __init__(self, libraries):
            super().__init__(("json",))
            started.append(self)

    monkeypatch.setattr(warm, "TaskProcesses", Noted)
    monkeypatch.setattr("retrainer.pipelines.local.runner.TaskProcesses", Noted)
    return started


def test_the_runner_takes_the_process_that_is_there_and_the_next_one_starts_its_own(light):
    with warming_up():
        with warm.warm_runner() as first:
            assert first._processes is light[0]
            assert len(light) == 1
        assert not light[0].usable
        with warm.warm_runner() as second:
            assert second._processes is light[1]
    assert not light[1].usable


def test_a_command_that_fails_before_it_runs_anything_leaves_no_process(monkeypatch):
    closed = []

    class Processes:
        def __init__(self, libraries):
            self.libraries = libraries

        def close(self):
            closed.append(self.libraries)

    monkeypatch.setattr(warm, "TaskProcesses", Processes)
    with pytest.raises(RetrainerError, match="unknown setting"), warming_up():
        raise RetrainerError("retrain.yaml:3: unknown setting")
    assert closed == [warm.LIBRARIES]


def test_without_the_libraries_only_the_runner_complains(light, monkeypatch):
    monkeypatch.setattr(warm, "has_libraries", lambda: False)
    with warming_up():
        pass
    assert light == []
