"""What monitoring found, as `retrainer monitor status` shows it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...components.lib.monitoring.incident import Incident, IncidentState
from ...components.lib.monitoring.incident_records import IncidentRecords
from ...components.lib.monitoring.looks import Looks
from ...components.lib.monitoring.maturity import measure_maturity
from ...components.lib.monitoring.signal_states import State
from ...components.lib.monitoring.signals import Outcome
from ...components.lib.predictions.joined_sets import newest_joined
from ...components.lib.registry.registry import CHAMPION, Registry
from ...components.lib.store import Store
from ...components.lib.words import number, percent, plural
from .tables import local_time, open_console

_ORDER = [str(one) for one in (State.DETECTED, State.SUSPECTED, State.CLEARED, State.OK)]
_STYLES = {"detected": "red", "suspected": "yellow", "cleared": "cyan", "ok": "green"}
_NOT_JUDGED = "not judged"
# More would not fit on a screen.
_CHANGES, _MOST_SILENT = 10, 10


def read_status(store: str, delay_seconds: float | None = None) -> dict[str, Any]:
    """Read what the newest looks found.

    Args:
        store: URI of the store.
        delay_seconds: How long after a prediction its label is expected; None if that is not known.

    Returns:
        JSON values: the newest look, every signal with its state, the newest changes; `look` is null without a look.
    """
    looks = Looks(store)
    states = looks.states()
    newest = looks.newest(1)
    if not newest:
        return {
            "look": None,
            "signals": [],
            "changes": [],
            "errors": [],
            "incidents": [],
            "labels": None,
        }
    look = newest[0]
    records = looks.states_since(max(0, states.number - _CHANGES))
    changes = [change for record in records for change in record.changes]
    return {
        "look": look.number,
        "at": look.at,
        "window": look.window,
        "champion": look.champion,
        "champion_now": Registry(Store(store).models_uri).version_of(CHAMPION),
        "errors": list(look.errors),
        "labels": _labels(store, delay_seconds),
        "incidents": [_incident(one) for one in IncidentRecords(store).all()],
        "signals": [
            {"state": str(one.state), "since": one.since, "name": one.name, **one.last.content()}
            for one in states.states.values()
        ],
        "changes": [
            {**vars(one), "before": str(one.before), "after": str(one.after)} for one in changes
        ],
    }


def print_status(
    found: Mapping[str, Any], every: bool = False, console: Console | None = None
) -> None:
    """Print what the newest looks found.

    Args:
        found: As `read_status` returns it.
        every: Whether signals that are ok are shown, too.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    if found["look"] is None:
        console.print("no look yet; run 'retrainer monitor run'")
        return
    silent = [one for one in found["signals"] if one["outcome"] == Outcome.SILENT]
    shown_states = [_shown_state(one) for one in found["signals"]]
    states = ", ".join(
        f"{shown_states.count(name)} {name}"
        for name in (*_ORDER, _NOT_JUDGED)
        if name in shown_states
    )
    console.print(
        f"version {found['champion']}, span {found['window'] or 'none'}: {states or 'no signal'}",
        style="bold",
        markup=False,
    )
    console.print(f"look {found['look']} at {local_time(found['at'])}", markup=False)
    if (now := found["champion_now"]) not in (None, found["champion"]):
        console.print(f"version {now} is champion now, and no look has judged it yet", markup=False)
    if labels := found["labels"]:
        due = (
            "" if labels["due_share"] is None else f", {percent(labels['due_share'])} of those due"
        )
        console.print(f"labels: {percent(labels['share'])} of the predictions{due}", markup=False)
    for error in found["errors"]:
        console.print(Text(f"error: {error}", style="red"))
    is_open = [one for one in found["signals"] if one["state"] != State.OK]
    others = [one for one in silent if one not in is_open]
    shown = list(found["signals"]) if every else [*is_open, *others[:_MOST_SILENT]]
    if shown:
        console.print(_table(shown))
    if hidden := len(found["signals"]) - len(shown):
        left = len(others[_MOST_SILENT:])
        beside = f", {left} of them not judged" if left else ""
        console.print(f"and {plural(hidden, 'more signal')}{beside} (--all)", markup=False)
    for one in found["incidents"]:
        if one["state"] != IncidentState.RESOLVED:
            state = one["state"].replace("_", " ")
            line = (
                f"incident {one['id']}, {state} since {local_time(one['since'])}: {one['reason']}"
            )
            if names := _detected_of(one, found["signals"]):
                line += f"; detected now: {', '.join(names)}"
            console.print(Text(line, style="yellow"))


def _detected_of(incident: Mapping[str, Any], signals: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the signals of an incident that are detected now, if they are others than those that it had at first."""
    now = [one["name"] for one in signals if one["state"] == State.DETECTED]
    own = [name for name in incident["signals"] if name in now]
    return own if own != incident["signals"] else []


def _incident(one: Incident) -> dict[str, Any]:
    return {
        "id": one.id,
        "group": str(one.group),
        "state": str(one.state),
        "champion": one.champion,
        "opened": one.opened,
        "since": one.since,
        "reason": one.reason,
        "run": one.run,
        "pushed": one.pushed,
        "signals": list(dict.fromkeys(detection.name for detection in one.detections)),
    }


def _labels(store: str, delay_seconds: float | None) -> dict[str, Any] | None:
    sets = newest_joined(store)
    found = measure_maturity(sets, datetime.now(UTC), delay_seconds)
    if found.share is None:
        return None
    return {
        "share": found.share,
        "due_share": found.due_share,
        "late": found.late,
        "by_age": [vars(one) for one in found.by_age],
    }


def _shown_state(one: Mapping[str, Any]) -> str:
    is_quiet = one["state"] in (State.OK, State.CLEARED)
    return _NOT_JUDGED if is_quiet and one["outcome"] == Outcome.SILENT else str(one["state"])


def _table(signals: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("signal", "state", "since", "value", "bound", "meaning"):
        table.add_column(heading, justify="right" if heading in ("value", "bound") else "left")
    for one in sorted(signals, key=lambda one: (_ORDER.index(one["state"]), one["name"])):
        state = _shown_state(one)
        table.add_row(
            Text(one["name"]),
            Text(state, style=_STYLES.get(state, "")),
            local_time(one["since"]),
            *(number(one[key]) if key in one else "-" for key in ("value", "bound")),
            Text(one["meaning"]),
        )
    return table
