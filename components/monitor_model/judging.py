"""Running the checks of a look: broken data first, and nothing of what is broken is taken for drift."""

from collections.abc import Mapping
from dataclasses import replace

from ..lib.errors import RetrainerError
from ..lib.monitoring.signals import Kind, Outcome, Signal
from .checks import CHECKS, DATA_CHECKS, Check
from .look import Look

_OF_COLUMNS = frozenset({Kind.SKEW, Kind.DRIFT, Kind.ATTRIBUTION})


def judge(look: Look, checks: tuple[Check, ...] = CHECKS) -> tuple[list[Signal], list[str]]:
    """Run the checks of a look.

    A column whose data is broken has no drift: its distance shows the breakage, which the checks of kind `data` report.

    Args:
        look: The look.
        checks: The checks after those for broken data.

    Returns:
        The signals, and why checks could not judge.
    """
    found: dict[str, Signal] = {}
    errors: list[str] = []
    _run(look, DATA_CHECKS, found, errors)
    broken = {
        str(signal.evidence["column"]): signal.meaning
        for signal in found.values()
        if signal.outcome == Outcome.BREACHED and signal.evidence.get("column")
    }
    _run(look.with_broken(broken), checks, found, errors)
    return [_silence(signal, broken) for signal in found.values()], errors


def _run(
    look: Look, checks: tuple[Check, ...], found: dict[str, Signal], errors: list[str]
) -> None:
    for check in checks:
        try:
            for signal in check(look):
                assert signal.name not in found, f"two checks find {signal.name}"
                found[signal.name] = signal
        except RetrainerError as error:
            # What the others find counts; the run fails when it is recorded.
            errors.append(str(error))


def _silence(signal: Signal, broken: Mapping[str, str]) -> Signal:
    column = str(signal.evidence.get("column", signal.subject))
    if signal.kind not in _OF_COLUMNS or column not in broken or signal.outcome != Outcome.BREACHED:
        return signal
    meaning = f"broken data, not judged as {str(signal.kind).replace('_', ' ')}: {broken[column]}"
    return replace(signal, outcome=Outcome.SILENT, meaning=meaning)
