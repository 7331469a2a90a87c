"""The registry as `retrainer models` shows and changes it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from ...components.lib.errors import RetrainerError
from ...components.lib.registry import CHAMPION, AliasMovedError, Registry
from ...components.lib.store import Store
from ...components.lib.words import name_spans
from .tables import open_console
from .users import this_user


def list_models(store: str) -> list[dict[str, Any]]:
    """List what the registry of a store knows of each version.

    Args:
        store: URI of the store.

    Returns:
        For each version, newest first: `version`, `uri`, `digest`, `info`, and whether it is the `champion`.
    """
    registry = Registry(Store(store).models_uri)
    champion = registry.resolve(CHAMPION)
    return [
        {**vars(one), "champion": champion is not None and one.version == champion.version}
        for one in reversed(registry.versions())
    ]


def print_models(models: Sequence[dict[str, Any]], console: Console | None = None) -> None:
    """Print a table of versions.

    Args:
        models: As `list_models` gives them.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    if not models:
        console.print("no models yet; the first run that pushes one makes it the champion")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("version", "champion", "newest span", "trained on", "judged on", "run"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for one in models:
        info = one["info"]
        spans = [
            name_spans(info[key], most=1) if info.get(key) else ""
            for key in ("train_spans", "eval_spans")
        ]
        cells = [
            str(one["version"]),
            "yes" if one["champion"] else "",
            info.get("span"),
            *spans,
            info.get("run"),
        ]
        table.add_row(*(str(cell or "") for cell in cells))
    console.print(table)
    if not any(one["champion"] for one in models):
        console.print("no model is in service")


def retire_champion(store: str, why: str) -> int:
    """Take the champion out of service; its version and the history stay.

    Args:
        store: URI of the store.
        why: The reason, kept beside who did it and when.

    Returns:
        The version that was the champion.

    Raises:
        RetrainerError: If there is no champion, or it changed meanwhile.
    """
    registry = Registry(Store(store).models_uri)
    version = registry.version_of(CHAMPION)
    if version is None:
        raise RetrainerError(f"no model is in service in '{store}', so there is nothing to retire.")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    info = {"at": now, "by": this_user(), **({"why": why} if why else {})}
    try:
        registry.move_alias(CHAMPION, None, version, info)
    except AliasMovedError as error:
        raise RetrainerError(
            f"the champion has changed: {error}. Check 'retrainer models list', then retry."
        ) from error
    return version
