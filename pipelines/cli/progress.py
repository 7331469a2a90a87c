"""The display of a run: live bars on a terminal, plain lines in a log."""

import sys
import time
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.table import Table
from rich.text import Text

from ..local.observer import Progress, RunObserver
from ..runs.records import RunRecord, RunState, TaskRecord, TaskState
from ..runs.run_words import describe_failure, duration, first_line, shown_warnings
from .tables import format_size

MARKS = {
    TaskState.SUCCEEDED: ("✓", "+", "green"),
    TaskState.CACHED: ("=", "=", "cyan"),
    TaskState.FAILED: ("✗", "x", "red"),
    TaskState.SKIPPED: ("-", "-", "dim"),
    TaskState.INTERRUPTED: ("!", "!", "yellow"),
}
PLAIN_INTERVAL_SECONDS = 10.0
# More would push the other tasks off the screen; `retrainer runs show` and the report have them all.
MOST_WARNINGS = 5
# A longer start, such as while the libraries load, is shown beside the task's time.
SHOWN_START_SECONDS = 1.0


def make_observer(
    verbose: bool = False, stream: TextIO | None = None, summary: bool = True
) -> RunObserver:
    """Return the display for a stream.

    Args:
        verbose: Whether to show what tasks print, too.
        stream: Where to; stdout if not given.
        summary: Whether to end a run with a table of its tasks.

    Returns:
        A live display if it is a terminal, else one of plain lines.
    """
    stream = stream or sys.stdout
    console = Console(file=stream, highlight=False, soft_wrap=not stream.isatty())
    kind = LiveDisplay if console.is_terminal else PlainDisplay
    return kind(console, verbose, summary)


class PlainDisplay(RunObserver):
    """One line for each thing that happens, without colours on anything but a terminal.

    Args:
        console: Where to write.
        verbose: Whether to show what tasks print, too.
        summary: Whether to end a run with a table of its tasks.
    """

    def __init__(self, console: Console, verbose: bool = False, summary: bool = True) -> None:
        self.console = console
        self.follows_logs = verbose
        self._summary = summary
        self._shown: dict[str, float] = {}
        utf8 = (console.encoding or "").lower().startswith("utf")
        self._mark = 0 if utf8 else 1

    def run_started(self, record: RunRecord) -> None:
        """Print the run's name."""
        self._print(Text(f"run {record.run_id} of {record.pipeline}", style="bold"))

    def task_started(self, record: RunRecord, task: TaskRecord) -> None:
        """Print that a task has started."""
        self._shown[task.name] = time.monotonic()
        self._print(Text(f"  {task.title} ..."))

    def task_progress(self, record: RunRecord, task: TaskRecord, progress: Progress) -> None:
        """Print how far a task is, at intervals."""
        if time.monotonic() - self._shown.get(task.name, 0.0) >= PLAIN_INTERVAL_SECONDS:
            self._shown[task.name] = time.monotonic()
            self._print(Text(f"  {task.title}: {_describe(progress)}"))

    def task_output(self, record: RunRecord, task: TaskRecord, text: str) -> None:
        """Show what a task printed."""
        for line in text.splitlines():
            self._print(Text(f"  {task.title} | {line}", style="dim"))

    def task_retrying(self, record: RunRecord, task: TaskRecord, seconds: float) -> None:
        """Print that a task failed and is retried."""
        when = f"in {seconds:.0f} s" if seconds else "now"
        self._print(
            Text(f"! {task.title} failed, trying again {when}: {task.error}", style="yellow")
        )

    def task_finished(self, record: RunRecord, task: TaskRecord) -> None:
        """Print a task's verdict and its report."""
        line = Text(f"{MARKS[task.state][self._mark]} ", style=MARKS[task.state][2])
        line.append(task.title, style="bold")
        # The rest of a failed task's error is printed at the run's end.
        for part in (_effort(task), first_line(task.verdict)):
            if part:
                line.append(f"  {part}")
        self._print(line)
        for warning in shown_warnings(task, MOST_WARNINGS):
            self._print(Text(f"    {warning}", style="yellow"))
        for report in task.reports:
            self._print(Text(f"    report: {record.locate(report)}", style="dim"))

    def run_finished(self, record: RunRecord) -> None:
        """Print the summary."""
        if self._summary:
            self.console.print(summary_table(record))
        if record.state == RunState.FAILED:
            self._print(Text(describe_failure(record), style="red"))

    def _print(self, line: Text) -> None:
        self.console.print(line, soft_wrap=True)


class LiveDisplay(PlainDisplay):
    """Plain lines for what is over, and under them a bar for each task that runs.

    Args:
        console: A terminal.
        verbose: Whether to show what tasks print, too.
        summary: Whether to end a run with a table of its tasks.
    """

    def __init__(self, console: Console, verbose: bool = False, summary: bool = True) -> None:
        super().__init__(console, verbose, summary)
        self._bars: Bars | None = None
        self._rows: dict[str, TaskID] = {}

    def warming_up(self, progress: Progress) -> None:
        """Show how far the loading of the libraries is, for as long as it lasts."""
        if progress.done == progress.total:
            self._remove("")
        else:
            self._update(
                "",
                "start-up",
                Progress(f"loading {progress.message}", progress.done, progress.total),
            )

    def run_started(self, record: RunRecord) -> None:
        """Print the run's name, and start the bars."""
        super().run_started(record)
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.fields[title]}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.description}", style="dim"),
            console=self.console,
            transient=True,
        )
        self._bars.start()

    def task_started(self, record: RunRecord, task: TaskRecord) -> None:
        """Add a task's bar."""
        self._update(task.name, task.title, Progress(""))

    def task_progress(self, record: RunRecord, task: TaskRecord, progress: Progress) -> None:
        """Move a task's bar."""
        self._update(task.name, task.title, progress)

    def task_retrying(self, record: RunRecord, task: TaskRecord, seconds: float) -> None:
        """Remove a task's bar until it is retried."""
        self._remove(task.name)
        super().task_retrying(record, task, seconds)

    def task_finished(self, record: RunRecord, task: TaskRecord) -> None:
        """Turn a task's bar into a line."""
        self._remove(task.name)
        super().task_finished(record, task)

    def run_finished(self, record: RunRecord) -> None:
        """Remove the bars and print the summary."""
        self.close()
        super().run_finished(record)

    def close(self) -> None:
        """Restore the terminal."""
        if self._bars:
            self._bars.stop()
        self._bars, self._rows = None, {}

    def _update(self, name: str, title: str, progress: Progress) -> None:
        if not self._bars:
            return
        if name not in self._rows:
            self._rows[name] = self._bars.add_task("", total=None, title=title)
        self._bars.update(
            self._rows[name],
            description=progress.message,
            completed=progress.done or 0,
            total=progress.total,
        )

    def _remove(self, name: str) -> None:
        if self._bars and name in self._rows:
            self._bars.remove_task(self._rows.pop(name))


def summary_table(record: RunRecord) -> Table:
    """Lay a run's tasks out as a table.

    Args:
        record: The run's record.

    Returns:
        A table for a rich console.
    """
    style = {RunState.SUCCEEDED: "green", RunState.FAILED: "red"}.get(record.state, "yellow")
    caption = (
        f"{record.state} in {duration(record.seconds)}" if record.seconds else str(record.state)
    )
    table = Table(title=f"run {record.run_id}: {caption}", title_justify="left", title_style=style)
    table.add_column("task", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("memory", justify="right", no_wrap=True)
    for task in record.tasks.values():
        mark_style = MARKS.get(task.state, ("", "", "dim"))[2]
        memory = format_size(task.peak_memory) if task.peak_memory else ""
        seconds = "" if task.seconds is None else duration(task.seconds)
        table.add_row(task.title, Text(_state(record, task), style=mark_style), seconds, memory)
    return table


def _state(record: RunRecord, task: TaskRecord) -> str:
    return "done before" if task.reused_from == record.run_id else str(task.state)


def _effort(task: TaskRecord) -> str:
    if task.state == TaskState.CACHED:
        return f"cached from run {task.reused_from}"
    if task.reused_from:
        return "done before"
    if task.state == TaskState.SKIPPED:
        return "skipped"
    if task.seconds is None:
        return ""
    waited = task.start_seconds or 0.0
    start = f" ({duration(waited)} to start)" if waited >= SHOWN_START_SECONDS else ""
    return f"{duration(task.seconds)}{start}"


def _describe(progress: Progress) -> str:
    if progress.done is None:
        return progress.message
    of = f" of {progress.total:g}" if progress.total else ""
    return f"{progress.message} ({progress.done:g}{of})"
