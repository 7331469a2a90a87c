"""The report of monitoring: signals by kind, with state, value against bound, and how they moved over the looks."""

from collections.abc import Sequence

from markupsafe import Markup

from ..lib.monitoring.looks import LookRecord, StateRecord
from ..lib.monitoring.signal_states import SignalState, State
from ..lib.registry import ModelVersion
from ..lib.report.page import isolated, place_of, render_page, render_table
from ..lib.words import number


def render(
    verdict: str,
    model: ModelVersion | None,
    states: StateRecord,
    history: Sequence[LookRecord],
    path: str = "",
) -> str:
    """Lay out the report.

    Args:
        verdict: The verdict, shown on top.
        model: The champion; None if there is none.
        states: The states after the newest look.
        history: The newest looks, oldest first.
        path: Where the page is written.

    Returns:
        A whole HTML document.
    """
    newest = history[-1] if history else None
    facts = {
        "champion": f"version {model.version}" if model else "none",
        "newest span": newest.window if newest and newest.window else "none",
        "looks": f"{newest.number}" if newest else "0",
    }
    kinds = list(dict.fromkeys(one.kind for one in states.states.values()))
    body = Markup("").join(
        _section(str(kind), [one for one in states.states.values() if one.kind == kind])
        for kind in kinds
    )
    return render_page(
        "Monitoring",
        verdict,
        not states.detected(),
        facts,
        body,
        words=("quiet", "detected"),
        place=place_of(path),
    )


def _section(title: str, states: Sequence[SignalState]) -> Markup:
    order = [State.DETECTED, State.SUSPECTED, State.CLEARED, State.OK]
    rows = [
        [
            isolated(one.last.subject),
            str(one.state),
            "" if one.last.value is None else number(one.last.value),
            "" if one.last.bound is None else number(one.last.bound),
            one.last.meaning,
        ]
        for one in sorted(states, key=lambda one: (order.index(one.state), one.name))
    ]
    table = render_table(["signal", "state", "value", "bound", "meaning"], rows)
    return Markup("<h2>{}</h2>{}").format(title.replace("_", " ").capitalize(), table)
