"""A warm runner with next to nothing loaded, so that toy pipelines take milliseconds."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import compiler

from retrainer.pipelines.local.observer import Progress, RunObserver
from retrainer.pipelines.local.runner import LocalRunner
from retrainer.pipelines.runs.records import RunRecord, TaskRecord

LIGHT = ("kfp.dsl.executor_main",)
Compile = Callable[[Any], dict[str, Any]]


class Listener(RunObserver):
    """Records the calls."""

    follows_logs = True

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.progress: list[Progress] = []
        self.output = ""

    def run_started(self, record: RunRecord) -> None:
        self.events.append(("run_started", record.run_id))

    def task_started(self, record: RunRecord, task: TaskRecord) -> None:
        self.events.append(("task_started", task.name))

    def task_progress(self, record: RunRecord, task: TaskRecord, progress: Progress) -> None:
        self.progress.append(progress)

    def task_output(self, record: RunRecord, task: TaskRecord, text: str) -> None:
        self.output += text

    def task_retrying(self, record: RunRecord, task: TaskRecord, seconds: float) -> None:
        self.events.append(("task_retrying", task.name))

    def task_finished(self, record: RunRecord, task: TaskRecord) -> None:
        self.events.append(("task_finished", task.name))

    def run_finished(self, record: RunRecord) -> None:
        self.events.append(("run_finished", record.state))


@dataclass
class Bench:
    """A store, a pipeline root, and a runner on them."""

    folder: Path
    runner: LocalRunner
    runs: int = 0

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def run(self, spec: dict[str, Any], run_id: str | None = None, **options: Any) -> RunRecord:
        self.runs += 1
        where = {"store": str(self.store), "pipeline_root": str(self.root)}
        return self.runner.run(spec, run_id=run_id or f"run-{self.runs}", **(where | options))

    def log(self, record: RunRecord, task: str) -> str:
        return Path(record.locate(record.tasks[task].log or "")).read_text()


@pytest.fixture(scope="session")
def runner() -> Iterator[LocalRunner]:
    with LocalRunner(libraries=LIGHT, workers=2) as runner:
        runner.warm_up()
        yield runner


@pytest.fixture
def bench(tmp_path: Path, runner: LocalRunner) -> Bench:
    return Bench(tmp_path, runner)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def compile_pipeline(tmp_path: Path) -> Compile:
    def compile_(pipeline: Any) -> dict[str, Any]:
        path = tmp_path / "compiled.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return next(iter(yaml.safe_load_all(path.read_text())))

    return compile_


@pytest.fixture
def nothing_is_left_open(runner: LocalRunner) -> Iterator[None]:
    # Its server's sockets and pipes are there before and after.
    runner.warm_up()
    before = set(os.listdir("/proc/self/fd"))
    yield
    runner.warm_up()
    assert len(set(os.listdir("/proc/self/fd")) - before) <= 2
