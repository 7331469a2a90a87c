"""The clean process that serves a model: what it has, and when it ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retrainer.components.check_serving import server as server_module
from retrainer.components.check_serving.server import VARIABLE, Server, ServerError

PATIENCE_SECONDS = 60.0
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} runs on"
        time.sleep(0.02)


def started_with(pid: int) -> set[str]:
    """Names of the variables that a process was started with; the kernel has them a moment after its start."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (content := Path(f"/proc/{pid}/environ").read_bytes()):
        assert time.monotonic() < deadline
    return {entry.partition("=")[0] for entry in content.decode().split("\0") if entry}


@pytest.fixture
def loud(monkeypatch) -> None:
    """Have the process print each module that it imports."""
    popen = subprocess.Popen

    def verbose(command, **options):
        python, isolated, file = command
        return popen([python, isolated, "-X", "importtime", file], **options)

    monkeypatch.setattr(server_module.subprocess, "Popen", verbose)


@needs_proc
def test_the_process_has_tensorflow_and_nothing_of_its_owner(loud, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("numpy.py").write_text("raise SystemExit('the working directory is on the path')")
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path),
        "TF_USE_LEGACY_KERAS": "1",
        "KERAS_BACKEND": "jax",
        "RETRAINER_REUSE": "off",
        "_KFP_RUNTIME": "true",
        "LD_LIBRARY_PATH": "/lib",
    }
    with Server.start(given) as server:
        environ = started_with(server.pid)
        assert os.readlink(f"/proc/{server.pid}/cwd") == "/"
        assert server.ask({"model": str(tmp_path), "instances": [], "requests": 0}, 60.0)["raised"]
        printed = os.pread(server.errors, 1 << 24, 0).decode()
    assert environ == {"PATH", "LD_LIBRARY_PATH", "TF_CPP_MIN_LOG_LEVEL"}
    modules = {line.rpartition("|")[2].strip() for line in printed.splitlines() if "|" in line}
    assert "tensorflow.python.client.session" in modules
    roots = {module.partition(".")[0] for module in modules}
    assert not roots & {"retrainer", "keras", "tf_keras", "tensorflow_transform", "kfp", "pandas"}


@needs_proc
def test_the_process_ends_when_its_owner_does_while_it_imports():
    code = (
        "import os; from retrainer.components.check_serving.server import Server; "
        "print(Server.start(os.environ).pid, flush=True); os._exit(1)"
    )
    owner = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    wait_for_end(int(owner.stdout))


def test_a_process_that_was_started_for_the_task_is_taken(monkeypatch, tmp_path):
    early = Server.start(os.environ)
    lent = (os.dup(early.connection.fileno()), os.dup(early.errors), early.pid)
    monkeypatch.setenv(VARIABLE, ",".join(map(str, lent)))
    early.leave()
    with Server.open() as taken:
        assert taken.pid == early.pid
        # What this task starts must not take it too.
        assert VARIABLE not in os.environ
        answer = taken.ask({"model": str(tmp_path), "instances": [], "requests": 0}, 60.0)
        assert answer["raised"]
    assert early.process is not None
    assert early.process.wait(PATIENCE_SECONDS) is not None


def test_a_process_that_has_ended_meanwhile_is_replaced(monkeypatch):
    early = Server.start(os.environ)
    lent = (os.dup(early.connection.fileno()), os.dup(early.errors), early.pid)
    monkeypatch.setenv(VARIABLE, ",".join(map(str, lent)))
    early.close()
    with Server.open() as server:
        assert server.process is not None
        assert server.pid != early.pid


def test_no_answer_in_time_and_a_crash_are_errors_and_end_the_process(tmp_path, monkeypatch):
    empty = {"model": "", "instances": [], "requests": 0}
    with Server.start(os.environ) as slow, pytest.raises(ServerError, match="no answer within 0"):
        slow.ask(empty, 0.01)
    assert slow.process is not None
    assert slow.process.returncode is not None
    crashing = tmp_path / "crashing.py"
    crashing.write_text("import sys; sys.stdin.read(1); sys.exit('no room left')")
    monkeypatch.setattr(server_module, "PROCESS_FILE", crashing)
    says = "process ended with code 1: no room left"
    with Server.start(os.environ) as server, pytest.raises(ServerError, match=says):
        server.ask(empty, 60.0)
