"""Exit tasks of a dsl.ExitHandler: they run last, whether the others succeeded or failed."""

import os
import signal
import threading

import pytest
from kfp import dsl

from retrainer.pipelines.local.runner import LocalRunner, RunInterrupted
from retrainer.pipelines.runs.record_store import load_run
from retrainer.pipelines.runs.records import RunState, TaskState

OPTIONS = {"base_image": "toy:1", "install_kfp_package": False}


@dsl.component(**OPTIONS)
def need(file: str) -> str:
    from pathlib import Path

    from retrainer.components.lib.errors import RetrainerError

    if not Path(file).exists():
        raise RetrainerError(f"'{file}' is missing")
    return file


@dsl.component(**OPTIONS)
def linger(folder: str) -> str:
    import time
    from pathlib import Path

    Path(folder, "lingers").touch()
    time.sleep(600)
    return ""


@dsl.component(**OPTIONS)
def say(text: str) -> str:
    return text


@dsl.component(**OPTIONS)
def write_down(folder: str, run: str, fails: bool = False, lingers: bool = False) -> str:
    import json
    import time
    from pathlib import Path

    tasks = json.loads(Path(folder, "store/runs", run, "run.json").read_text())["tasks"]
    with Path(folder, "ends").open("a") as file:
        states = [f"{name} {one['state']}" for name, one in tasks.items() if name != "write-down"]
        print(*states, sep=", ", file=file)
    if lingers:
        Path(folder, "exit lingers").touch()
        time.sleep(600)
    if fails:
        raise ValueError("nobody there")
    return "written"


@dsl.pipeline(name="needing")
def needing(folder: str, fails: bool = False):
    last = write_down(folder=folder, run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER, fails=fails)
    with dsl.ExitHandler(last):
        needed = need(file=f"{folder}/needed")
        say(text=needed.output)


@dsl.pipeline(name="lingering")
def lingering(folder: str, lingers: bool = False):
    last = write_down(folder=folder, run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER, lingers=lingers)
    with dsl.ExitHandler(last):
        said = say(text="ready")
        say(text="never").after(linger(folder=folder).after(said))


def ends(folder):
    return (folder / "ends").read_text().splitlines()


def test_an_exit_task_runs_after_a_success(bench, compile_pipeline, tmp_path):
    (tmp_path / "needed").touch()
    record = bench.run(compile_pipeline(needing), parameters={"folder": str(tmp_path)})
    assert record.state == RunState.SUCCEEDED
    assert record.tasks["write-down"].outputs["Output"] == "written"
    assert ends(tmp_path) == ["need succeeded, say succeeded"]


def test_it_runs_after_a_failure_and_again_when_the_run_is_resumed(
    bench, compile_pipeline, tmp_path
):
    spec, parameters = compile_pipeline(needing), {"folder": str(tmp_path)}
    record = bench.run(spec, "run", parameters=parameters)
    assert record.state == RunState.FAILED
    assert record.error == f"need: '{tmp_path}/needed' is missing"
    assert record.tasks["write-down"].state == TaskState.SUCCEEDED
    (tmp_path / "needed").touch()
    again = bench.run(spec, "run", parameters=parameters, resume=True)
    assert again.state == RunState.SUCCEEDED
    assert ends(tmp_path) == ["need failed, say skipped", "need succeeded, say succeeded"]


def test_a_run_succeeds_although_its_exit_task_fails(bench, compile_pipeline, tmp_path):
    (tmp_path / "needed").touch()
    parameters = {"folder": str(tmp_path), "fails": True}
    record = bench.run(compile_pipeline(needing), parameters=parameters)
    assert record.tasks["write-down"].state == TaskState.FAILED
    assert (record.state, record.error) == (RunState.SUCCEEDED, None)


def interrupt_when(*files):
    """Send an interrupt to this process as soon as each file is there, one after the other."""

    def wait():
        for file in files:
            while not file.exists():
                stop.wait(0.02)
            os.kill(os.getpid(), signal.SIGINT)

    stop = threading.Event()
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def own_runner():
    # A script's shell has what it runs with & ignore interrupts, and a run respects that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    # An interrupted run ends its runner's processes.
    with LocalRunner(libraries=("kfp.dsl.executor_main",), workers=2) as runner:
        yield runner
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("lingers", [False, True])
def test_it_runs_after_an_interrupt_and_a_second_one_ends_it(
    own_runner, compile_pipeline, tmp_path, lingers
):
    where = {"store": str(tmp_path / "store"), "pipeline_root": str(tmp_path / "root")}
    parameters = {"folder": str(tmp_path), "lingers": lingers}
    files = [tmp_path / "lingers", *([tmp_path / "exit lingers"] if lingers else [])]
    thread = interrupt_when(*files)
    with pytest.raises(RunInterrupted) as interrupted:
        own_runner.run(compile_pipeline(lingering), run_id="run", parameters=parameters, **where)
    thread.join()
    assert interrupted.value.signal_number == signal.SIGINT
    record = load_run(where["store"], "run")
    assert record.state == RunState.INTERRUPTED
    exit_state = TaskState.INTERRUPTED if lingers else TaskState.SUCCEEDED
    assert record.tasks["write-down"].state == exit_state
    assert ends(tmp_path) == ["say succeeded, linger interrupted, say-2 pending"]
