"""Aliases such as `champion`: numbered records of which version each pointed at, who moved it, and what is held.

The newest record has the whole state: the version that the alias points at, and the versions that were rolled back and
are held, so one compare-and-swap changes both. The records before it are the history.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from ..errors import RetrainerError
from ..numbered_records import NumberedRecord, NumberedRecords
from ..record_fields import known_fields
from ..runs.run_failures import check_moment

PUSH, PROMOTE, ROLLBACK, RETIRE = "push", "promote", "rollback", "retire"
_ACTIONS = (PUSH, PROMOTE, ROLLBACK, RETIRE)
_READERS = 16


class AliasMovedError(Exception):
    """Somebody else moved the alias since it was read.

    Attributes:
        current: The version that the alias points at now; None for no version.
    """

    def __init__(self, alias: str, current: int | None, expected: int | None) -> None:
        super().__init__(
            f"'{alias}' points at {version_words(current)} now, not at {version_words(expected)}"
        )
        self.current = current


@dataclass(frozen=True)
class Hold:
    """A version that was rolled back: no run can put its content into service again.

    Attributes:
        version: The version.
        digest: SHA-256 of its content.
        run: The name of the run that made it; empty if unknown.
        job: What the service calls that run, which no other run is called; empty if unknown.
        training: Digest of its data, code and settings, since training again gives other bytes; empty if unknown.
        by: Who rolled it back.
        at: When, in ISO 8601, UTC.
        why: The reason.
    """

    version: int
    digest: str
    run: str = ""
    job: str = ""
    training: str = ""
    by: str = ""
    at: str = ""
    why: str = ""

    def covers(self, digest: str, job: str = "", training: str = "") -> bool:
        """Check whether a model is held: it has this content, or comes from this run or from an equal training.

        On Kubeflow two runs may have the same name, so the name says nothing.
        """
        same_training = bool(training and training == self.training)
        return digest == self.digest or bool(job and job == self.job) or same_training

    @property
    def words(self) -> str:
        """The hold in words, such as `version 4 was rolled back by ann (too many refunds)`."""
        by = f" by {self.by}" if self.by else ""
        at = f" on {self.at[:16].replace('T', ' ')} UTC" if self.at else ""
        return (
            f"version {self.version} was rolled back{by}{at}{f' ({self.why})' if self.why else ''}"
        )


@dataclass(frozen=True)
class AliasMove:
    """One record of an alias.

    Attributes:
        number: Its place in the history, from 1.
        version: The version that the alias points at since; None for no version.
        previous: The version before; None for none.
        action: What moved it: `push`, `promote`, `rollback` or `retire`.
        at: When, in ISO 8601, UTC.
        by: The person or program; empty for a run.
        run: The run that pushed the version; empty for a person.
        why: The reason; empty if none was given.
        held: The versions that are held since.
    """

    number: int
    version: int | None
    previous: int | None = None
    action: str = PUSH
    at: str = ""
    by: str = ""
    run: str = ""
    why: str = ""
    held: tuple[Hold, ...] = ()

    @classmethod
    def of(cls, record: NumberedRecord) -> "AliasMove":
        """Read a record; one from before actions were noted has the action that its keys say.

        Raises:
            KeyError: If it says no version.
            TypeError: If what is held is damaged.
            ValueError: If a value is of another type.
        """
        content = known_fields(cls, record.content)
        version = content["version"]
        check_moment(content.get("at"))
        action = content.get("action") or (RETIRE if version is None else PUSH)
        if action not in _ACTIONS:
            raise ValueError(f"its 'action' is {action!r}")
        held = tuple(Hold(**known_fields(Hold, hold)) for hold in content.get("held") or ())
        return cls(**{**content, "number": record.number, "action": action, "held": held})

    def holding(self, digest: str, job: str = "", training: str = "") -> Hold | None:
        """Find the hold that keeps a model from service."""
        return next((hold for hold in self.held if hold.covers(digest, job, training)), None)


@dataclass(frozen=True)
class Alias:
    """The history of one alias.

    Attributes:
        name: Such as `champion`.
        records: Its records.
    """

    name: str
    records: NumberedRecords

    def newest(self) -> AliasMove | None:
        """Return the newest move; None if the alias was never set."""
        newest = self.records.newest()
        return self._read(newest) if newest else None

    def moves(self) -> list[AliasMove]:
        """List all moves, oldest first."""
        numbers = self.records.numbers()
        with ThreadPoolExecutor(_READERS) as pool:
            return [self._read(one) for one in pool.map(self.records.get, numbers)]

    def _read(self, record: NumberedRecord) -> AliasMove:
        with self.records.reading(record):
            return AliasMove.of(record)

    def append(
        self,
        version: int | None,
        after: AliasMove | None,
        info: Mapping[str, Any],
        held: Sequence[Hold] | None = None,
    ) -> AliasMove:
        """Point the alias at a version, or at none.

        Args:
            version: The new version; None for none.
            after: The newest move as the caller read it; None if there was none.
            info: Metadata of the move: `action`, `at`, and `run`, or `by` and `why`.
            held: The versions that are held afterwards; as before if not given.

        Raises:
            AliasMovedError: If somebody else moved the alias meanwhile.
        """
        previous = after.version if after else None
        if held is None:
            held = after.held if after else ()
        # The id distinguishes this call's entry from another writer's with the same content.
        entry = {"version": version, "previous": previous, "id": uuid4().hex, **info}
        if held:
            entry["held"] = [asdict(hold) for hold in held]
        made = self.records.append(entry, NumberedRecord(after.number, {}) if after else None)
        if made is None:
            winner = self.newest()
            raise AliasMovedError(self.name, winner.version if winner else None, previous)
        return AliasMove.of(made)


def service_stack(moves: Sequence[AliasMove]) -> list[int]:
    """List the versions that a rollback can go back to, the version in service last.

    A rollback removes the version that it took out of service, so the next one goes back further. So does retiring.

    Args:
        moves: The history, oldest first.
    """
    stack: list[int] = []
    for move in moves:
        if move.action == ROLLBACK and move.version in stack:
            del stack[len(stack) - stack[::-1].index(move.version) :]
        elif move.version is not None:
            stack.append(move.version)
        elif stack:
            stack.pop()
    return stack


def version_words(version: int | None) -> str:
    """Name a version in a message; None for no version."""
    return "no version" if version is None else f"version {version}"


class HeldError(RetrainerError):
    """A version is held."""

    def __init__(self, hold: Hold) -> None:
        super().__init__(
            f"{hold.words}, and is held. To put it into service all the same: "
            f"retrainer models promote {hold.version} --why '...'"
        )
