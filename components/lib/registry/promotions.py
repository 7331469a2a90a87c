"""Changing by hand which version is in service: promote, roll back, retire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import RetrainerError
from ..moments import now_text
from .aliases import (
    PROMOTE,
    RETIRE,
    ROLLBACK,
    AliasMove,
    AliasMovedError,
    HeldError,
    Hold,
    service_stack,
    version_words,
)
from .model_versions import training_digest
from .registry import CHAMPION, Registry


@dataclass(frozen=True)
class Change:
    """What a command changed.

    Attributes:
        version: The version in service now; None for none.
        previous: The version before; None for none.
        held: The version that is held now; None for none.
        lifted: The hold that was lifted; None for none.
    """

    version: int | None
    previous: int | None
    held: int | None = None
    lifted: Hold | None = None


def promote(
    registry: Registry, version: int, info: Mapping[str, Any], alias: str = CHAMPION
) -> Change:
    """Put a version into service. A person decides so, and a hold of the version is lifted.

    Args:
        registry: The registry.
        version: The version.
        info: Who does it, and why: `by` and `why`.
        alias: The alias that the model in service has.

    Raises:
        RetrainerError: If there is no such version, it is incomplete, or it is in service.
        AliasMovedError: If somebody else moved the alias meanwhile.
    """
    found = registry.get_complete(version)
    newest = registry.alias(alias).newest()
    current = newest.version if newest else None
    if current == version:
        raise RetrainerError(f"version {version} is the {alias} of '{registry.uri}' already.")
    held = newest.held if newest else ()
    lifted = next((hold for hold in held if hold.covers(found.digest)), None)
    kept = [hold for hold in held if not hold.covers(found.digest)]
    registry.move(alias, version, newest, _noted(PROMOTE, info), kept)
    return Change(version, current, lifted=lifted)


def rollback_target(
    registry: Registry, alias: str = CHAMPION, moves: Sequence[AliasMove] | None = None
) -> int | None:
    """Find the version that a rollback puts back into service.

    Args:
        registry: The registry.
        alias: The alias that the model in service has.
        moves: The alias's history, if it was read already.

    Returns:
        The champion before the one in service that is complete and not held; None if there is none.
    """
    moves = registry.alias(alias).moves() if moves is None else moves
    if not moves or moves[-1].version is None:
        return None
    held = moves[-1].held
    for number in reversed(service_stack(moves)[:-1]):
        found = registry.find(number)
        if number != moves[-1].version and found and not any(h.covers(found.digest) for h in held):
            return number
    return None


def roll_back(
    registry: Registry,
    info: Mapping[str, Any],
    to: int | None = None,
    expected: int | None = None,
    alias: str = CHAMPION,
) -> Change:
    """Put the previous champion back into service, and hold the version that was in service.

    Args:
        registry: The registry.
        info: Who does it, and why: `by` and `why`.
        to: The version to put into service; the champion before if not given.
        expected: The version to roll back; the one in service if not given.
        alias: The alias that the model in service has.

    Raises:
        RetrainerError: If no model is in service, there is no version to go back to, or it is held or incomplete.
        AliasMovedError: If another version than `expected` is in service, or somebody else moved the alias meanwhile.
    """
    moves = registry.alias(alias).moves()
    newest = moves[-1] if moves else None
    if newest is None or newest.version is None:
        raise RetrainerError(
            f"no model is in service in '{registry.uri}', so there is nothing to roll back. "
            "To put a version into service: retrainer models promote VERSION."
        )
    current = newest.version
    if expected is not None and current != expected:
        raise AliasMovedError(alias, current, expected)
    if to is None:
        to = rollback_target(registry, alias, moves)
        if to is None:
            raise RetrainerError(
                f"there is no version to go back to from version {newest.version} in '{registry.uri}': no other was in "
                "service before it, or those are deleted, held or incomplete. Name one with --to, or take the champion "
                "out of service with retrainer models retire."
            )
    target = registry.get_complete(to)
    if to == current:
        raise RetrainerError(f"version {to} is the {alias} of '{registry.uri}' already.")
    hold = next((one for one in newest.held if one.covers(target.digest)), None)
    if hold:
        raise HeldError(hold)
    noted = _noted(ROLLBACK, info)
    taken = registry.find(current)
    made = taken.info if taken else {}
    held = [one for one in newest.held if one.version != current]
    held.append(
        Hold(
            current,
            taken.digest if taken else "",
            str(made.get("run") or ""),
            str(made.get("job") or ""),
            training_digest(made),
            **{name: str(noted.get(name) or "") for name in ("by", "at", "why")},
        )
    )
    registry.move(alias, to, newest, noted, held)
    return Change(to, current, held=current)


def retire(registry: Registry, info: Mapping[str, Any], alias: str = CHAMPION) -> Change:
    """Take the champion out of service; its version and the history stay.

    Args:
        registry: The registry.
        info: Who does it, and why: `by` and `why`.
        alias: The alias that the model in service has.

    Raises:
        RetrainerError: If no model is in service.
        AliasMovedError: If somebody else moved the alias meanwhile.
    """
    newest = registry.alias(alias).newest()
    if newest is None or newest.version is None:
        raise RetrainerError(
            f"no model is in service in '{registry.uri}', so there is nothing to retire."
        )
    registry.move(alias, None, newest, _noted(RETIRE, info))
    return Change(None, newest.version)


def describe_change(change: Change) -> str:
    """Describe a change in one sentence."""
    before = (
        "; none was before"
        if change.previous is None
        else f", in place of version {change.previous}"
    )
    words = f"{version_words(change.version)} is in service now{before}"
    if change.held is not None:
        words += f"; version {change.held} is held: no run puts it into service again"
    if change.lifted is not None:
        words += f"; its hold is lifted ({change.lifted.words})"
    return f"{words}."


def _noted(action: str, info: Mapping[str, Any]) -> dict[str, Any]:
    now = now_text()
    return {"action": action, "at": now, **{name: value for name, value in info.items() if value}}
