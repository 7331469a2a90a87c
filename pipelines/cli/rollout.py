"""`retrainer rollout`: where a rollout stands, a look at it, and changing it by hand."""

import json
from pathlib import Path
from typing import Any

import click

from .options import STORE

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
WHY = click.option("--why", default="", help="Reason, kept in the rollout's record.")


@click.group()
def rollout() -> None:
    """Watch how a new champion gets its requests; abort or promote it."""


@rollout.command()
@STORE
@click.option("--report", type=click.Path(dir_okay=False), help="File for an HTML report.")
@AS_JSON
def status(file: Path, report: str | None, as_json: bool) -> None:
    """Show the newest rollout, and why it changed.

    With what was observed of both versions, and every change with its reason.
    """
    from ..project.config import load_config
    from .show_rollout import print_rollout, read_rollout

    config = load_config(file).config
    found = read_rollout(config.store, config.serving.rollout)
    if report:
        from .rollout_page import write_rollout_page

        write_rollout_page(found, report)
    _print(found, as_json, print_rollout)


@rollout.command()
@STORE
@AS_JSON
def watch(file: Path, as_json: bool) -> None:
    """Look at the rollout once; it may go on or back.

    The scheduled pipeline watch_rollout does the same.
    """
    from ...components.watch_rollout.watch import watch as look
    from .show_rollout import rollout_settings, services_of
    from .tables import local_times
    from .users import this_user

    config, section = rollout_settings(file)
    verdict = look(config.store, services_of(config), config.name, section, this_user())
    _print({"verdict": verdict}, as_json, lambda one: click.echo(local_times(one["verdict"])))


@rollout.command()
@STORE
@WHY
@AS_JSON
def abort(file: Path, why: str, as_json: bool) -> None:
    """Give all requests to the version before.

    The registry goes back, too, and the version is held: no run promotes it again.
    """
    from .show_rollout import abort_rollout

    _print(abort_rollout(file, why), as_json, lambda one: click.echo(one["words"]))


@rollout.command()
@STORE
@WHY
@click.option("--all", "whole", is_flag=True, help="Leave out all stages that are left.")
@AS_JSON
def promote(file: Path, why: str, whole: bool, as_json: bool) -> None:
    """Go to the next stage now, whatever was observed."""
    from .show_rollout import promote_rollout

    _print(promote_rollout(file, why, whole), as_json, lambda one: click.echo(one["words"]))


@rollout.command()
@STORE
@click.argument("baseline", type=int)
@click.argument("version", type=int)
@click.option(
    "--slice", "slices", multiple=True, metavar="COLUMN", help="Column to slice by. Repeatable."
)
@AS_JSON
def compare(
    file: Path, baseline: int, version: int, slices: tuple[str, ...], as_json: bool
) -> None:
    """Compare BASELINE with VERSION, also by slice.

    The interval of a difference holds however often the command runs, and whenever one stops.
    """
    from ...components.watch_rollout.comparison import compare_versions
    from .show_rollout import print_comparison, rollout_settings

    _, section = rollout_settings(file)
    found = compare_versions(section, baseline, version, slices)
    _print(found, as_json, print_comparison)


def _print(found: Any, as_json: bool, show: Any) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        show(found)
