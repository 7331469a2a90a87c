"""Versions that wait for a person: a blessed model that is not in service until somebody approves it.

Each version has a sequence of records in the registry. A decision is the successor of the record that its writer read,
so of two people who decide at once one gets an error. No run waits meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import uuid4

from ..errors import RetrainerError
from ..moments import now_text
from ..numbered_records import NumberedRecord, NumberedRecords
from ..uris import join
from .aliases import PROMOTE, HeldError, version_words
from .model_versions import training_digest
from .promotions import Change
from .registry import CHAMPION, Registry


class ApprovalState(StrEnum):
    """What was decided about a version."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    """Pending, but another champion came into service since. No record says so: see `standing`."""


@dataclass(frozen=True)
class Approval:
    """What was decided about a version.

    Attributes:
        state: The decision.
        champion: The champion that the version was compared with; None for no champion.
        at: When, in ISO 8601, UTC.
        by: Who decided; empty while it is pending.
        why: The reason; empty if none was given.
        run: The run that asked; empty for a person.
        number: Place of its record in the version's sequence, from 1.
    """

    state: ApprovalState
    champion: int | None
    at: str = ""
    by: str = ""
    why: str = ""
    run: str = ""
    number: int = 0

    @property
    def words(self) -> str:
        """Who decided and why, such as `refused by ann (too many refunds)`."""
        if self.state == ApprovalState.SUPERSEDED:
            return f"superseded: it was compared with {version_words(self.champion)}, which is not the champion now"
        by = f" by {self.by}" if self.by else ""
        return f"{self.state}{by}{f' ({self.why})' if self.why else ''}"


def approval_of(registry: Registry, version: int) -> Approval | None:
    """Read what was decided about a version; None if nobody was asked."""
    newest = _records(registry, version).newest()
    if newest is None:
        return None
    content = newest.content
    words = {name: str(content.get(name) or "") for name in ("at", "by", "why", "run")}
    return Approval(
        ApprovalState(content["state"]), content["champion"], number=newest.number, **words
    )


def standing(approval: Approval | None, champion: int | None) -> Approval | None:
    """Return what an approval comes to beside the champion of now.

    Args:
        approval: What was decided about a version; None if nobody was asked.
        champion: The version in service; None for none.

    Returns:
        The same, or superseded: nobody can approve a version that was compared with another champion.
    """
    if approval and approval.state == ApprovalState.PENDING and approval.champion != champion:
        return replace(approval, state=ApprovalState.SUPERSEDED)
    return approval


def ask(registry: Registry, version: int, champion: int | None, run: str = "") -> Approval:
    """Ask for a person's approval of a version, unless it is asked for already or was refused.

    Args:
        registry: The registry.
        version: The version.
        champion: The champion that it was compared with; None for no champion.
        run: The run that asks.

    Returns:
        The state now: pending, or refused as somebody decided before.
    """
    known = approval_of(registry, version)
    if known and known.state == ApprovalState.REFUSED:
        return known
    if known and (known.state, known.champion) == (ApprovalState.PENDING, champion):
        return known
    _write(registry, version, known, ApprovalState.PENDING, champion, {"run": run})
    return Approval(ApprovalState.PENDING, champion, run=run)


def approve(
    registry: Registry, version: int, info: Mapping[str, Any], alias: str = CHAMPION
) -> Change:
    """Put a version that waits into service.

    Args:
        registry: The registry.
        version: The version.
        info: Who does it, and why: `by` and `why`.
        alias: The alias that the model in service has.

    Raises:
        RetrainerError: If the version does not wait, is incomplete, or the champion is another one than it was compared
            with.
        HeldError: If the version was rolled back meanwhile.
        AliasMovedError: If somebody else moved the alias at the same time.
    """
    found = registry.get_complete(version)
    waiting = approval_of(registry, version)
    newest = registry.alias(alias).newest()
    current = newest.version if newest else None
    # An approval whose move of the alias failed can be repeated.
    if waiting is None or waiting.state == ApprovalState.REFUSED or current == version:
        raise RetrainerError(_not_waiting(version, waiting, current))
    if current != waiting.champion:
        raise RetrainerError(
            f"version {version} was compared with {version_words(waiting.champion)}, and the champion is "
            f"{version_words(current)} now. Run again, so that a model is compared with it; to put version {version} "
            f"into service all the same: retrainer models promote {version} --why '...'"
        )
    job = str(found.info.get("job") or "")
    if newest and (hold := newest.holding(found.digest, job, training_digest(found.info))):
        raise HeldError(hold)
    if waiting.state == ApprovalState.PENDING:
        _write(registry, version, waiting, ApprovalState.APPROVED, current, info)
    moved = {
        "action": PROMOTE,
        "at": now_text(),
        **{name: value for name, value in info.items() if value},
    }
    registry.move(alias, version, newest, moved)
    return Change(version, current)


def refuse(registry: Registry, version: int, info: Mapping[str, Any]) -> Approval:
    """Refuse a version that waits: no run puts this content into service.

    Args:
        registry: The registry.
        version: The version.
        info: Who does it, and why: `by` and `why`.

    Raises:
        RetrainerError: If the version does not wait.
    """
    registry.get(version)
    waiting = approval_of(registry, version)
    if waiting is None or waiting.state != ApprovalState.PENDING:
        raise RetrainerError(_not_waiting(version, waiting, None))
    _write(registry, version, waiting, ApprovalState.REFUSED, waiting.champion, info)
    return Approval(
        ApprovalState.REFUSED,
        waiting.champion,
        by=str(info.get("by") or ""),
        why=str(info.get("why") or ""),
    )


def pending_versions(registry: Registry) -> list[int]:
    """List the complete versions that a person can approve, oldest first."""
    found = []
    champion = registry.version_of(CHAMPION)
    for version in registry.versions():
        approval = standing(approval_of(registry, version.version), champion)
        if approval and approval.state == ApprovalState.PENDING:
            found.append(version.version)
    return found


def _not_waiting(version: int, found: Approval | None, current: int | None) -> str:
    if current == version:
        return f"version {version} is the champion already."
    if found is None:
        return f"version {version} does not wait for approval: gate.approve was not set when it was pushed."
    promote = f"retrainer models promote {version} --why '...'"
    return f"version {version} does not wait for approval: it was {found.words}. To put it into service: {promote}"


def _write(
    registry: Registry,
    version: int,
    after: Approval | None,
    state: ApprovalState,
    champion: int | None,
    info: Mapping[str, Any],
) -> None:
    records = _records(registry, version)
    content = {
        "state": str(state),
        "champion": champion,
        "at": now_text(),
        **{name: value for name, value in info.items() if value},
        "id": uuid4().hex,
    }
    if records.append(content, NumberedRecord(after.number, {}) if after else None) is None:
        raise RetrainerError(
            f"somebody else decided about version {version} at the same time. See: retrainer models show {version}"
        )


def _records(registry: Registry, version: int) -> NumberedRecords:
    return NumberedRecords(join(registry.version_uri(version), "approval"))
