"""A disk that is full, as the run sees it and as a task's log does."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kfp import dsl

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.runs.record_store import load_run
from retrainer.pipelines.runs.records import RunState

OPTIONS = {"base_image": "toy:1", "install_kfp_package": False}


@dsl.component(**OPTIONS)
def say(text: str) -> str:
    return text


@dsl.component(**OPTIONS)
def fill(data: dsl.Output[dsl.Dataset]):
    with open(data.path, "wb") as file:
        while True:
            file.write(b"x" * (1 << 20))
            file.flush()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk takes root: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_reported_in_a_line_and_the_next_run_starts(
    small_disk, tmp_path, bench, compile_pipeline
):
    @dsl.pipeline(name="filling")
    def filling():
        fill()

    @dsl.pipeline(name="plain")
    def plain():
        say(text="hello")

    plain_spec, where = compile_pipeline(plain), str(small_disk / "root")
    # Artifacts on the full disk, the store elsewhere.
    record = bench.run(compile_pipeline(filling), pipeline_root=where)
    assert "No space left on device" in (record.error or "")
    assert bench.run(plain_spec, pipeline_root=str(bench.root)).state == RunState.SUCCEEDED

    # The store on it, too: the record can't be written any more.
    (small_disk / "rest").write_bytes(b"x" * _free(small_disk))
    with pytest.raises(RetrainerError, match=r"can't write .*No space left on device"):
        bench.run(plain_spec, store=str(small_disk / "store"), run_id="june")
    (small_disk / "rest").unlink()
    shutil.rmtree(small_disk / "root")
    record = bench.run(plain_spec, store=str(small_disk / "store"), run_id="june")
    assert record.state == RunState.SUCCEEDED

    # The disk fills up while a run is under way.
    with pytest.raises(RetrainerError, match=r"can't write .*No space left on device"):
        bench.run(
            compile_pipeline(filling),
            store=str(small_disk / "store"),
            pipeline_root=where,
            run_id="july",
        )
    shutil.rmtree(small_disk / "root")
    died = load_run(str(small_disk / "store"), "july")
    assert died.state in (RunState.DIED, RunState.INTERRUPTED)
    again = bench.run(plain_spec, store=str(small_disk / "store"), run_id="july", resume=True)
    assert again.state == RunState.SUCCEEDED
    assert json.loads((small_disk / "store" / "runs" / "july" / "run.json").read_text())


def test_an_error_is_reported_although_the_log_is_on_a_full_disk(tmp_path):
    report, result = os.pipe()
    alive, _kept = os.pipe()
    request = {
        "source": "def stop():\n    raise OSError(28, 'No space left on device', '/data/x')\n",
        "function": "stop",
        "executor_input": {"inputs": {}, "outputs": {"outputFile": str(tmp_path / "out")}},
        "output_types": {},
        "env": {},
        "unset": [],
        "cwd": str(tmp_path),
        "scratch": str(tmp_path),
    }
    # A process of its own: a fork of this one would end with what this one does at its end.
    code = (
        "import json, os, sys\n"
        "from retrainer.pipelines.local.task_process import run_task\n"
        "log = os.open('/dev/full', os.O_WRONLY)\n"
        "run_task(json.loads(sys.argv[1]), log, int(sys.argv[2]), int(sys.argv[3]))\n"
    )
    command = [sys.executable, "-c", code, json.dumps(request), str(result), str(alive)]
    ended = subprocess.run(command, pass_fds=(result, alive), start_new_session=True, check=False)
    os.close(result)
    assert ended.returncode == 1
    with os.fdopen(report) as pipe:
        outcome = json.load(pipe)
    assert outcome["known"]
    assert outcome["error"].startswith("the disk is full: OSError: [Errno 28] No space left")


def _free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize
