"""`retrainer schedule`: runs by the clock, kept by the service that runs them."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...components.lib.words import plural
from .options import FILE, IMAGE, PARAMETERS, TO, show_warnings, take_flags, target_options

if TYPE_CHECKING:
    from ..definitions.compiled import Pipeline
    from ..project.config import LoadedConfig
    from ..project.sections.schedule import ScheduleConfig
    from ..targets.interface import Target
    from ..targets.types import Schedule, ScheduleRequest

_CLOCK = ("cron", "time_zone", "catch_up", "start", "end", "max_runs")
# Settings of whoever calls the service, which its runs do not have.
_OF_THE_CALLER = {"host", "endpoint", "token_file", "ca_certificate", "template_repository"}


@click.group()
def schedule() -> None:
    """Start runs by the clock, on Vertex AI or Kubeflow Pipelines."""


_NAME = click.option("--name", help="Name of the schedule; the pipeline's if not given.")


@schedule.command()
@FILE
@TO
@_NAME
@click.option(
    "--cron",
    required=True,
    help="Minute, hour, day of the month, month, day of the week; or @daily and the like.",
)
@click.option("--time-zone", default="UTC", show_default=True, help="Such as Europe/Berlin.")
@click.option(
    "--catch-up",
    is_flag=True,
    help="Make up for runs that a pause or an outage kept from starting.",
)
@click.option("--start", metavar="TIME", help="No run starts before, such as 2027-01-01T06:00:00.")
@click.option("--end", metavar="TIME", help="No run starts after.")
@click.option("--max-runs", type=int, help="Vertex: it ends after so many runs.")
@PARAMETERS
@IMAGE
@click.option("--template", default="", help="Vertex: a pushed template in place of the pipeline.")
@click.option("--dry-run", is_flag=True, help="Print the request, and send nothing.")
@target_options
def create(
    file: Path,
    kind: str,
    name: str | None,
    parameters: tuple[str, ...],
    image: str | None,
    template: str,
    dry_run: bool,
    **options: Any,
) -> None:
    """Create a schedule for FILE (retrain.yaml), or change the one of that name.

    One run at a time; each finds its newest span when it starts.
    """
    from .prepare import read_parameters

    clock = _read_clock({key: options.pop(key) for key in _CLOCK})
    given = read_parameters(parameters)
    target, pipeline, digest = _prepare(file, kind, image, given, template, options)
    request = _request(clock, name or pipeline, given, digest)
    if dry_run:
        click.echo(json.dumps(target.describe_schedule(request), indent=2))
        return
    done = target.put_schedule(request)
    click.echo(f"{'updated' if done.updated else 'created'} {_line(done)}")


@schedule.command()
@FILE
@TO
@IMAGE
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@target_options
def apply(file: Path, kind: str, image: str | None, dry_run: bool, **options: Any) -> None:
    """Make the service's schedule what the section `schedule` of FILE (retrain.yaml) says.

    It bears the pipeline's name. Without that section, the schedule that this command made is deleted, and no other.
    """
    from ..project.config import load_config
    from ..targets.catalog import find_kind
    from ..targets.schedule_changes import check_removals, list_changes

    config = load_config(file).config
    if config.schedule is None:
        target = _open(file, kind, options)
        _delete_applied(target, _find(target, config.name), config.name, dry_run)
        return
    target, name, digest = _prepare(file, kind, image, {}, "", options)
    request = _request(config.schedule, name, {}, digest, applied=True)
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
@IMAGE
@target_options
def list_(file: Path, kind: str, image: str | None, **options: Any) -> None:
    """List the schedules of FILE's pipeline, and mark those that are not as FILE is now."""
    from ..project.config import load_config
    from ..targets.schedule_changes import list_changes

    target, digest = _open_with_digest(file, kind, options, image)
    clock = load_config(file).config.schedule
    schedules = target.list_schedules()
    for one in schedules:
        if one.applied:
            wanted = _request(clock, one.name, {}, digest, applied=True) if clock else None
            changed = not wanted or bool(list_changes(one, wanted))
        else:
            changed = bool(one.digest) and not one.digest.startswith(digest)
        click.echo(_line(one) + ("  retrain.yaml has changed since" if changed else ""))
    if not schedules:
        click.echo("no schedules yet; 'retrainer schedule apply' or 'create' makes one", err=True)


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


def _open(file: Path, kind: str, options: dict[str, Any]) -> "Target":
    return _open_with_digest(file, kind, options)[0]


def _open_with_digest(
    file: Path, kind: str, options: dict[str, Any], image: str | None = None
) -> "tuple[Target, str]":
    from ..definitions.compiling import compile_pipeline
    from ..project.config import load_config
    from ..targets.catalog import open_target

    loaded = _with_image(load_config(file), image)
    pipeline = compile_pipeline(loaded)
    flags = take_flags(options)
    target = open_target(kind, loaded, pipeline, flags, starts_runs=False)
    return target, _digest(loaded, pipeline, kind, options)


def _name_in(file: Path) -> str:
    from ..project.config import load_config

    return load_config(file).config.name


def _prepare(
    file: Path,
    kind: str,
    image: str | None,
    parameters: dict[str, str],
    template: str,
    options: dict[str, Any],
) -> "tuple[Target, str, str]":
    """Return the target, the pipeline's name, and what stands for what its runs are made of."""
    from ..definitions.compiling import compile_pipeline
    from ..project.checks import check_settings
    from ..project.config import load_config
    from ..targets.catalog import open_target
    from .prepare import prepare

    loaded, pipeline = prepare(file, image, kind, parameters, template)
    if not template:
        show_warnings(check_settings(loaded))
    target = open_target(kind, loaded, pipeline, take_flags(options))
    if template:
        # What it was pushed from is not this file, which may change as it likes.
        return target, pipeline.name, ""
    # That of the file, which `list` can make without asking registries, and after it that with the images pinned.
    written = _with_image(load_config(file), image)
    unpinned = pipeline if written == loaded else compile_pipeline(written)
    digest = _digest(written, unpinned, kind, options)
    if unpinned is not pipeline and not loaded.moving_images:
        digest += _digest(loaded, pipeline, kind, options)
    return target, pipeline.name, digest


def _with_image(loaded: "LoadedConfig", image: str | None) -> "LoadedConfig":
    if not image:
        return loaded
    config = loaded.config.model_copy(update={"image": image})
    return loaded.model_copy(update={"config": config})


def _digest(
    loaded: "LoadedConfig", pipeline: "Pipeline", kind: str, options: dict[str, Any]
) -> str:
    """Return what stands for a compiled pipeline and the settings of its runs."""
    from ..targets.catalog import target_settings
    from ..targets.schedule_changes import DIGEST_LENGTH

    settings = target_settings(kind, loaded, take_flags(options))
    described = settings.model_dump_json(exclude=_OF_THE_CALLER)
    # What Vertex AI alone takes is in no text that other targets read.
    own = json.dumps(pipeline.vertex) if pipeline.vertex else ""
    made_of = f"{pipeline.text}{own}\n{described}"
    return hashlib.sha256(made_of.encode()).hexdigest()[:DIGEST_LENGTH]


def _read_clock(values: dict[str, Any]) -> "ScheduleConfig":
    """Check flags as the file's section is checked."""
    from pydantic import ValidationError

    from ...components.lib.errors import RetrainerError
    from ..project.sections.schedule import ScheduleConfig
    from ..targets.precedence import flag

    try:
        return ScheduleConfig.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        place = f"{flag(str(problem['loc'][0]))}: " if problem["loc"] else ""
        message = problem["msg"].removeprefix("Value error, ")
        raise RetrainerError(f"{place}{message}.") from error


def _request(
    clock: "ScheduleConfig",
    name: str,
    parameters: dict[str, str],
    digest: str,
    applied: bool = False,
) -> "ScheduleRequest":
    from ..project.sections.schedule import in_zone
    from ..targets.types import ScheduleRequest

    return ScheduleRequest(
        name,
        clock.cron,
        clock.time_zone,
        parameters,
        clock.catch_up,
        start=in_zone(clock.start, clock.time_zone),
        end=in_zone(clock.end, clock.time_zone),
        max_runs=clock.max_runs,
        digest=digest,
        applied=applied,
    )


def _find(target: "Target", name: str) -> "Schedule | None":
    return next((one for one in target.list_schedules() if one.name == name), None)


def _delete_applied(target: "Target", there: "Schedule | None", name: str, dry_run: bool) -> None:
    if there is None:
        click.echo("nothing to do: retrain.yaml has no schedule, and the service has none")
    elif not there.applied:
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
