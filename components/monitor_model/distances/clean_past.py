"""Which earlier spans show what is usual: not those with broken data, and none from before the world changed.

While a signal is suspected or detected, the spans that breached it are left out: what is usual stays what was. When a
new champion comes while it is detected, it was trained on the new world, which begins with the first breached span:
spans before that are left out from then on, so that the same drift is not found again.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ...lib.monitoring.looks import LookRecord, Looks
from ...lib.monitoring.signal_states import SignalState, State, follow
from ...lib.monitoring.signals import Kind, Outcome
from ..look import Look

_OPEN = frozenset({State.SUSPECTED, State.DETECTED})


@dataclass(frozen=True)
class CleanPast:
    """What the looks say of earlier spans.

    Attributes:
        broken: Spans in which a column's data was broken, by column.
        breached: Spans that a signal that is open now breached, by signal.
        began: The first span of the present world, by signal; a signal that never changed it is left out.
    """

    broken: Mapping[str, Collection[str]] = field(default_factory=dict)
    breached: Mapping[str, Collection[str]] = field(default_factory=dict)
    began: Mapping[str, str] = field(default_factory=dict)

    def is_clean(self, span: str, column: str, signal: str, order: Mapping[str, int]) -> bool:
        """Return whether a span shows what is usual.

        Args:
            span: Its name.
            column: The column.
            signal: The signal's name.
            order: Place of each span in time.
        """
        if span in self.broken.get(column, ()) or span in self.breached.get(signal, ()):
            return False
        began = self.began.get(signal)
        return began is None or order[span] >= order.get(began, -1)

    def is_whole(self, span: str) -> bool:
        """Return whether no column was broken in a span: what a model answered to broken data is no usual answer."""
        return not any(span in spans for spans in self.broken.values())


def read_clean_past(look: Look) -> CleanPast:
    """Read from the looks of the past which spans show what is usual."""
    judged = {prediction_set.span for prediction_set in look.current}
    # A span is judged again when its labels come, or rows that are late.
    records = [
        record
        for record in Looks(look.store).history(len(look.earlier) + len(look.current))
        if record.window not in judged
    ]
    return _follow(look, records)


def _follow(look: Look, records: list[LookRecord]) -> CleanPast:
    rules = look.section("signals")
    states: dict[str, SignalState] = {}
    broken: dict[str, set[str]] = {}
    runs: dict[str, dict[str, bool]] = {}
    began: dict[str, str] = {}
    champion = None
    for record in records:
        if champion not in (None, record.champion):
            began |= _worlds(states, runs)
        champion = record.champion
        states = follow(states, record.signals, record.looked, rules)[0]
        for signal in record.signals:
            window = signal.window or record.window
            is_breached = signal.outcome == Outcome.BREACHED
            column = signal.evidence.get("column")
            if signal.kind == Kind.DATA and is_breached and column:
                broken.setdefault(str(column), set()).add(window)
            if states[signal.name].state in _OPEN:
                runs.setdefault(signal.name, {})[window] = is_breached
            else:
                runs.pop(signal.name, None)
    if champion not in (None, look.model.version):
        began |= _worlds(states, runs)
        runs = {}
    breached = {name: {one for one, is_so in run.items() if is_so} for name, run in runs.items()}
    return CleanPast(broken, breached, began)


def _worlds(
    states: Mapping[str, SignalState], runs: Mapping[str, Mapping[str, bool]]
) -> dict[str, str]:
    """Return the first breached span of each signal that is detected when another champion comes."""
    return {
        name: next(iter(run))
        for name, run in runs.items()
        if name in states and states[name].state == State.DETECTED
    }
