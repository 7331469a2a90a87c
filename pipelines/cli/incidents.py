"""`retrainer monitor incidents`, `resolve` and `retrain`: what monitoring opened, and deciding on it by hand."""

import json
from pathlib import Path
from typing import Any

import click

from ..project.sections.targets import TARGETS
from .options import FILE, IMAGE, STORE, take_flags, target_options

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_ID = click.argument("incident", metavar="INCIDENT")
_WHY = click.option("--why", required=True, help="Reason, kept in the incident's record.")


@click.command()
@click.argument("incident", metavar="[INCIDENT]", required=False)
@STORE
@click.option("--all", "every", is_flag=True, help="List resolved ones, too.")
@_JSON
def incidents(incident: str | None, file: Path, every: bool, as_json: bool) -> None:
    """List incidents that go on, or show one with its changes."""
    from ..project.config import load_config
    from .show_incidents import find_incident, list_incidents, print_incident, print_incidents

    store = load_config(file).config.store
    if incident:
        one = find_incident(store, incident)
        if as_json:
            click.echo(json.dumps(one.content(), indent=2))
        else:
            print_incident(one)
        return
    found = list_incidents(store, every)
    if as_json:
        click.echo(json.dumps([one.content() for one in found], indent=2))
    else:
        print_incidents(found)


@click.command()
@_ID
@STORE
@_WHY
def resolve(incident: str, file: Path, why: str) -> None:
    """Resolve INCIDENT: its signals are known.

    They open another incident only after they cleared and came back.
    """
    from ..project.config import load_config
    from .show_incidents import resolve_incident

    click.echo(resolve_incident(load_config(file).config.store, incident, why))


@click.command()
@FILE
@click.option("--incident", metavar="INCIDENT", help="Incident to ask a run for, by --why.")
@click.option("--why", default="", help="Reason, kept in the incident's record.")
@click.option(
    "--to",
    "kind",
    type=click.Choice([*TARGETS, "local"]),
    default="local",
    show_default=True,
    help="Service to run on; local is this machine.",
)
@IMAGE
@target_options
@click.pass_obj
def retrain(
    verbose: bool,
    file: Path,
    incident: str | None,
    why: str,
    kind: str,
    image: str | None,
    **options: Any,
) -> None:
    """Start the runs that incidents ask for, now.

    The trigger service does the same. With --incident a run is asked for first, whatever the section retraining says of
    its signals and rows.
    """
    from ..project.config import load_config
    from ..targets.catalog import check_flags
    from .retrains import print_retrains, retrain_here, retrain_on
    from .show_incidents import ask_for_run, check_section

    check_section(load_config(file))
    if incident:
        if not why.strip():
            raise click.UsageError("--incident needs --why, the reason.")
        click.echo(ask_for_run(load_config(file).config.store, incident, why))
    if kind == "local":
        check_flags({**take_flags(options), "image": image}, (), kind)
        found = retrain_here(file, verbose=verbose)
    else:
        found = retrain_on(kind, file, image, take_flags(options))
    if not found:
        click.echo("no incident asks for a run; new rows are counted by 'retrainer monitor run'")
    raise click.exceptions.Exit(print_retrains(found))
