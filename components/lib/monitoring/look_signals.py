"""The signals after the newest look, as incidents follow them."""

from .incident import Detection
from .incidents import Seen
from .looks import Looks, StateRecord
from .retraining_settings import RetrainingSettings
from .signals import Outcome

# Looks at the same spans count once, so more are read than have to agree.
_READ_FOR_EACH = 4


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
    return Seen(state.champion, every, detections(state), counted)


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
