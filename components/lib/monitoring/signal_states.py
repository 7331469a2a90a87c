"""The state of each signal over looks: `ok`, `suspected`, `detected`, `cleared`. Pure: values in, values out.

One breached look may be chance, and one quiet look luck. So a signal is detected by M breached looks of the newest N,
as alarm systems do it (`data_points_to_alert` of `evaluation_period` in SageMaker Model Monitor), and clears after
several quiet looks in a row; a value between `clears_at` and its bound is not quiet, which keeps one that moves around
its bound from clearing and coming back. Looks count by the span that they judged: a second look at the same span
replaces the first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from .signals import Kind, Outcome, Signal

# Their bounds hold over all looks together, or what they judge is a fact.
_AT_ONCE = frozenset({Kind.DATA, Kind.REALISED, Kind.CONCEPT})


class State(StrEnum):
    """Where a signal stands. `cleared` is `ok` again, after it was detected."""

    OK = "ok"
    SUSPECTED = "suspected"
    DETECTED = "detected"
    CLEARED = "cleared"


@dataclass(frozen=True)
class Rule:
    """When a signal is detected, and when it clears.

    Attributes:
        breaches: Number of breached looks of the newest `looks` from which it is detected.
        looks: Number of newest looks that count.
        quiet_looks: Number of quiet looks in a row after which it clears.
        cool_down_looks: Number of looks after it cleared in which it is suspected at most.
    """

    breaches: int = 2
    looks: int = 3
    quiet_looks: int = 2
    cool_down_looks: int = 0

    @classmethod
    def of(cls, section: Mapping[str, Any], kind: Kind) -> "Rule":
        """Return the rule of a kind of signal.

        Args:
            section: The section `monitoring.signals`; what it leaves out is the kind's default.
            kind: The kind.
        """
        usual = cls(1, 1, 1) if kind in _AT_ONCE else cls()
        own = (section.get("kinds") or {}).get(str(kind)) or {}
        found = {
            name: int(own.get(name) or section.get(name) or getattr(usual, name))
            for name in cls.__dataclass_fields__
        }
        # A longer count of looks is implied where only the breaches are set.
        return cls(**{**found, "looks": max(found["looks"], found["breaches"])})


@dataclass(frozen=True)
class Judged:
    """How one look judged a signal.

    Attributes:
        window: Name of the newest span that was judged.
        outcome: The outcome.
        quiet: Whether the value was well on the right side of its bound.
    """

    window: str
    outcome: Outcome
    quiet: bool


@dataclass(frozen=True)
class SignalState:
    """Where a signal stands after a look.

    Attributes:
        name: The signal's name.
        kind: Its kind.
        state: Its state.
        since: When it came into this state: ISO 8601, UTC.
        look: Number of the look that brought it there; with the name, it identifies a detection for ever.
        champion: The version that was judged.
        recent: The newest looks at it, oldest first.
        cool_down: Number of looks in which it is suspected at most.
        last: The signal as it was last judged.
    """

    name: str
    kind: Kind
    state: State
    since: str
    look: int
    champion: int
    recent: tuple[Judged, ...]
    cool_down: int
    last: Signal

    def content(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "state": str(self.state),
            "since": self.since,
            "look": self.look,
            "champion": self.champion,
            "recent": [[one.window, str(one.outcome), one.quiet] for one in self.recent],
            "cool_down": self.cool_down,
            "last": self.last.content(),
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "SignalState":
        """Read what `content` returned."""
        last = Signal.of(content["last"])
        recent = (Judged(window, Outcome(how), quiet) for window, how, quiet in content["recent"])
        return cls(
            last.name,
            last.kind,
            State(content["state"]),
            content["since"],
            content["look"],
            content["champion"],
            tuple(recent),
            content["cool_down"],
            last,
        )


@dataclass(frozen=True)
class Change:
    """A signal came into another state.

    Attributes:
        name: The signal's name.
        before: The state before.
        after: The state after.
        look: Number of the look.
        at: When: ISO 8601, UTC.
        champion: The version that was judged.
        why: One sentence.
    """

    name: str
    before: State
    after: State
    look: int
    at: str
    champion: int
    why: str


@dataclass(frozen=True)
class Looked:
    """What states need to know of a look.

    Attributes:
        number: Its number.
        window: Name of the newest span that it judged.
        at: When it was: ISO 8601, UTC.
        champion: The version that it judged.
    """

    number: int
    window: str
    at: str
    champion: int


def follow(
    before: Mapping[str, SignalState],
    signals: Iterable[Signal],
    looked: Looked,
    section: Mapping[str, Any],
) -> tuple[dict[str, SignalState], list[Change]]:
    """Return the states after a look.

    A new champion's own window is its reference, so what was found of the champion before says nothing of it: its
    states begin at `ok`. Broken data is broken whoever is champion.

    Args:
        before: The states before it, by name.
        signals: What it found.
        looked: The look.
        section: The section `monitoring.signals`.

    Returns:
        The states by name, and what changed.
    """
    states: dict[str, SignalState] = {}
    changes: list[Change] = []
    given = {one.name: one for one in signals}
    for name, old in before.items():
        if name not in given and _is_only_a_reason(old):
            continue
        if old.champion == looked.champion or (old.kind == Kind.DATA and name in given):
            states[name] = replace(old, champion=looked.champion)
        elif old.state in (State.SUSPECTED, State.DETECTED):
            why = f"version {looked.champion} is champion now, and judged by a reference of its own"
            changes.append(_change(name, old.state, State.CLEARED, looked, why))
    for name, signal in given.items():
        known = states.get(name)
        after = _judge(known, signal, looked, Rule.of(section, signal.kind))
        if after.state != (known.state if known else State.OK):
            earlier = known.state if known else State.OK
            changes.append(_change(name, earlier, after.state, looked, signal.meaning))
        states[name] = after
    return states, changes


def _is_only_a_reason(old: SignalState) -> bool:
    """Return whether it says why nothing could be judged; once a look does not say it any more, it is not true."""
    silent = old.last.outcome == Outcome.SILENT
    return silent and old.state == State.OK and not old.cool_down


def _judge(old: SignalState | None, signal: Signal, looked: Looked, rule: Rule) -> SignalState:
    if old is None:
        old = SignalState(
            signal.name,
            signal.kind,
            State.OK,
            looked.at,
            looked.number,
            looked.champion,
            (),
            0,
            signal,
        )
    entry = Judged(signal.window or looked.window, signal.outcome, signal.is_quiet)
    again = any(one.window == entry.window for one in old.recent)
    recent = [entry if one.window == entry.window else one for one in old.recent]
    if not again:
        recent.append(entry)
    recent = recent[-max(rule.looks, rule.quiet_looks, 1) :]
    cool_down = old.cool_down if again else max(0, old.cool_down - 1)
    state = _next(old.state, recent, rule, old.cool_down > 0)
    if state == State.CLEARED and old.state == State.DETECTED:
        # Breaches from before it cleared are done with.
        recent, cool_down = recent[-1:], rule.cool_down_looks
    moved = state != old.state
    return replace(
        old,
        state=state,
        since=looked.at if moved else old.since,
        look=looked.number if moved else old.look,
        champion=looked.champion,
        recent=tuple(recent),
        cool_down=cool_down,
        last=signal,
    )


def _next(state: State, recent: Sequence[Judged], rule: Rule, cooling: bool) -> State:
    quiet = _quiet_run(recent) >= rule.quiet_looks
    if state == State.DETECTED:
        return State.CLEARED if quiet else State.DETECTED
    newest = recent[-rule.looks :]
    breaches = sum(one.outcome == Outcome.BREACHED for one in newest)
    if breaches >= rule.breaches and newest[-1].outcome == Outcome.BREACHED and not cooling:
        return State.DETECTED
    if breaches and not quiet:
        return State.SUSPECTED
    if state == State.CLEARED and (cooling or newest[-1].outcome != Outcome.OK):
        return State.CLEARED
    return State.OK


def _quiet_run(recent: Sequence[Judged]) -> int:
    """Count the quiet looks at the end; a silent one neither counts nor ends the run."""
    count = 0
    for one in reversed(recent):
        if one.outcome == Outcome.SILENT:
            continue
        if not one.quiet:
            break
        count += 1
    return count


def _change(name: str, before: State, after: State, looked: Looked, why: str) -> Change:
    return Change(name, before, after, looked.number, looked.at, looked.champion, why)
