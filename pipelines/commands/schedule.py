"""`retrainer schedule`: runs by the clock, kept by the service that runs them."""

import json
from pathlib import Path
from typing import Any

import click

from .options import FILE, IMAGE, PARAMETERS, TO, show_warnings, take_flags, target_options


@click.group()
def schedule() -> None:
    """Start runs by the clock, on Vertex AI or Kubeflow Pipelines."""


_NAME = click.option("--name", help="Name of the schedule; the pipeline's if not given.")


@schedule.command()
@FILE
@TO
@_NAME
@click.option(
    "--cron", required=True, help="Minute, hour, day of the month, month, day of the week."
)
@click.option("--time-zone", default="UTC", show_default=True, help="Such as Europe/Berlin.")
@click.option(
    "--catch-up",
    is_flag=True,
    help="Make up for runs that a pause or an outage kept from starting.",
)
@PARAMETERS
@IMAGE
@click.option("--template", default="", help="Vertex: a pushed template in place of the pipeline.")
@click.option("--dry-run", is_flag=True, help="Print the request, and send nothing.")
@target_options
def create(
    file: Path,
    kind: str,
    name: str | None,
    cron: str,
    time_zone: str,
    catch_up: bool,
    parameters: tuple[str, ...],
    image: str | None,
    template: str,
    dry_run: bool,
    **options: Any,
) -> None:
    """Create a schedule for FILE (retrain.yaml), or change the one of that name.

    One run at a time; each finds its newest span when it starts.
    """
    from ..setting_checks import check_settings
    from ..targets.choosing import TargetKind, open_target
    from ..targets.interface import ScheduleRequest
    from .prepare import prepare, read_parameters

    given = read_parameters(parameters)
    loaded, pipeline = prepare(file, image, TargetKind(kind), given, template)
    show_warnings(check_settings(loaded))
    target = open_target(TargetKind(kind), loaded, pipeline, take_flags(options))
    request = ScheduleRequest(name or pipeline.name, cron, time_zone, given, catch_up)
    if dry_run:
        click.echo(json.dumps(target.describe_schedule(request), indent=2))
        return
    done = target.put_schedule(request)
    click.echo(f"{'updated' if done.updated else 'created'} {_line(done)}")


@schedule.command("list")
@FILE
@TO
@target_options
def list_(file: Path, kind: str, **options: Any) -> None:
    """List the schedules of FILE's pipeline."""
    schedules = _open(file, kind, options).list_schedules()
    for one in schedules:
        click.echo(_line(one))
    if not schedules:
        click.echo("no schedules yet; 'retrainer schedule create' makes one", err=True)


@schedule.command()
@FILE
@TO
@_NAME
@target_options
def pause(file: Path, kind: str, name: str | None, **options: Any) -> None:
    """Start no more runs until the schedule is resumed."""
    target = _open(file, kind, options)
    click.echo(_line(target.pause_schedule(name or _name_in(file))))


@schedule.command()
@FILE
@TO
@_NAME
@click.option(
    "--catch-up", is_flag=True, help="Make up for the runs that the pause kept from starting."
)
@target_options
def resume(file: Path, kind: str, name: str | None, catch_up: bool, **options: Any) -> None:
    """Start runs again."""
    target = _open(file, kind, options)
    click.echo(_line(target.resume_schedule(name or _name_in(file), catch_up)))


@schedule.command()
@FILE
@TO
@_NAME
@target_options
def delete(file: Path, kind: str, name: str | None, **options: Any) -> None:
    """Delete a schedule; the runs that it started stay."""
    name = name or _name_in(file)
    _open(file, kind, options).delete_schedule(name)
    click.echo(f"deleted {name}")


def _open(file: Path, kind: str, options: dict[str, Any]) -> Any:
    from ..compiling import compile_pipeline
    from ..config import load_config
    from ..targets.choosing import TargetKind, open_target

    loaded = load_config(file)
    return open_target(TargetKind(kind), loaded, compile_pipeline(loaded), take_flags(options))


def _name_in(file: Path) -> str:
    from ..config import load_config

    return load_config(file).config.name


def _line(one: Any) -> str:
    after = f", next {one.next_run:%Y-%m-%d %H:%M %Z}" if one.next_run else ""
    return f"{one.name}: {one.state}, '{one.cron}' {one.time_zone}{after}  {one.url}".rstrip()
