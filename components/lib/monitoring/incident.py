"""An incident: signals that were detected for one champion, and what was done about them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..errors import RetrainerError
from ..words import plural
from .signals import Kind

_MOST_MEANINGS = 2
_RANKS = {
    str(kind): rank
    for rank, kind in enumerate(
        (
            Kind.DATA,
            Kind.REALISED,
            Kind.ESTIMATED,
            Kind.CONCEPT,
            Kind.PREDICTION_DRIFT,
            Kind.SKEW,
            Kind.DRIFT,
            Kind.ATTRIBUTION,
        )
    )
}


class Group(StrEnum):
    """The causes that incidents are kept apart by: what is done about them differs.

    `data`: the data of serving is broken, which no training repairs. `model`: the world is another one than the model
    was trained on, or the model answers worse than it did.
    """

    DATA = "data"
    MODEL = "model"

    @classmethod
    def of(cls, kind: str) -> "Group":
        """Return the group of a signal's kind."""
        return cls.DATA if kind == Kind.DATA else cls.MODEL


class IncidentState(StrEnum):
    """The state of an incident. RESOLVED is the only one that it does not leave."""

    OPEN = "open"
    RETRAINING = "retraining"
    RESOLVED = "resolved"
    ESCALATED = "escalated"
    NEEDS_A_PERSON = "needs_a_person"
    DATA_BROKEN = "data_broken"


@dataclass(frozen=True)
class Detection:
    """A signal that was detected.

    Attributes:
        name: The signal's name, `kind/subject`.
        since: Identifies the change of its state to `detected`: the same in each look that sees the same detection.
        meaning: What it means, with the figures of the look that detected it.
        value: What was measured.
        bound: What that is judged against.
    """

    name: str
    since: str
    meaning: str
    value: float | None = None
    bound: float | None = None

    @property
    def kind(self) -> str:
        """The signal's kind."""
        return self.name.partition("/")[0]

    @property
    def key(self) -> tuple[str, str]:
        """What distinguishes it from other detections of the same signal."""
        return self.name, self.since


@dataclass(frozen=True)
class Change:
    """A change of an incident.

    Attributes:
        state: The state from then on.
        at: When, in ISO 8601, UTC.
        reason: Why, in a sentence.
        actor: Who or what changed it: a run, a user, the trigger service.
    """

    state: IncidentState
    at: str
    reason: str
    actor: str = ""


@dataclass(frozen=True)
class Incident:
    """An incident.

    Attributes:
        id: Its name in the store, `v<champion>-<group>-<n>`.
        group: The group of its signals.
        champion: The version of the model that they were detected for.
        detections: The signals, in the order in which they were detected.
        changes: Every change, the oldest first.
        wants_run: Whether a run is to be started for it.
        run: Name of the run that was started for it; empty before.
        pushed: The version that this run pushed; None if it has not.
        by_hand: Whether a person asked for the run, whatever the section `retraining` says.
    """

    id: str
    group: Group
    champion: int
    detections: tuple[Detection, ...]
    changes: tuple[Change, ...]
    wants_run: bool = False
    run: str = ""
    pushed: int | None = None
    by_hand: bool = False

    @property
    def state(self) -> IncidentState:
        """Its state now."""
        return self.changes[-1].state

    @property
    def reason(self) -> str:
        """Why it has this state."""
        return self.changes[-1].reason

    @property
    def opened(self) -> str:
        """When it was opened, in ISO 8601, UTC."""
        return self.changes[0].at

    @property
    def since(self) -> str:
        """When it came to its present state, in ISO 8601, UTC."""
        at = self.changes[-1].at
        for change in reversed(self.changes):
            if change.state != self.state:
                break
            at = change.at
        return at

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.state == IncidentState.RESOLVED

    @property
    def title(self) -> str:
        """The incident in a line: its state, and the signals."""
        names = [detection.name for detection in self.detections]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"{self.id}: {', '.join(names[:3])}{more}"

    def covers(self, detection: Detection) -> bool:
        """Return whether a detection is one of this incident's."""
        return any(one.key == detection.key for one in self.detections)

    def changed(
        self, state: IncidentState, at: datetime, reason: str, actor: str = "", **values: Any
    ) -> "Incident":
        """Return the incident after a change.

        Args:
            state: The state from now on.
            at: The time. One before the last change, by a clock that is behind, counts as that change's.
            reason: Why.
            actor: Who or what changes it.
            values: Other attributes that change.
        """
        moment = max(_to_text(at), self.changes[-1].at)
        return replace(
            self, changes=(*self.changes, Change(state, moment, reason, actor)), **values
        )

    def joined(self, detections: Iterable[Detection]) -> "Incident":
        """Return the incident with detections that belong to it, too."""
        found = {one.key: one for one in (*detections, *self.detections)}
        new = tuple(one for one in found.values() if not self.covers(one))
        return replace(self, detections=(*self.detections, *new))

    def content(self) -> dict[str, Any]:
        """Return the incident as JSON values."""
        return {
            **asdict(self),
            "state": str(self.state),
            "reason": self.reason,
            "opened": self.opened,
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Incident":
        """Read an incident.

        Args:
            content: What `content` returned; unknown keys are ignored.

        Raises:
            RetrainerError: If it is no incident.
        """
        try:
            if not content["changes"]:
                raise ValueError("it has no changes")
            return cls(
                str(content["id"]),
                Group(content["group"]),
                int(content["champion"]),
                tuple(_detection(one) for one in content["detections"]),
                tuple(
                    Change(
                        IncidentState(change["state"]),
                        _moment(change["at"]),
                        str(change["reason"]),
                        str(change.get("actor") or ""),
                    )
                    for change in content["changes"]
                ),
                bool(content.get("wants_run")),
                str(content.get("run") or ""),
                None if content.get("pushed") is None else int(content["pushed"]),
                bool(content.get("by_hand")),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RetrainerError(
                f"this is no incident that retrainer wrote ({type(error).__name__}: {error}): {content!r:.200}"
            ) from error


def opened(
    identity: str,
    group: Group,
    champion: int,
    detections: Iterable[Detection],
    at: datetime,
    actor: str = "",
) -> Incident:
    """Return a new incident.

    Args:
        identity: Its id.
        group: The group of its signals.
        champion: The version that they were detected for.
        detections: The signals.
        at: The time.
        actor: Who or what opens it.
    """
    found = tuple(detections)
    state = IncidentState.DATA_BROKEN if group == Group.DATA else IncidentState.OPEN
    reason = describe(found)
    return Incident(identity, group, champion, found, (Change(state, _to_text(at), reason, actor),))


def describe(detections: Sequence[Detection]) -> str:
    """Describe detections in a sentence or a few: what the gravest of them mean, and how many more there are.

    Args:
        detections: The detections.
    """
    # What was lost comes before what may have caused it, and the whole before its slices.
    ordered = sorted(
        detections, key=lambda detection: (_RANKS.get(detection.kind, 0), len(detection.name))
    )
    shown = [one.meaning.rstrip(".") for one in ordered[:_MOST_MEANINGS]]
    left = len(detections) - len(shown)
    return "; ".join([*shown, *([f"and {plural(left, 'more signal')}"] if left else [])])


def _detection(content: Mapping[str, Any]) -> Detection:
    numbers = {
        name: None if content.get(name) is None else float(content[name])
        for name in ("value", "bound")
    }
    return Detection(
        str(content["name"]), str(content["since"]), str(content["meaning"]), **numbers
    )


def _to_text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _moment(text: Any) -> str:
    datetime.fromisoformat(text)
    return str(text)
