"""The signals after the newest look, as incidents follow them."""

from collections.abc import Sequence

from .incident import Detection
from .incidents import Seen
from .looks import Looks, StateRecord
from .retraining_settings import RetrainingSettings
from .signal_states import State
from .signals import Outcome

# Looks at the same spans count once, so more are read than have to agree.
_READ_FOR_EACH = 4
# A run that is late catches up look by look; what was detected and cleared meanwhile is put on record, too.
_LOOKED_BACK = 40


def read_seen(store: str, settings: RetrainingSettings | None = None) -> Seen | None:
    """Read the signals after the newest look.

    Args:
        store: URI of the store.
        settings: The section `retraining`; its `confirm_looks` says how many looks have to be counted.

    Returns:
        The signals; None without a look.
    """
    looks = Looks(store)
    state = looks.states()
    if state.champion is None:
        return None
    most = (settings or RetrainingSettings()).confirm_looks
    windows: dict[str, set[str]] = {}
    for look in looks.newest(most * _READ_FOR_EACH):
        if look.champion != state.champion or look.number > state.look:
            continue
        windows.setdefault("", set()).add(look.window)
        for signal in look.signals:
            if signal.outcome != Outcome.SILENT:
                windows.setdefault(signal.name, set()).add(signal.window or look.window)
    counted = {name: len(found) for name, found in windows.items()}
    every = counted.pop("", 0)
    now = detections(state)
    return Seen(state.champion, every, now, counted, _passed(looks, state, now))


def _passed(looks: Looks, state: StateRecord, now: Sequence[Detection]) -> tuple[Detection, ...]:
    """List what was detected for the champion and has cleared, such as between two looks of one late run."""
    there = {detection.key for detection in now}
    found = (
        Detection(change.name, str(change.look), change.why)
        for record in looks.states_since(max(0, state.number - _LOOKED_BACK))
        for change in record.changes
        if change.after == State.DETECTED and change.champion == state.champion
    )
    return tuple(one for one in found if one.key not in there)


def detections(state: StateRecord) -> tuple[Detection, ...]:
    """Return the signals that are detected now.

    Args:
        state: The states after a look.
    """
    return tuple(
        Detection(
            one.name,
            # The look that brought it there, with the name, is one detection for ever.
            str(one.look),
            one.last.meaning,
            one.last.value,
            one.last.bound,
        )
        for one in state.detected()
    )
