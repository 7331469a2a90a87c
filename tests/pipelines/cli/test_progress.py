"""What people see."""

import io
import time

import pytest
from rich.console import Console

from retrainer.pipelines.cli.progress import (
    LiveDisplay,
    PlainDisplay,
    make_observer,
    summary_table,
)
from retrainer.pipelines.local.observer import Progress, RunObserver
from retrainer.pipelines.runs.records import RunRecord, RunState, TaskRecord, TaskState


def show(observer: RunObserver, pause: float = 0.0) -> None:
    """Show an observer a whole run, with pauses for a display that redraws itself."""
    record = RunRecord("june", "flights", "/store", started="2024-06-01T00:00:00+00:00")
    for name in ("ingest", "train", "push", "notify"):
        record.tasks[name] = TaskRecord(name=name, title=f"{name}_it")
    ingest, train, push, notify = record.tasks.values()
    observer.run_started(record)
    observer.warming_up(Progress("tensorflow", 3, 9))
    time.sleep(pause)
    ingest.state = TaskState.CACHED
    ingest.reused_from, ingest.outputs = "may", {"verdict": "3 spans [bold]of[/bold] 12"}
    observer.task_finished(record, ingest)
    observer.warming_up(Progress("", 9, 9))
    train.state = TaskState.RUNNING
    observer.task_started(record, train)
    observer.task_progress(record, train, Progress("steps", 30, 100))
    time.sleep(pause)
    if observer.follows_logs:
        observer.task_output(record, train, "loss 0.5\nloss 0.4\n")
    train.error = "OSError: busy"
    observer.task_retrying(record, train, 2.0)
    train.error, train.state, train.seconds = None, TaskState.SUCCEEDED, 12.34
    train.peak_memory, train.outputs = (
        700 << 20,
        {
            "verdict": "AUC 0.75",
            "warnings": [f"[b]column {i}[/b]: drift" for i in range(7)],
        },
    )
    train.reports = ["reports/train.html"]
    observer.task_finished(record, train)
    push.state, push.error, push.log = TaskState.FAILED, "ValueError: no", "logs/push.log"
    push.log_tail = ["Traceback", "ValueError: no"]
    observer.task_finished(record, push)
    notify.state = TaskState.SKIPPED
    observer.task_finished(record, notify)
    record.state, record.seconds = RunState.FAILED, 20.0
    observer.run_finished(record)


def test_a_log_gets_plain_lines():
    stream = io.StringIO()
    observer = make_observer(stream=stream)
    assert isinstance(observer, PlainDisplay)
    assert not isinstance(observer, LiveDisplay)
    show(observer)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert "\x1b" not in stream.getvalue()
    assert lines[0] == "run june of flights"
    assert any(
        line.endswith("ingest_it  cached from run may  3 spans [bold]of[/bold] 12")
        for line in lines
    )
    at = next(i for i, line in enumerate(lines) if line.endswith("train_it  12.3 s  AUC 0.75"))
    assert lines[at + 1 : at + 7] == [
        *(f"    warning: [b]column {i}[/b]: drift" for i in range(5)),
        "    and 2 more warnings",
    ]
    assert "    report: /store/runs/june/reports/train.html" in lines
    assert any("trying again in 2 s: OSError: busy" in line for line in lines)
    assert any(line.endswith("notify_it  skipped") for line in lines)
    assert "  log: /store/runs/june/logs/push.log" in lines
    assert "loss 0.5" not in stream.getvalue()


def test_long_lines_are_not_cut():
    stream = io.StringIO()
    observer = make_observer(stream=stream)
    record = RunRecord("june", "flights", "/store")
    task = TaskRecord("a", "a", TaskState.SUCCEEDED, outputs={"verdict": "word " * 60})
    observer.task_finished(record, task)
    assert len(stream.getvalue().splitlines()) == 1


def test_a_log_without_unicode_gets_marks_of_its_own():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    observer = make_observer(stream=stream)
    record = RunRecord("june", "flights", "/store")
    observer.task_finished(record, TaskRecord("a", "a", TaskState.SUCCEEDED, seconds=1.0))
    stream.flush()
    assert raw.getvalue() == b"+ a  1.0 s\n"


def test_a_start_that_took_long_is_named_beside_the_time():
    stream = io.StringIO()
    observer = make_observer(stream=stream)
    record = RunRecord("june", "flights", "/store")
    for name, waited in (("a", 25.0), ("b", 0.1)):
        task = TaskRecord(name, name, TaskState.SUCCEEDED, seconds=26.4, start_seconds=waited)
        observer.task_finished(record, task)
    first, second = stream.getvalue().splitlines()
    assert first.endswith("a  26.4 s (25.0 s to start)")
    assert second.endswith("b  26.4 s")


def test_verbose_shows_what_tasks_print():
    stream = io.StringIO()
    observer = make_observer(verbose=True, stream=stream)
    assert observer.follows_logs
    show(observer)
    assert "  train_it | loss 0.4" in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


def test_a_terminal_gets_bars_and_colours(terminal):
    observer = make_observer(stream=terminal)
    assert isinstance(observer, LiveDisplay)
    show(observer, pause=0.3)
    shown = terminal.getvalue()
    assert "\x1b[32m" in shown
    assert "steps" in shown
    assert "loading tensorflow" in shown
    assert "AUC 0.75" in shown
    # The cursor is given back.
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_no_color_is_honoured(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    observer = make_observer(stream=terminal)
    show(observer)
    assert "\x1b[32m" not in terminal.getvalue()
    assert "AUC 0.75" in terminal.getvalue()


def test_the_table_says_what_was_done_before():
    record = RunRecord("june", "flights", "/store", RunState.SUCCEEDED, seconds=1.0)
    record.tasks["a"] = TaskRecord("a", "a", TaskState.SUCCEEDED, seconds=1.0, reused_from="june")
    stream = io.StringIO()
    Console(file=stream, width=100).print(summary_table(record))
    assert "done before" in stream.getvalue()
