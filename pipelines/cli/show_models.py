"""The list of models as `retrainer models list` shows it."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...components.lib.registry.approvals import ApprovalState, approval_of, standing
from ...components.lib.registry.registry import CHAMPION, Registry
from ...components.lib.store import Store
from ...components.lib.words import name_spans
from .tables import open_console

_HEADINGS = ("version", "state", "newest span", "run", "trained on")
_MOST_KEPT = 30


def list_models(store: str) -> list[dict[str, Any]]:
    """List what the registry of a store knows of each version.

    Args:
        store: URI of the store.

    Returns:
        For each version, newest first: `version`, `uri`, `digest`, `info`, whether it is the `champion`, whether it is
        `held`, and its `approval` (`pending`, `superseded`, `approved` or `refused`; None if no person was asked). A
        folder that is no version has `version` and `incomplete`, which says what is wrong with it.
    """
    registry = Registry(Store(store).models_uri)
    newest = registry.alias(CHAMPION).newest()
    champion = newest.version if newest else None
    held = newest.held if newest else ()
    versions, incomplete = registry.survey()
    listed: list[dict[str, Any]] = [
        {
            **vars(one),
            "champion": one.version == champion,
            "held": any(hold.covers(one.digest) for hold in held),
            "approval": _approval(registry, one.version, champion),
        }
        for one in versions
    ]
    listed += [
        {
            "version": one.version,
            "champion": one.version == champion,
            "held": False,
            "incomplete": one.reason,
        }
        for one in incomplete
        if not one.deleted
    ]
    return sorted(listed, key=lambda one: -one["version"])


def print_models(models: Sequence[dict[str, Any]], console: Console | None = None) -> None:
    """Print a table of versions.

    Args:
        models: As `list_models` gives them.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    complete = [one for one in models if "incomplete" not in one]
    incomplete = [one for one in models if "incomplete" in one]
    if not models:
        console.print("no models yet; the first run that pushes one makes it the champion")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = [_cells(one) for one in complete]
    for place, heading in enumerate(_HEADINGS):
        # On a narrow terminal the last column alone is cut.
        least = max(map(len, [heading, *(row[place] for row in rows)]))
        keep = None if heading == _HEADINGS[-1] else min(least, _MOST_KEPT)
        table.add_column(heading, no_wrap=True, overflow="ellipsis", min_width=keep)
    for row in rows:
        table.add_row(*map(Text, row))
    if complete:
        console.print(table)
    for one in incomplete:
        champion = " and the champion" if one["champion"] else ""
        text = f"version {one['version']} is incomplete{champion}: {one['incomplete']}"
        console.print(Text(text, style="yellow"), soft_wrap=True)
    if not any(one["champion"] for one in models):
        console.print("no model is in service")


def _approval(registry: Registry, version: int, champion: int | None) -> str | None:
    found = standing(approval_of(registry, version), champion)
    return str(found.state) if found else None


def _waits(model: dict[str, Any]) -> str:
    """Return what a person decided or has to decide; an approved version that was replaced is like any other."""
    approval = model["approval"]
    return approval if approval and approval != ApprovalState.APPROVED else ""


def _cells(model: dict[str, Any]) -> list[str]:
    info = model["info"]
    state = "champion" if model["champion"] else "held" if model["held"] else _waits(model)
    trained = name_spans(info["train_spans"], most=1) if info.get("train_spans") else ""
    cells = (model["version"], state, info.get("span"), info.get("run"), trained)
    return [str(cell or "") for cell in cells]
