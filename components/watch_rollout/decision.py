"""What a look decides: back, on, or wait, and the reason in a sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..lib.serving.rollout_settings import RolloutSettings, Stage
from ..lib.serving.rollout_state import Rollout, RolloutState
from ..lib.words import plural


@dataclass(frozen=True)
class GuardReading:
    """What a guard says.

    Attributes:
        name: Its name in `serving.rollout.guards`.
        violated: Whether the evidence against the canary is enough.
        rows: How many rows of the canary it compared in this stage.
        min_rows: How many it needs before the rollout goes on.
        words: What it saw, in words.
    """

    name: str
    violated: bool
    rows: int
    min_rows: int
    words: str


@dataclass(frozen=True)
class Look:
    """What was observed of a rollout.

    Attributes:
        requests: Requests of the canary in this stage.
        newest: When the newest of them was answered, in ISO 8601; empty if there is none.
        guards: What each guard says.
    """

    requests: int
    newest: str
    guards: Sequence[GuardReading]


@dataclass(frozen=True)
class Decision:
    """What follows from a look.

    Attributes:
        rollout: The rollout afterwards.
        waiting: Why it does not go on; empty if its state changed.
    """

    rollout: Rollout
    waiting: tuple[str, ...] = ()


def decide(
    rollout: Rollout, settings: RolloutSettings, look: Look, actor: str, now: datetime
) -> Decision:
    """Decide whether a rollout goes back, on, or waits.

    Args:
        rollout: A rollout in a stage.
        settings: The section `serving.rollout`.
        look: What was observed.
        actor: Who looks.
        now: The time.
    """
    violated = [guard for guard in look.guards if guard.violated]
    if violated:
        reason = "; ".join(one.words for one in violated)
        return Decision(rollout.aborted(f"a guard is violated: {reason}", actor, now))
    # A stage that the settings have no more is left with the first data.
    stage = rollout.stage(settings) or Stage(rollout.percent, 0, 1)
    elapsed = (now - datetime.fromisoformat(rollout.since)).total_seconds()
    waiting = []
    if elapsed < 0:
        waiting.append(
            f"this machine's clock is {-elapsed:.0f} s behind the one that recorded the stage's begin, {rollout.since}"
        )
    elif elapsed < stage.hold_seconds:
        waiting.append(f"the stage lasts {math.ceil(stage.hold_seconds - elapsed)} s more")
    missing = _missing(stage, look, rollout.since)
    if missing and settings.give_up_seconds and elapsed >= settings.give_up_seconds:
        reason = f"given up after {elapsed:.0f} s: {'; '.join(missing)}"
        return Decision(rollout.aborted(reason, actor, now))
    if waiting or missing:
        return Decision(rollout, (*waiting, *missing))
    what = "as shadow" if rollout.state == RolloutState.SHADOW else f"at {rollout.percent} %"
    reason = (
        f"passed {what}: {plural(look.requests, 'request')} in {elapsed:.0f} s, no guard is violated ("
        f"{'; '.join(guard.words for guard in look.guards)})"
    )
    return Decision(rollout.advanced(settings, reason, actor, now))


def _missing(stage: Stage, look: Look, since: str) -> list[str]:
    missing = []
    if not look.requests:
        missing.append(f"no observations of the new version since {since}")
    elif look.requests < stage.min_requests:
        missing.append(
            f"{look.requests:,} of {stage.min_requests:,} requests of the new version observed, the newest at "
            f"{look.newest}"
        )
    # Where the new version answers everything, there is nothing to compare it with.
    if stage.percent < 100 and look.requests:
        missing.extend(
            f"{guard.name} has compared {guard.rows:,} of {guard.min_rows:,} rows of the new version in this stage"
            for guard in look.guards
            if guard.rows < guard.min_rows
        )
    return missing
