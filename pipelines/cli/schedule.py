"""`retrainer schedule`: runs by the clock, kept by the service that runs them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...components.lib.words import plural
from ..project.pipelines import PIPELINES
from .options import FILE, IMAGE, PARAMETERS, PIPELINE, TO, target_options

if TYPE_CHECKING:
    from ..targets.interface import Target
    from ..targets.types import Schedule

_CLOCK = ("cron", "time_zone", "catch_up", "start", "end", "max_runs")


@click.group()
def schedule() -> None:
    """Start runs by cron, on Vertex AI or Kubeflow Pipelines."""


_NAME = click.option("--name", help="Name of the schedule; the pipeline's by default.")
_ONE_PIPELINE = click.option(
    "--pipeline",
    "only",
    type=click.Choice(list(PIPELINES)),
    help="Only this pipeline of retrain.yaml; all by default.",
)


@schedule.command()
@FILE
@TO
@PIPELINE
@_NAME
@click.option(
    "--cron",
    required=True,
    help="Minute, hour, day of the month, month, day of the week; or @daily and similar.",
)
@click.option(
    "--time-zone", default="UTC", show_default=True, help="IANA time zone, such as Europe/Berlin."
)
@click.option(
    "--catch-up",
    is_flag=True,
    help="Start runs that were missed during a pause or an outage.",
)
@click.option(
    "--start", metavar="TIME", help="First time that a run may start, such as 2027-01-01T06:00:00."
)
@click.option("--end", metavar="TIME", help="Last time that a run may start.")
@click.option("--max-runs", type=int, help="Vertex: number of runs after which the schedule ends.")
@PARAMETERS
@IMAGE
@click.option(
    "--template", default="", help="Vertex: run a pushed template instead of the compiled pipeline."
)
@click.option("--dry-run", is_flag=True, help="Print the request without sending it.")
@target_options
def create(
    file: Path,
    kind: str,
    pipeline: str,
    name: str | None,
    parameters: tuple[str, ...],
    image: str | None,
    template: str,
    dry_run: bool,
    **options: Any,
) -> None:
    """Create or change a schedule for FILE (retrain.yaml).

    One run at a time; each uses the newest span at its start.
    """
    from .prepare import read_parameters
    from .schedule_requests import make_request, prepare_schedule, read_clock

    clock = read_clock({key: options.pop(key) for key in _CLOCK})
    given = read_parameters(parameters, pipeline=pipeline)
    target, usual, digest = prepare_schedule(file, kind, image, given, template, options, pipeline)
    request = make_request(clock, name or usual, given, digest)
    if dry_run:
        click.echo(json.dumps(target.describe_schedule(request), indent=2))
        return
    done = target.put_schedule(request)
    click.echo(f"{'updated' if done.updated else 'created'} {_line(done)}")


@schedule.command()
@FILE
@TO
@_ONE_PIPELINE
@IMAGE
@click.option("--dry-run", is_flag=True, help="Show what would change, without changing it.")
@target_options
def apply(
    file: Path, kind: str, only: str | None, image: str | None, dry_run: bool, **options: Any
) -> None:
    """Make the schedules match FILE (retrain.yaml).

    They are `schedule`, and that of each other pipeline's section. A schedule's name is its pipeline's. Without the
    setting, the schedule that this command created is deleted, and no other.
    """
    from ..project.config import load_config
    from ..project.pipelines import pipeline_name
    from .schedule_requests import open_schedules

    config = load_config(file).config
    done = False
    for pipeline in [only] if only else PIPELINES:
        if PIPELINES[pipeline].schedule(config):
            _apply(file, kind, pipeline, image, dry_run, options)
            done = True
            continue
        target = open_schedules(file, kind, options, pipeline=pipeline)[0]
        name = pipeline_name(config, pipeline)
        if there := _find(target, name):
            _delete_applied(target, there, dry_run)
            done = True
    if not done:
        click.echo("nothing to do: retrain.yaml has no schedule, and the service has none")


def _apply(
    file: Path,
    kind: str,
    pipeline: str,
    image: str | None,
    dry_run: bool,
    options: dict[str, Any],
) -> None:
    from ..project.config import load_config
    from ..targets.catalog import find_kind
    from ..targets.schedule_changes import check_removals, list_changes
    from .schedule_requests import make_request, prepare_schedule

    clock = PIPELINES[pipeline].schedule(load_config(file).config)
    if clock is None:
        return
    target, name, digest = prepare_schedule(file, kind, image, {}, "", options, pipeline)
    request = make_request(clock, name, {}, digest, applied=True)
    there = _find(target, name)
    changes = list_changes(there, request) if there else []
    if there and there.applied and not changes:
        click.echo(f"unchanged {_line(there)}")
        return
    if there and not there.applied:
        changes.append("made by: retrainer schedule create -> retrain.yaml")
    for line in changes:
        click.echo(f"  {line}")
    if there and find_kind(kind).keeps_limits:
        check_removals(there, request)
    if dry_run:
        target.describe_schedule(request)
        click.echo(f"would {'update' if there else 'create'} {name}; nothing was sent")
        return
    done = target.put_schedule(request)
    click.echo(f"{'updated' if done.updated else 'created'} {_line(done)}")


@schedule.command("list")
@FILE
@TO
@_ONE_PIPELINE
@IMAGE
@target_options
def list_(file: Path, kind: str, only: str | None, image: str | None, **options: Any) -> None:
    """List the pipelines' schedules; mark those that differ."""
    found = [
        _list_of(file, kind, pipeline, image, options)
        for pipeline in ([only] if only else PIPELINES)
    ]
    if not any(found):
        click.echo("no schedules yet; 'retrainer schedule apply' or 'create' makes one", err=True)


def _list_of(
    file: Path, kind: str, pipeline: str, image: str | None, options: dict[str, Any]
) -> bool:
    """List the schedules of a pipeline; return whether it has any."""
    from ..project.config import load_config
    from ..targets.schedule_changes import list_changes
    from .schedule_requests import make_request, open_schedules

    target, digest = open_schedules(file, kind, options, image, pipeline)
    clock = PIPELINES[pipeline].schedule(load_config(file).config)
    schedules = target.list_schedules()
    for one in schedules:
        if one.applied:
            wanted = make_request(clock, one.name, {}, digest, applied=True) if clock else None
            changed = not wanted or bool(list_changes(one, wanted))
        else:
            changed = bool(one.digest) and not one.digest.startswith(digest)
        click.echo(_line(one) + ("  retrain.yaml has changed since" if changed else ""))
    return bool(schedules)


@schedule.command()
@FILE
@TO
@PIPELINE
@_NAME
@target_options
def pause(file: Path, kind: str, pipeline: str, name: str | None, **options: Any) -> None:
    """Pause a schedule: it starts no runs until it is resumed."""
    from .schedule_requests import open_schedules

    target = open_schedules(file, kind, options, pipeline=pipeline)[0]
    click.echo(_line(target.pause_schedule(name or _name_in(file, pipeline))))


@schedule.command()
@FILE
@TO
@PIPELINE
@_NAME
@click.option("--catch-up", is_flag=True, help="Start the runs that were missed during the pause.")
@target_options
def resume(
    file: Path, kind: str, pipeline: str, name: str | None, catch_up: bool, **options: Any
) -> None:
    """Resume a paused schedule."""
    from .schedule_requests import open_schedules

    target = open_schedules(file, kind, options, pipeline=pipeline)[0]
    click.echo(_line(target.resume_schedule(name or _name_in(file, pipeline), catch_up)))


@schedule.command()
@FILE
@TO
@PIPELINE
@_NAME
@target_options
def delete(file: Path, kind: str, pipeline: str, name: str | None, **options: Any) -> None:
    """Delete a schedule; runs that it started are kept."""
    from .schedule_requests import open_schedules

    name = name or _name_in(file, pipeline)
    open_schedules(file, kind, options, pipeline=pipeline)[0].delete_schedule(name)
    click.echo(f"deleted {name}")


def _name_in(file: Path, pipeline: str) -> str:
    from ..project.config import load_config
    from ..project.pipelines import pipeline_name

    return pipeline_name(load_config(file).config, pipeline)


def _find(target: "Target", name: str) -> "Schedule | None":
    return next((one for one in target.list_schedules() if one.name == name), None)


def _delete_applied(target: "Target", there: "Schedule", dry_run: bool) -> None:
    name = there.name
    if not there.applied:
        click.echo(
            f"kept {name}: 'retrainer schedule create' made it; 'retrainer schedule delete' deletes it"
        )
    elif dry_run:
        click.echo(f"would delete {name}; nothing was sent")
    else:
        target.delete_schedule(name)
        click.echo(f"deleted {name}: retrain.yaml has no schedule any more")


def _line(one: "Schedule") -> str:
    from ..targets.schedule_changes import show, upcoming

    parts = [f"{one.state}, '{one.cron}' {one.time_zone}"]
    if one.next_run:
        parts.append(f"next {one.next_run:%Y-%m-%d %H:%M %Z}")
    if start := upcoming(one.start):
        parts.append(f"from {show(start)}")
    if one.end:
        parts.append(f"until {show(one.end)}")
    if one.max_runs:
        parts.append(f"{one.runs or 0} of {plural(one.max_runs, 'run')}")
    return f"{one.name}: {', '.join(parts)}  {one.url}".rstrip()
