"""The states of a rollout and the changes between them: plain functions over records, without a store or a service.

`shadow` and `canary` are stages, in which the version that served before answers the other requests. `promoting`: every
stage is passed, and the services are brought to the new version alone. `serving` and `rolled_back` are ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from .rollout_settings import RolloutSettings, Stage


class RolloutState(StrEnum):
    """Where a rollout stands."""

    SHADOW = "shadow"
    CANARY = "canary"
    PROMOTING = "promoting"
    SERVING = "serving"
    ROLLED_BACK = "rolled_back"


_STAGES = (RolloutState.SHADOW, RolloutState.CANARY)
_MOST_PROVEN = 50
ENDS = (RolloutState.SERVING, RolloutState.ROLLED_BACK)


@dataclass(frozen=True)
class Promotion:
    """What the registry says of its champion.

    Attributes:
        version: The champion; None for none.
        number: How many times the alias moved; by it a second promotion of a version is another one.
        by: Who moved it there: a user, or a run.
        why: The reason that was given.
    """

    version: int | None
    number: int = 0
    by: str = ""
    why: str = ""


@dataclass(frozen=True)
class Change:
    """A change of a rollout's state.

    Attributes:
        state: The state after it.
        percent: Share of the requests that the canary answers from then on.
        at: When, in ISO 8601, UTC.
        reason: Why, one sentence.
        actor: Who or what changed it.
    """

    state: RolloutState
    percent: int
    at: str
    reason: str
    actor: str


@dataclass(frozen=True)
class Rollout:
    """A rollout of one version.

    Attributes:
        canary: The version that is rolled out.
        stable: The version that served before; None if none did.
        promotion: Number of the alias record that made the canary the champion.
        changes: Every change of state, oldest first.
        proven: Versions that served all requests before; one of them gets them back without stages.
        progress: What was observed in it, as JSON values that the watcher alone reads.
    """

    canary: int
    stable: int | None
    promotion: int
    changes: tuple[Change, ...]
    proven: tuple[int, ...] = ()
    progress: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> RolloutState:
        """Where it stands."""
        return self.changes[-1].state

    @property
    def percent(self) -> int:
        """Share of the requests that the canary answers."""
        return self.changes[-1].percent

    @property
    def since(self) -> str:
        """When it came to where it stands."""
        return self.changes[-1].at

    @property
    def ended(self) -> bool:
        """Whether it came to an end."""
        return self.state in ENDS

    @property
    def in_stage(self) -> bool:
        """Whether two versions serve."""
        return self.state in _STAGES

    @property
    def serving(self) -> int | None:
        """The version that answers what a canary does not."""
        new = self.state in (RolloutState.SERVING, RolloutState.PROMOTING)
        return self.canary if new else self.stable

    def describe(self) -> str:
        """Describe where it stands, such as `version 8 has 5 % of the requests`."""
        words = {
            RolloutState.SHADOW: "gets copies of the requests",
            RolloutState.CANARY: f"has {self.percent} % of the requests",
            RolloutState.PROMOTING: "is being brought to all requests",
            RolloutState.SERVING: "serves all requests",
            RolloutState.ROLLED_BACK: "was rolled back",
        }
        return f"version {self.canary} {words[self.state]}"

    def stage(self, settings: RolloutSettings) -> Stage | None:
        """Return the settings of the stage that it is in; None if the settings have no such stage any more."""
        if self.state == RolloutState.SHADOW:
            return settings.shadow
        return next((step for step in settings.steps if step.percent == self.percent), None)

    def changed(
        self, state: RolloutState, percent: int, reason: str, actor: str, now: datetime
    ) -> "Rollout":
        """Return the rollout after a change of its state."""
        change = Change(state, percent, to_text(now), reason, actor)
        return replace(self, changes=(*self.changes, change))

    def aborted(self, reason: str, actor: str, now: datetime) -> "Rollout":
        """Return the rollout after it was rolled back."""
        return self.changed(RolloutState.ROLLED_BACK, 0, reason, actor, now)

    def advanced(
        self, settings: RolloutSettings, reason: str, actor: str, now: datetime, last: bool = False
    ) -> "Rollout":
        """Return the rollout in its next stage, which is `promoting` after the last one.

        Args:
            settings: The stages as they are configured now; the next one is the first with a larger share.
            reason: Why it goes on.
            actor: Who or what decided it.
            now: The time of the change.
            last: Whether to leave out the stages between.
        """
        steps = [] if last else [step for step in settings.steps if step.percent > self.percent]
        if not steps:
            return self.changed(RolloutState.PROMOTING, 100, reason, actor, now)
        return self.changed(RolloutState.CANARY, steps[0].percent, reason, actor, now)


@dataclass(frozen=True)
class Split:
    """Which versions serve, by their numbers; see `Plan`."""

    stable: int | None
    canary: int | None = None
    percent: int = 0
    shadow: bool = False


def split_of(rollout: Rollout | None, champion: int | None) -> Split:
    """Return which versions serve by a rollout's record.

    Args:
        rollout: The newest record; None if there never was a rollout.
        champion: The registry's champion. Without one nothing serves; one that no rollout has begun with does not
            serve yet.
    """
    if champion is None:
        return Split(None)
    if rollout is None:
        return Split(champion)
    if not rollout.in_stage:
        return Split(rollout.serving)
    shadow = rollout.state == RolloutState.SHADOW
    return Split(rollout.stable, rollout.canary, rollout.percent, shadow)


def follow(
    rollout: Rollout | None,
    champion: Promotion,
    settings: RolloutSettings,
    actor: str,
    now: datetime,
    served: int | None = None,
) -> Rollout | None:
    """Return the record that follows from what happened in the registry.

    A new champion begins a rollout. In the middle of another one it takes that one's place, and the version that serves
    stays the baseline. A champion that was rolled back ends its rollout. One that served before serves at once. The
    same promotion never begins twice.

    Args:
        rollout: The newest record; None if there never was a rollout.
        champion: The registry's champion.
        settings: The section `serving.rollout`.
        actor: Who or what looks.
        now: The time.
        served: What was deployed before there were rollouts.

    Returns:
        The new record; None if nothing changed.
    """
    if rollout is None:
        if champion.version is None:
            return None
        return _begin(champion, served, (), settings, actor, now)
    if champion.number <= rollout.promotion:
        return None
    if champion.version == rollout.canary and rollout.state != RolloutState.ROLLED_BACK:
        # It was promoted again, which changes nothing.
        return replace(rollout, promotion=champion.number)
    if champion.version is None or champion.version == rollout.serving:
        if rollout.ended:
            return None
        by = f" by {champion.by}" if champion.by else ""
        what = (
            "the registry has no champion any more"
            if champion.version is None
            else f"the registry went back to version {champion.version}"
        )
        reason = f"{what}{by}" + (f": {champion.why}" if champion.why else "")
        return rollout.aborted(reason, actor, now)
    begun = _begin(champion, rollout.serving, rollout.proven, settings, actor, now)
    if rollout.in_stage:
        first = begun.changes[0]
        reason = f"{first.reason}; it takes the place of version {rollout.canary}, whose rollout was not finished"
        return replace(begun, changes=(replace(first, reason=reason),))
    return begun


def _begin(
    champion: Promotion,
    stable: int | None,
    proven: tuple[int, ...],
    settings: RolloutSettings,
    actor: str,
    now: datetime,
) -> Rollout:
    version = champion.version
    assert version is not None
    state, percent = RolloutState.PROMOTING, 100
    if stable is None:
        reason = f"version {version} is the first to serve, so there is nothing to compare it with"
    elif stable == version:
        reason = f"version {version} serves already"
    elif version in proven:
        # A rollback must not take the hours that a rollout takes.
        reason = f"version {version} became the champion again and served all requests before"
    else:
        reason = f"version {version} became the champion"
        first = settings.stages[0]
        state = RolloutState.SHADOW if settings.shadow else RolloutState.CANARY
        percent = first.percent
    if stable is not None:
        proven = (*(one for one in proven if one != stable), stable)[-_MOST_PROVEN:]
    change = Change(state, percent, to_text(now), reason, actor)
    return Rollout(version, stable, champion.number, (change,), proven)


def to_text(moment: datetime) -> str:
    """Write a time as records have it."""
    return moment.isoformat(timespec="seconds")
