"""Ends that nobody planned: signals, crashes, a second run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from kfp import compiler, dsl

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.local.runner import LocalRunner, RunInterrupted
from retrainer.pipelines.runs.record_store import load_run
from retrainer.pipelines.runs.records import RunState, TaskState
from retrainer.pipelines.runs.run_words import describe_failure

OPTIONS = {"base_image": "toy:1", "install_kfp_package": False}
MARK = "RETRAINER_TEST_MARK"
# A busy machine may take long to start a process; nothing below ends by itself within this time.
PATIENCE_SECONDS = 120.0

SCRIPT = """
import signal
import sys

import yaml
# A shell that starts something in the background has it ignore interrupts, and so all that comes of it.
signal.signal(signal.SIGINT, signal.default_int_handler)
from retrainer.pipelines.local.runner import LocalRunner, RunInterrupted

spec, folder, libraries = sys.argv[1:4]
try:
    with LocalRunner(libraries=libraries.split(",")) as runner:
        runner.warm_up()
        if spec == "none":
            import time
            time.sleep(600)
        with open(spec) as file:
            pipeline = yaml.safe_load(file)
        runner.run(pipeline, store=folder + "/store", pipeline_root=folder + "/root", run_id="run",
                   parameters={"folder": folder})
except RunInterrupted as interrupted:
    sys.exit(128 + interrupted.signal_number)
"""


@dsl.component(**OPTIONS)
def linger(folder: str, name: str) -> str:
    import subprocess
    import sys
    import time
    from pathlib import Path

    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(folder, name).touch()
    try:
        time.sleep(600)
    finally:
        Path(folder, name + "-cleared").touch()
    return ""


@dsl.component(**OPTIONS)
def leave_a_child(folder: str) -> int:
    import subprocess
    import sys

    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    return child.pid


@dsl.component(**OPTIONS)
def ignore_everything(folder: str) -> str:
    import signal
    import time
    from pathlib import Path

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(folder, "deaf").touch()
    time.sleep(600)
    return ""


@dsl.component(**OPTIONS)
def finish_anyway(folder: str) -> str:
    import signal
    import time
    from pathlib import Path

    signal.signal(signal.SIGTERM, lambda *_: None)
    Path(folder, "almost").touch()
    time.sleep(1)
    return "finished"


@dsl.component(**OPTIONS)
def hang_up(runner: int) -> str:
    import os
    import signal

    os.kill(runner, signal.SIGHUP)
    return ""


@dsl.component(**OPTIONS)
def say(text: str) -> str:
    return text


@dsl.pipeline(name="lingering")
def lingering(folder: str):
    first = say(text="ready")
    linger(folder=folder, name="one").after(first)
    linger(folder=folder, name="two").after(first)


@dsl.pipeline(name="deaf")
def deaf(folder: str):
    ignore_everything(folder=folder)


@dsl.pipeline(name="finishing")
def finishing(folder: str):
    finished = finish_anyway(folder=folder)
    say(text=finished.output)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


class Script:
    """The script above as a process, and all processes that carry its mark."""

    def __init__(
        self, folder: Path, pipeline: object, libraries: str = "kfp.dsl.executor_main"
    ) -> None:
        self.folder = folder
        self.mark = f"{folder}-{time.monotonic_ns()}"
        spec = "none"
        if pipeline:
            spec = str(folder / "pipeline.yaml")
            compiler.Compiler().compile(pipeline, spec)
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, spec, str(folder), libraries],
            env=os.environ
            | {
                MARK: self.mark,
                "TMPDIR": str(folder),
                "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def alive(self) -> list[int]:
        """All processes that inherited the mark, whatever their parent and group."""
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return found

    def wait_for(self, *names: str) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.process.communicate()[0]
            return all((self.folder / name).exists() for name in names)

        wait_until(ready)

    def record(self):
        return load_run(str(self.folder / "store"), "run")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Script]]:
    scripts: list[Script] = []

    def start_(pipeline: object, **options: str) -> Script:
        scripts.append(Script(tmp_path, pipeline, **options))
        return scripts[-1]

    yield start_
    for script in scripts:
        for pid in script.alive():
            os.kill(pid, signal.SIGKILL)
        script.process.communicate()


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_all_its_processes(start, number):
    script = start(lingering)
    script.wait_for("one", "two")
    # The runner, the server, two tasks, and a process that each of them has started.
    # One that is just starting has no environment yet.
    wait_until(lambda: len(script.alive()) == 6)
    script.process.send_signal(number)
    assert script.process.wait(PATIENCE_SECONDS) == 128 + number
    assert script.alive() == []
    assert list(script.folder.glob("retrainer-run-*")) == []
    record = script.record()
    assert record.state == RunState.INTERRUPTED
    assert [str(task.state) for task in record.tasks.values()] == [
        "succeeded",
        "interrupted",
        "interrupted",
    ]
    assert (script.folder / "one-cleared").exists()
    assert (script.folder / "two-cleared").exists()


@needs_proc
def test_a_task_that_does_not_listen_is_killed(start):
    script = start(deaf)
    script.wait_for("deaf")
    script.process.send_signal(signal.SIGINT)
    assert script.process.wait(PATIENCE_SECONDS) == 130
    assert script.alive() == []


@needs_proc
def test_a_task_that_finishes_while_it_is_asked_to_stop_has_finished(start):
    script = start(finishing)
    script.wait_for("almost")
    script.process.send_signal(signal.SIGINT)
    assert script.process.wait(PATIENCE_SECONDS) == 130
    record = script.record()
    assert (record.state, record.tasks["finish-anyway"].state) == ("interrupted", "succeeded")
    assert record.tasks["finish-anyway"].outputs == {"Output": "finished"}


@needs_proc
def test_a_killed_runner_takes_its_processes_along(start):
    script = start(lingering)
    script.wait_for("one", "two")
    # The task may be ahead of the runner's record of it.
    wait_until(lambda: script.record().tasks["linger"].state == TaskState.RUNNING)
    script.process.kill()
    script.process.wait(PATIENCE_SECONDS)
    wait_until(lambda: not script.alive())
    assert list(script.folder.glob("retrainer-run-*")) == []
    record = script.record()
    assert record.state == RunState.DIED
    assert record.tasks["linger"].state == TaskState.INTERRUPTED


@needs_proc
def test_a_runner_killed_with_its_server_takes_the_tasks_along(start):
    script = start(lingering)
    script.wait_for("one", "two")
    (server,) = (pid for pid in script.alive() if parent(pid) == script.process.pid)
    for pid in (server, script.process.pid):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not script.alive())


@needs_proc
@pytest.mark.parametrize(
    ("pipeline", "number"),
    [(None, signal.SIGINT), (None, signal.SIGKILL), (deaf, signal.SIGINT)],
)
def test_a_runner_that_is_only_warming_up_leaves_nothing(start, tmp_path, pipeline, number):
    (tmp_path / "slow_library.py").write_text(
        "import pathlib, time\n"
        f"pathlib.Path({str(tmp_path)!r}, 'loading').touch()\n"
        "time.sleep(600)\n"
    )
    script = start(pipeline, libraries="slow_library")
    script.wait_for("loading", *(["store/runs/run/run.json"] if pipeline else []))
    script.process.send_signal(number)
    script.process.wait(PATIENCE_SECONDS)
    wait_until(lambda: not script.alive())


@needs_proc
def test_an_interrupted_run_can_be_resumed(start, tmp_path):
    script = start(lingering)
    script.wait_for("one", "two")
    script.process.send_signal(signal.SIGINT)
    script.process.wait(PATIENCE_SECONDS)
    with LocalRunner(libraries=("kfp.dsl.executor_main",)) as runner:
        again = runner.run(
            yaml.safe_load((tmp_path / "pipeline.yaml").read_text()),
            store=str(tmp_path / "store"),
            pipeline_root=str(tmp_path / "root"),
            run_id="run",
            parameters={"folder": str(tmp_path / "nowhere")},
            resume=True,
        )
    # The lingering tasks fail at once, without their folder; the first one is not run again.
    assert [str(task.state) for task in again.tasks.values()] == ["succeeded", "failed", "failed"]
    assert again.tasks["say"].reused_from == "run"


@needs_proc
def test_a_second_run_on_the_same_store_is_refused(start, bench, compile_pipeline):
    script = start(lingering)
    script.wait_for("one", "two")

    @dsl.pipeline(name="other")
    def other():
        say(text="me too")

    spec = compile_pipeline(other)
    with pytest.raises(
        RetrainerError, match=rf"run 'run' \(process {script.process.pid}\) is running"
    ):
        bench.run(spec, store=str(script.folder / "store"))
    assert script.record().state == RunState.RUNNING
    script.process.kill()
    script.process.wait(PATIENCE_SECONDS)
    record = bench.run(spec, store=str(script.folder / "store"))
    assert record.state == RunState.SUCCEEDED


@needs_proc
def test_what_a_task_leaves_behind_goes_with_it(bench, compile_pipeline):
    @dsl.pipeline(name="leaving")
    def pipeline(folder: str):
        leave_a_child(folder=folder)

    record = bench.run(compile_pipeline(pipeline), parameters={"folder": ""})
    child = Path("/proc", str(record.tasks["leave-a-child"].outputs["Output"]), "stat")
    wait_until(lambda: not child.exists() or child.read_text().split()[2] == "Z")


def test_a_signal_in_the_same_process_leaves_a_runner_that_can_go_on(tmp_path, compile_pipeline):
    class StopSoon:
        follows_logs = False

        def __getattr__(self, name):
            if name == "task_started":
                os.kill(os.getpid(), signal.SIGTERM)
            return lambda *_: None

    spec = compile_pipeline(deaf)
    where = {"store": str(tmp_path / "store"), "pipeline_root": str(tmp_path / "root")}
    before = signal.getsignal(signal.SIGTERM)
    with LocalRunner(libraries=("kfp.dsl.executor_main",)) as runner:
        with pytest.raises(RunInterrupted, match="run 'one' was interrupted") as caught:
            runner.run(spec, run_id="one", parameters={"folder": "/"}, observer=StopSoon(), **where)
        assert caught.value.record.state == RunState.INTERRUPTED
        assert signal.getsignal(signal.SIGTERM) == before

        @dsl.pipeline(name="other")
        def other():
            say(text="still here")

        record = runner.run(compile_pipeline(other), run_id="two", **where)
        assert record.state == RunState.SUCCEEDED


def test_a_signal_that_is_ignored_stays_ignored_as_nohup_asks(bench, compile_pipeline):
    @dsl.pipeline(name="closing")
    def closing(runner: int):
        hang_up(runner=runner)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        record = bench.run(compile_pipeline(closing), parameters={"runner": os.getpid()})
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert record.state == RunState.SUCCEEDED


def test_output_that_nobody_reads_any_more_ends_the_run(bench, compile_pipeline):
    class Head:
        follows_logs = False

        def __getattr__(self, name):
            if name == "task_started":
                raise BrokenPipeError
            return lambda *_: None

    @dsl.pipeline(name="piped")
    def piped():
        say(text="hello")

    with pytest.raises(BrokenPipeError):
        bench.run(compile_pipeline(piped), run_id="june", observer=Head())
    assert load_run(str(bench.store), "june").state == RunState.INTERRUPTED


def test_a_dead_server_fails_the_tasks_and_is_replaced(tmp_path, compile_pipeline):
    @dsl.pipeline(name="pair")
    def pair():
        first = say(text="a")
        say(text=first.output)

    where = {"store": str(tmp_path / "store"), "pipeline_root": str(tmp_path / "root")}
    with LocalRunner(libraries=("kfp.dsl.executor_main",)) as runner:

        class KillServer:
            follows_logs = False

            def __getattr__(self, name):
                processes = runner._processes
                if name == "task_finished" and processes.usable:
                    os.kill(processes._server.pid, signal.SIGKILL)
                    processes._server.wait()
                return lambda *_: None

        spec = compile_pipeline(pair)
        record = runner.run(spec, run_id="one", observer=KillServer(), caching=False, **where)
        assert [str(task.state) for task in record.tasks.values()] == ["succeeded", "failed"]
        assert "the fork server was killed by SIGKILL" in (record.error or "")
        again = runner.run(spec, run_id="two", caching=False, **where)
        assert again.state == RunState.SUCCEEDED, describe_failure(again)
