"""Incidents as `retrainer monitor` shows and changes them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...components.lib.errors import RetrainerError
from ...components.lib.monitoring.incident import Incident
from ...components.lib.monitoring.incident_changes import asked, resolved
from ...components.lib.monitoring.incident_records import IncidentRecords
from ...components.lib.words import did_you_mean
from ..project.config import LoadedConfig
from .tables import local_time, open_console
from .users import this_user

STYLES = {
    "open": "yellow",
    "retraining": "blue",
    "resolved": "green",
    "escalated": "red",
    "needs_a_person": "red",
    "data_broken": "red",
}


def list_incidents(store: str, every: bool) -> list[Incident]:
    """List incidents, newest first.

    Args:
        store: URI of the store.
        every: Whether resolved ones are among them.
    """
    found = IncidentRecords(store).all()
    return [one for one in reversed(found) if every or not one.ended]


def find_incident(store: str, name: str) -> Incident:
    """Read an incident.

    Raises:
        RetrainerError: If there is none of this id.
    """
    records = IncidentRecords(store)
    found = records.find(name)
    if found is None:
        raise RetrainerError(
            f"there is no incident '{name}' in '{store}'.{did_you_mean(name, records.ids())}"
        )
    return found


def resolve_incident(store: str, name: str, why: str) -> str:
    """Resolve an incident by hand, and say so.

    Raises:
        RetrainerError: If there is none of this id, or no reason.
    """
    find_incident(store, name)
    if not why.strip():
        raise RetrainerError("--why is empty; give the reason in a few words.")
    make = partial(resolved, at=datetime.now(UTC), why=why, actor=this_user())
    changed = IncidentRecords(store).change(name, make)
    return f"incident {name} {'is' if changed else 'was already'} resolved"


def ask_for_run(store: str, name: str, why: str) -> str:
    """Ask for the run of an incident by hand, and say so.

    Raises:
        RetrainerError: If there is none of this id, or a run would be no use.
    """
    find_incident(store, name)
    make = partial(asked, at=datetime.now(UTC), why=why, actor=this_user())
    IncidentRecords(store).change(name, make)
    return f"incident {name} asks for a run"


def check_section(loaded: LoadedConfig) -> None:
    """Check that runs of incidents can be started.

    Raises:
        RetrainerError: If there is no section `retraining`.
    """
    if loaded.config.retraining is None:
        raise RetrainerError(
            f"'{loaded.path}' has no section retraining, by which runs of incidents start: add 'retraining: {{}}'."
        )


def print_incidents(found: Sequence[Incident], console: Console | None = None) -> None:
    """Print incidents as a table.

    Args:
        found: The incidents.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    if not found:
        console.print("no incident goes on")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("incident", "state", "since", "run"):
        table.add_column(name, no_wrap=True)
    table.add_column("why", overflow="fold")
    for one in found:
        table.add_row(
            Text(one.id),
            Text(str(one.state), style=STYLES[str(one.state)]),
            local_time(one.since),
            Text(one.run or ("asked for" if one.wants_run else "-")),
            Text(one.reason),
        )
    console.print(table)


def print_incident(incident: Incident, console: Console | None = None) -> None:
    """Print an incident with its signals and changes.

    Args:
        incident: The incident.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    state = Text(str(incident.state), style=STYLES[str(incident.state)])
    console.print(Text.assemble((incident.id, "bold"), "  ", state))
    console.print(f"champion: version {incident.champion}", highlight=False)
    if incident.run:
        pushed = f", pushed version {incident.pushed}" if incident.pushed is not None else ""
        console.print(Text(f"run: {incident.run}{pushed}"), soft_wrap=True)
    for detection in incident.detections:
        console.print(Text(f"{detection.name}: {detection.meaning}"), soft_wrap=True)
    console.print()
    for change in incident.changes:
        actor = f" by {change.actor}" if change.actor else ""
        line = f"{local_time(change.at)}  {change.state}{actor}: {change.reason}"
        console.print(Text(line), soft_wrap=True)
