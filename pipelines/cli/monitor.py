"""`retrainer monitor`: the pipeline `monitoring`, and what it found."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..project.pipelines import MONITORING
from .incidents import incidents, resolve, retrain
from .monitor_sink import sink
from .options import STORE

# Options of commands that the pipeline has no use for.
_LEFT_OUT = frozenset({"pipeline", "only", "span", "allow_older"})
NOW = click.Option(
    ["--now"],
    metavar="TIME",
    default="",
    help="Judge as of this time, such as 2026-11-26T12:00; for logs of the past.",
)


def monitor_group(run: click.Command, submit: click.Command, schedule: click.Group) -> click.Group:
    """Make the group of commands.

    Args:
        run: The command `retrainer run`.
        submit: The command `retrainer submit`.
        schedule: The group `retrainer schedule`.

    Returns:
        The group: these commands for the pipeline `monitoring`, and those of its own.
    """
    group = click.Group("monitor", help="Monitor what serves: broken data, drift, quality.")
    run = _of_monitoring(run, "Run the pipeline monitoring on this machine.")
    run.params.append(NOW)
    group.add_command(run)
    group.add_command(
        _of_monitoring(submit, "Start the pipeline monitoring on Vertex AI or Kubeflow.")
    )
    schedules = click.Group("schedule", help="Run the pipeline monitoring by cron, on a service.")
    for command in schedule.commands.values():
        schedules.add_command(_of_monitoring(command, command.help or ""))
    group.add_command(schedules)
    group.add_command(status)
    group.add_command(sink)
    for own in (incidents, resolve, retrain):
        group.add_command(own)
    return group


def _of_monitoring(command: click.Command, text: str) -> click.Command:
    """Return a command of a pipeline as one of the pipeline `monitoring`."""
    assert command.callback is not None
    usual = {"span": None, "allow_older": False, "pipeline": MONITORING, "only": MONITORING}
    fixed = {one.name: usual[one.name] for one in command.params if one.name in _LEFT_OUT}
    return click.Command(
        command.name,
        callback=partial(command.callback, **fixed),
        params=[one for one in command.params if one.name not in _LEFT_OUT],
        help=text,
    )


@click.command()
@STORE
@click.option("--all", "every", is_flag=True, help="Show signals that are ok, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(file: Path, every: bool, as_json: bool) -> None:
    """Show signals with their states, incidents, and labels."""
    from ..project.config import load_config
    from .show_monitoring import print_status, read_status

    config = load_config(file).config
    delay = config.monitoring.labels.delay_seconds if config.monitoring else None
    found: dict[str, Any] = read_status(config.store, delay)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        print_status(found, every)
