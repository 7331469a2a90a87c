"""The process that checks how a model serves: it starts while the model trains, and never outlives the run."""

import os
import signal
from pathlib import Path

import pytest
from kfp import dsl

from retrainer.pipelines.local import early_processes
from retrainer.pipelines.local.early_processes import EarlyProcesses
from retrainer.pipelines.runs.records import RunState, TaskState
from tests.pipelines.local.test_ending import OPTIONS, Script, needs_proc, wait_until

NAME = "server_process.py"
MODULES = {"check_serving": "retrainer.components.check_serving.server"}


def servers_of(runner: int) -> list[int]:
    """Process ids of a runner's early processes."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == runner and NAME in (folder / "cmdline").read_text():
                found.append(int(folder.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


@dsl.component(**OPTIONS)
def train_model(folder: str, then: str) -> str:
    import time
    from pathlib import Path

    Path(folder, "training").touch()
    until = time.monotonic() + 60
    while not Path(folder, "go-on").exists():
        assert time.monotonic() < until, "no process came"
        time.sleep(0.02)
    if then == "fail":
        raise RuntimeError("the loss is NaN")
    return then


@dsl.component(**OPTIONS)
def check_serving(model: str) -> int:
    import os

    from retrainer.components.check_serving.server import Server

    with Server.open() as server:
        if model == "stop":
            os.abort()
        assert server.ask({"model": "", "instances": [], "requests": 0}, 60.0)["raised"]
        return server.pid


@dsl.pipeline(name="training")
def training(folder: str, then: str = "serve"):
    trained = train_model(folder=folder, then=then)
    check_serving(model=trained.output).set_caching_options(False).set_retry(1)


def run_while_watched(bench, compile_pipeline, monkeypatch, then: str):
    """Run the pipeline, and let training end once a process waits; gives the record and the process's id."""
    seen = []
    start = EarlyProcesses.start

    def watched(self, tasks):
        start(self, tasks)
        if not seen and (found := servers_of(os.getpid())):
            seen.extend(found)
            (bench.folder / "go-on").touch()

    monkeypatch.setattr(EarlyProcesses, "start", watched)
    # The runner that other tests share starts none.
    monkeypatch.setattr(early_processes, "MODULES", MODULES)
    where = {"folder": str(bench.folder), "then": then}
    record = bench.run(compile_pipeline(training), parameters=where)
    (pid,) = seen
    return record, pid


@needs_proc
@pytest.mark.usefixtures("nothing_is_left_open")
def test_a_task_asks_the_process_that_started_while_the_task_before_it_ran(
    bench, compile_pipeline, monkeypatch
):
    record, pid = run_while_watched(bench, compile_pipeline, monkeypatch, "serve")
    assert record.state == RunState.SUCCEEDED
    assert record.tasks["check-serving"].outputs == {"Output": pid}
    assert not Path(f"/proc/{pid}").exists()


@needs_proc
@pytest.mark.usefixtures("nothing_is_left_open")
@pytest.mark.parametrize("then", ["fail", "stop"])
def test_a_failed_training_or_check_leaves_no_process(bench, compile_pipeline, monkeypatch, then):
    record, pid = run_while_watched(bench, compile_pipeline, monkeypatch, then)
    assert record.state == RunState.FAILED
    if then == "fail":
        assert record.tasks["check-serving"].state == TaskState.SKIPPED
    else:
        # The second attempt had a process of its own.
        assert record.tasks["check-serving"].attempts == 2
    assert not Path(f"/proc/{pid}").exists()
    assert servers_of(os.getpid()) == []


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_or_killed_takes_the_process_along(tmp_path, number):
    script = Script(tmp_path, training)
    try:
        script.wait_for("training")
        wait_until(lambda: servers_of(script.process.pid))
        (pid,) = servers_of(script.process.pid)
        script.process.send_signal(number)
        script.process.wait(60.0)
        wait_until(lambda: not is_running(pid))
        wait_until(lambda: not script.alive())
    finally:
        for left in script.alive():
            os.kill(left, signal.SIGKILL)
        script.process.communicate()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
