"""Records of runs, as people read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...components.lib.monitoring.incident import Incident
from ..runs.records import ArtifactRecord, RunRecord, TaskRecord
from ..runs.remote_runs import RunElsewhere
from ..runs.run_words import (
    describe_failure,
    duration,
    first_line,
    outcome,
    shown_warnings,
)
from ..targets.types import TaskStatus
from .tables import format_size, local_time, open_console

STYLES = {
    "succeeded": "green",
    "cached": "cyan",
    "running": "blue",
    "failed": "red",
    "interrupted": "yellow",
    "cancelled": "yellow",
    "paused": "yellow",
    "died": "red",
    "unreadable": "red",
    "skipped": "dim",
    "pending": "dim",
}
MOST_CHARACTERS = 100
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def print_list(
    records: Sequence[RunRecord],
    elsewhere: Sequence[RunElsewhere] = (),
    console: Console | None = None,
) -> None:
    """Print runs as a table, one line each, newest first; on a terminal a long outcome is cut to its width.

    Args:
        records: Runs of this machine and others without a service.
        elsewhere: Runs on services. Where there are some, the table says where each run is, and why.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    lines = [
        (
            record.started,
            (record.run_id, "local", "", _state(record.state), duration(record.seconds)),
            outcome(record),
        )
        for record in records
    ]
    lines += [
        (
            run.started,
            (run.run_id, run.target, run.cause or run.by, _last_state(run), duration(run.seconds)),
            first_line(run.outcome),
        )
        for run in elsewhere
    ]
    table = Table(box=None, pad_edge=False)
    names = ["run", "where", "cause", "state", "started", "took"]
    shown = [name for name in names if elsewhere or name not in ("where", "cause")]
    for name in shown:
        table.add_column(name, justify="right" if name == "took" else "left", no_wrap=True)
    table.add_column("outcome", no_wrap=True, overflow="ellipsis")
    for started, (run_id, where, cause, state, took), words in sorted(
        lines,
        key=lambda line: datetime.fromisoformat(line[0]) if line[0] else _LONG_AGO,
        reverse=True,
    ):
        cells: dict[str, str | Text] = {
            "run": Text(run_id),
            "where": where,
            "cause": Text(cause),
            "state": state,
            "started": local_time(started),
            "took": took,
        }
        table.add_row(*(cells[name] for name in shown), Text(words))
    console.print(table)


def print_elsewhere(
    run: RunElsewhere,
    tasks: Sequence[TaskStatus],
    console: Console | None = None,
    incident: Incident | None = None,
) -> None:
    """Print what the store and the service know of a run.

    Args:
        run: The run.
        tasks: Its tasks.
        console: Where to; standard output if not given.
        incident: The incident that it was started for.
    """
    console = console or open_console()
    console.print(Text.assemble((run.run_id, "bold"), "  ", _last_state(run)))
    place = ", ".join(f"{name} {value}" for name, value in run.place.items() if value)
    console.print(Text(f"on {run.target}{f': {place}' if place else ''}"), soft_wrap=True)
    if run.url:
        console.print(Text(run.url), soft_wrap=True)
    console.print(
        f"started {local_time(run.started)}, took {duration(run.seconds)}", highlight=False
    )
    for name, value in {
        "cause": run.cause,
        "incident": _words(incident),
        "by": run.by,
        "outcome": run.outcome,
        "image": run.image,
        "newest span": run.newest_span,
        "champion": "" if run.champion is None else f"version {run.champion}",
        "model": "" if run.version is None else f"version {run.version}",
    }.items():
        if value:
            console.print(Text(f"{name}: {value}"), soft_wrap=True)
    _print_values("parameters", dict(run.parameters), console)
    _print_values("spans", dict(run.spans), console)
    for task in tasks:
        took = (
            duration((task.ended - task.started).total_seconds())
            if task.started and task.ended
            else "-"
        )
        console.print()
        began = f", started {local_time(task.started.isoformat())}" if task.started else ""
        name = task.name.replace("-", "_")
        console.print(Text.assemble((name, "bold"), "  ", _state(task.state), f"  {took}{began}"))
        if task.error:
            console.print(Text(f"  {task.error}", style="red"), soft_wrap=True)
        if task.url:
            console.print(Text(f"  log: {task.url}"), soft_wrap=True)


def _last_state(run: RunElsewhere) -> Text:
    """Format a run's state, with a question mark if its service was not asked."""
    return Text(f"{run.state}{'' if run.asked else ' ?'}", style=STYLES.get(run.state, ""))


def print_run(
    record: RunRecord, console: Console | None = None, incident: Incident | None = None
) -> None:
    """Print a run's record.

    Args:
        record: The record.
        console: Where to; standard output if not given.
        incident: The incident that the run was started for.
    """
    console = console or open_console()
    console.print(Text.assemble((record.run_id, "bold"), "  ", _state(record.state)))
    resumed = "".join(f", resumed {local_time(moment)}" for moment in record.resumed)
    console.print(
        f"started {local_time(record.started)}{resumed}, took {duration(record.seconds)}",
        highlight=False,
    )
    console.print(Text(f"outcome: {outcome(record)}"))
    if incident:
        console.print(Text(f"incident: {_words(incident)}"), soft_wrap=True)
    _print_values("parameters", record.parameters, console)
    for task in record.tasks.values():
        _print_task(record, task, console)
    failure = describe_failure(record)
    if failure:
        console.print()
        console.print(Text(failure, style="red"))


def _print_task(record: RunRecord, task: TaskRecord, console: Console) -> None:
    console.print()
    memory = f", {format_size(task.peak_memory)}" if task.peak_memory else ""
    reused = f", from {task.reused_from}" if task.reused_from else ""
    console.print(
        Text.assemble(
            (task.title or task.name, "bold"),
            "  ",
            _state(task.state),
            f"  {duration(task.seconds)}{memory}{reused}",
        )
    )
    if task.verdict:
        console.print(Text(f"  {first_line(task.verdict)}"))
    for warning in shown_warnings(task):
        console.print(Text(f"  {warning}", style="yellow"), soft_wrap=True)
    _print_values("inputs", task.inputs, console, "  ")
    _print_artifacts("input artifacts", task.input_artifacts, console)
    _print_values(
        "outputs",
        {k: v for k, v in task.outputs.items() if k not in ("verdict", "warnings")},
        console,
        "  ",
    )
    _print_artifacts("output artifacts", task.output_artifacts, console)
    _print_values("metrics", task.metrics, console, "  ")
    for report in task.reports:
        console.print(Text(f"  report: {record.locate(report)}"), soft_wrap=True)
    if task.log:
        console.print(Text(f"  log: {record.locate(task.log)}"), soft_wrap=True)


def _print_values(title: str, values: dict[str, Any], console: Console, indent: str = "") -> None:
    if not values:
        return
    console.print(f"{indent}{title}")
    for name, value in values.items():
        console.print(Text(f"{indent}  {name}: {_short(value)}"), soft_wrap=True)


def _print_artifacts(title: str, artifacts: dict[str, ArtifactRecord], console: Console) -> None:
    if not artifacts:
        return
    console.print(f"  {title}")
    for name, artifact in artifacts.items():
        digest = f" {artifact.digest[:12]}" if artifact.digest else ""
        console.print(Text(f"    {name}:{digest} {artifact.uri}"), soft_wrap=True)


def _words(incident: Incident | None) -> str:
    return f"{incident.id}, {incident.changes[0].reason}" if incident else ""


def _state(state: str) -> Text:
    return Text(str(state), style=STYLES.get(str(state), ""))


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return (
        text
        if len(text) <= MOST_CHARACTERS
        else f"{text[:MOST_CHARACTERS]}... ({len(str(value)):,} characters)"
    )
