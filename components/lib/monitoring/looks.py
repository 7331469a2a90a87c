"""Looks of monitoring in the store: what each found, and the states that follow from them.

A look is written first, then the states after it, each as the successor of the newest record that its writer read. The
states are made of the looks alone: whoever comes next folds in the looks that a killed process left without states. Of
two processes that look at the same spans one writes the look, and the other takes it.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from ..errors import RetrainerError
from ..numbered_records import NumberedRecord, NumberedRecords
from ..record_format import check_format
from ..store import Store
from .signal_states import Change, Looked, SignalState, State, follow
from .signals import Signal

FORMAT = 1
_READERS = 16
# The longest past that a look is compared with, `monitoring.window.earlier`.
_MOST_WINDOWS = 1_000
# Another writer wins a race by writing, so somebody gets on each time.
_MOST_RACES = 50


@dataclass(frozen=True)
class LookRecord:
    """A look as the store keeps it.

    Attributes:
        number: Its number, from 1; 0 before it is written.
        key: Digest of what was judged, and how; equal looks are one.
        window: Name of the newest span that was judged.
        champion: The version that was judged.
        at: When: ISO 8601, UTC.
        signals: What was found.
        spans: Version and rows of each span that was judged, by span.
        errors: Why checks could not judge; a look with errors is repeated.
        by: The run or user that looked.
        about: Further JSON values for readers.
        before: Number of the newest look at each of the newest windows before, by window; filled in when it is written.
    """

    key: str
    window: str
    champion: int
    at: str
    signals: tuple[Signal, ...]
    spans: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    by: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, int] = field(default_factory=dict)
    number: int = 0

    @property
    def looked(self) -> Looked:
        """What states need to know of it."""
        return Looked(self.number, self.window, self.at, self.champion)

    def content(self) -> dict[str, Any]:
        """Return the look as JSON values."""
        return {
            "format": FORMAT,
            "key": self.key,
            "window": self.window,
            "champion": self.champion,
            "at": self.at,
            "by": self.by,
            "spans": {name: dict(span) for name, span in self.spans.items()},
            "errors": list(self.errors),
            "about": dict(self.about),
            "before": dict(self.before),
            "signals": [signal.content() for signal in self.signals],
        }

    @classmethod
    def of(cls, record: NumberedRecord, uri: str) -> "LookRecord":
        """Read a record.

        Raises:
            RetrainerError: If its format is another, or it is damaged.
        """
        content = record.content
        check_format(content, FORMAT, f"record {record.number} in '{uri}'")
        with NumberedRecords(uri).reading(record):
            datetime.fromisoformat(content["at"])
            return cls(
                content["key"],
                content["window"],
                content["champion"],
                content["at"],
                tuple(Signal.of(one) for one in content["signals"]),
                content.get("spans") or {},
                tuple(content.get("errors") or ()),
                content.get("by") or "",
                content.get("about") or {},
                content.get("before") or {},
                record.number,
            )


@dataclass(frozen=True)
class StateRecord:
    """The states after a look.

    Attributes:
        number: Number of the record.
        look: Number of the look; all looks up to it are folded in.
        states: State of each signal, by name.
        changes: What the look changed.
        window: Name of the newest span that it judged.
        champion: The version that it judged.
        at: When it was.
    """

    number: int = 0
    look: int = 0
    states: Mapping[str, SignalState] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    window: str = ""
    champion: int | None = None
    at: str = ""

    def detected(self) -> list[SignalState]:
        """List the signals that are detected now."""
        return [state for state in self.states.values() if state.state == State.DETECTED]


@dataclass(frozen=True)
class Looks:
    """The looks of a store.

    Attributes:
        store: URI of the store.
    """

    store: str

    def newest(self, count: int) -> list[LookRecord]:
        """Read the newest looks, oldest first.

        Args:
            count: How many at most.
        """
        return self._read(self._looks.numbers()[-count:])

    def history(self, windows: int) -> list[LookRecord]:
        """Read the newest look at each of the newest windows, oldest first.

        A window is looked at again each time that labels come, so the newest looks may all be at one of them.

        Args:
            windows: How many windows at most.
        """
        newest = self._looks.newest()
        if newest is None:
            return []
        last = LookRecord.of(newest, self._looks.uri)
        numbers = [one for window, one in last.before.items() if window != last.window]
        earlier = sorted(numbers)[-(windows - 1) :] if windows > 1 else []
        return [*self._read(earlier), last]

    def since(self, number: int) -> list[LookRecord]:
        """Read the looks after a number, oldest first."""
        return self._read([one for one in self._looks.numbers() if one > number])

    def add(self, look: LookRecord, known: int = 0) -> LookRecord:
        """Write a look, unless another process has written an equal one.

        Args:
            look: The look.
            known: Number of the newest look that the caller compared it with; later ones are compared here.

        Returns:
            The look as it is in the store.

        Raises:
            RetrainerError: If others write all the time.
        """
        for _ in range(_MOST_RACES):
            newest = self._looks.newest()
            for other in self.since(known):
                if other.key == look.key and not other.errors:
                    return other
                known = max(known, other.number)
            if newest and newest.number < known:
                continue
            content = {**look.content(), "before": _windows_of(newest), "id": uuid4().hex}
            if made := self._looks.append(content, newest):
                return LookRecord.of(made, self._looks.uri)
        raise RetrainerError(
            f"others write to '{self._looks.uri}' all the time. Run the same again."
        )

    def states(self) -> StateRecord:
        """Read the newest states; without a look there are none."""
        newest = self._states.newest()
        return self._state_of(newest) if newest else StateRecord()

    def states_since(self, number: int) -> list[StateRecord]:
        """Read the records of states after a number, oldest first: every change since."""
        numbers = [one for one in self._states.numbers() if one > number]
        with ThreadPoolExecutor(_READERS) as pool:
            return [self._state_of(one) for one in pool.map(self._states.get, numbers)]

    def fold(self, section: Mapping[str, Any]) -> StateRecord:
        """Write the states after each look that has none yet.

        Args:
            section: The section `monitoring.signals`.

        Returns:
            The newest states.

        Raises:
            RetrainerError: If others write all the time.
        """
        lost = 0
        newest = self._states.newest()
        known = self._state_of(newest) if newest else StateRecord()
        looks = self.since(known.look)
        while looks:
            look = looks.pop(0)
            states, changes = follow(known.states, look.signals, look.looked, section)
            content = {
                "format": FORMAT,
                "id": uuid4().hex,
                "look": look.number,
                "window": look.window,
                "champion": look.champion,
                "at": look.at,
                "changes": [asdict(change) for change in changes],
                "states": {name: state.content() for name, state in states.items()},
            }
            if made := self._states.append(content, newest):
                newest, known = made, self._state_of(made)
                continue
            lost += 1
            if lost > _MOST_RACES:
                uri = self._states.uri
                raise RetrainerError(f"others write to '{uri}' all the time. Run the same again.")
            newest = self._states.newest()
            known = self._state_of(newest) if newest else StateRecord()
            looks = self.since(known.look)
        return known

    def _read(self, numbers: list[int]) -> list[LookRecord]:
        with ThreadPoolExecutor(_READERS) as pool:
            found = pool.map(self._looks.get, numbers)
            return [LookRecord.of(one, self._looks.uri) for one in found]

    def _state_of(self, record: NumberedRecord) -> StateRecord:
        content = record.content
        check_format(content, FORMAT, f"record {record.number} in '{self._states.uri}'")
        with self._states.reading(record):
            datetime.fromisoformat(content["at"])
            changes = (
                Change(
                    **{**change, "before": State(change["before"]), "after": State(change["after"])}
                )
                for change in content["changes"]
            )
            return StateRecord(
                record.number,
                content["look"],
                {name: SignalState.of(one) for name, one in content["states"].items()},
                tuple(changes),
                content["window"],
                content["champion"],
                content["at"],
            )

    @property
    def _looks(self) -> NumberedRecords:
        return NumberedRecords(Store(self.store).looks_uri)

    @property
    def _states(self) -> NumberedRecords:
        return NumberedRecords(Store(self.store).signal_states_uri)


def _windows_of(newest: NumberedRecord | None) -> dict[str, int]:
    """Return the newest look at each window up to a record, as its successor keeps it."""
    if newest is None:
        return {}
    before = dict(newest.content.get("before") or {})
    # The window that was looked at last goes to the end.
    before.pop(newest.content["window"], None)
    found = {**before, newest.content["window"]: newest.number}
    return dict(list(found.items())[-_MOST_WINDOWS:])
