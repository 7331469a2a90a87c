"""The records of rollouts in the store: numbered, the newest is the state, each written by compare-and-swap."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import uuid4

from ..errors import RetrainerError
from ..numbered_records import NumberedRecord, NumberedRecords
from ..record_format import check_format
from ..registry.registry import CHAMPION
from ..store import Store
from ..uris import join
from .rollout_settings import RolloutSettings
from .rollout_state import Change, Promotion, Rollout, RolloutState, follow

FORMAT = 1
# Another writer wins a race by writing, so somebody gets on each time.
_MOST_RACES = 20


@dataclass(frozen=True)
class RolloutRecord:
    """A rollout as it was read.

    Attributes:
        rollout: The rollout; None if there is none yet.
        record: The numbered record that it stands in.
    """

    rollout: Rollout | None
    record: NumberedRecord | None


@dataclass(frozen=True)
class RolloutRecords:
    """The rollouts of a store.

    Attributes:
        store: URI of the store.
    """

    store: str

    def newest(self) -> RolloutRecord:
        """Read the newest record."""
        newest = self._records.newest()
        return RolloutRecord(_read(newest, self._records.uri) if newest else None, newest)

    def write(self, rollout: Rollout, after: RolloutRecord) -> RolloutRecord | None:
        """Write the successor of a record.

        Args:
            rollout: What to write.
            after: The newest record as it was read.

        Returns:
            The record; None if another writer was first.
        """
        content = {
            "format": FORMAT,
            "id": uuid4().hex,
            "state": rollout.state,
            **asdict(rollout),
        }
        written = self._records.append(content, after.record)
        return RolloutRecord(rollout, written) if written else None

    def change(self, make: Callable[[Rollout | None], Rollout | None]) -> Rollout | None:
        """Write what follows from the newest record; if another writer is first, from its record.

        Args:
            make: Returns what to write; None to leave it.

        Returns:
            The newest rollout afterwards.

        Raises:
            RetrainerError: If others write all the time.
        """
        for _ in range(_MOST_RACES):
            newest = self.newest()
            changed = make(newest.rollout)
            if changed is None:
                return newest.rollout
            if written := self.write(changed, newest):
                return written.rollout
        raise RetrainerError(
            f"others write to '{self._records.uri}' all the time. Run the same command again."
        )

    def change_once(self, make: Callable[[Rollout | None], Rollout]) -> Rollout:
        """Write what a person asks for, unless another writer is first: what was seen has changed then.

        Args:
            make: Returns what to write.

        Returns:
            What was written.

        Raises:
            RetrainerError: If another writer was first.
        """
        newest = self.newest()
        changed = make(newest.rollout)
        if self.write(changed, newest) is None:
            raise RetrainerError(
                "the rollout has changed meanwhile. Check 'retrainer rollout status', then retry."
            )
        return changed

    @property
    def _records(self) -> NumberedRecords:
        return NumberedRecords(Store(self.store).rollouts_uri)


def read_promotion(store: str) -> Promotion:
    """Read which version the registry has as its champion, and who made it so."""
    newest = NumberedRecords(join(Store(store).models_uri, "aliases", CHAMPION)).newest()
    if newest is None:
        return Promotion(None)
    said = newest.content
    by = str(said.get("by") or said.get("run") or "")
    return Promotion(said["version"], newest.number, by, str(said.get("why") or ""))


def follow_registry(
    store: str, settings: RolloutSettings, actor: str, served: int | None = None
) -> Rollout | None:
    """Begin, replace or end a rollout as the registry's champion asks for it.

    Whoever deploys calls this before it plans: a plan comes from what is recorded.

    Args:
        store: URI of the store.
        settings: The section `serving.rollout`.
        actor: Who or what looks.
        served: What was deployed before there were rollouts; None if nothing was.

    Returns:
        The newest rollout; None if there is no champion, and never was.
    """

    def make(rollout: Rollout | None) -> Rollout | None:
        # Read again each time: the record that won the race may have followed a newer champion.
        return follow(rollout, read_promotion(store), settings, actor, datetime.now(UTC), served)

    return RolloutRecords(store).change(make)


def _read(record: NumberedRecord, uri: str) -> Rollout:
    content = record.content
    check_format(content, FORMAT, f"record {record.number} in '{uri}'")
    changes = (
        Change(**{**change, "state": RolloutState(change["state"])})
        for change in content["changes"]
    )
    return Rollout(
        content["canary"],
        content["stable"],
        content["promotion"],
        tuple(changes),
        tuple(content["proven"]),
        content.get("progress") or {},
    )
