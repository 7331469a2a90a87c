"""The report of monitoring: what is detected first, then every signal by kind, with its values over the looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from ..lib.monitoring.incident import Incident
from ..lib.monitoring.looks import LookRecord, StateRecord
from ..lib.monitoring.maturity import Maturity
from ..lib.monitoring.signal_states import SignalState, State
from ..lib.monitoring.signals import Kind, Outcome
from ..lib.report.page import (
    Column,
    isolated,
    place_of,
    render_page,
    render_table,
    unbroken,
)
from ..lib.words import number, percent, plural
from .signal_chart import points_of, signal_chart

TITLES = {
    Kind.DATA: "Data",
    Kind.SKEW: "Skew: requests against the training data",
    Kind.DRIFT: "Drift: requests against earlier spans",
    Kind.PREDICTION_DRIFT: "Drift of predictions",
    Kind.ATTRIBUTION: "Drift of attributions",
    Kind.ESTIMATED: "Estimated quality",
    Kind.REALISED: "Realised quality",
    Kind.CONCEPT: "Concept drift",
}
"""Headings by kind, in the order of the report."""
_ORDER = [State.DETECTED, State.SUSPECTED, State.CLEARED, State.OK]
_COLORS = {State.DETECTED: "bad", State.SUSPECTED: "warn"}
# More would push the tables too far down.
_MOST_CARDS, _MOST_CHARTS, _MOST_LOOKS, _MOST_INCIDENTS = 24, 3, 30, 20


@dataclass(frozen=True)
class Contents:
    """What the report shows.

    Attributes:
        verdict: The verdict, shown on top.
        champion: Number of the champion; None if there is none.
        since: When it came into service.
        states: The states after the newest look.
        history: The newest looks, oldest first.
        incidents: All incidents, oldest first.
        maturity: Which share of the predictions has its label; None if no label is joined.
    """

    verdict: str
    champion: int | None
    since: datetime | None
    states: StateRecord
    history: Sequence[LookRecord]
    incidents: Sequence[Incident] = ()
    maturity: Maturity | None = None


def render(contents: Contents, path: str = "") -> str:
    """Lay out the report.

    Args:
        contents: What it shows.
        path: Where the page is written.

    Returns:
        A whole HTML document.
    """
    states = list(contents.states.states.values())
    newest = contents.history[-1] if contents.history else None
    errors = newest.errors if newest else ()
    body = Markup("").join(
        [
            _errors(errors),
            _open_signals(states, contents.history),
            _incidents(contents.incidents),
            *(_section(kind, title, states, contents.history) for kind, title in TITLES.items()),
            _looks(contents.history),
        ]
    )
    return render_page(
        "Monitoring",
        contents.verdict,
        not contents.states.detected() and not errors,
        _facts(contents, newest),
        body,
        words=("quiet", "detected" if contents.states.detected() else "not judged"),
        place=place_of(path),
    )


def _facts(contents: Contents, newest: LookRecord | None) -> dict[str, object]:
    facts: dict[str, object] = {"champion": "none"}
    if contents.champion is not None:
        since = f", since {contents.since:%Y-%m-%d %H:%M} UTC" if contents.since else ""
        facts["champion"] = f"version {contents.champion}{since}"
    facts["newest span"] = "none"
    if newest and newest.window:
        rows = sum(int(span.get("rows") or 0) for span in newest.spans.values())
        facts["newest span"] = f"{newest.window}, {plural(rows, 'row')}"
    facts["look"] = f"{newest.number}, {newest.at[:16].replace('T', ' ')} UTC" if newest else "none"
    maturity = contents.maturity
    if maturity and maturity.share is not None:
        due = maturity.due_share
        of_due = f", {percent(due)} of those whose label is due" if due is not None else ""
        facts["labels"] = f"{percent(maturity.share)} of the predictions have one{of_due}"
    return facts


def _errors(errors: Sequence[str]) -> Markup:
    if not errors:
        return Markup("")
    return Markup("<h2>Could not be judged</h2>{}").format(
        Markup("").join(
            Markup('<div class="card" style="border-left:4px solid var(--bad)">{}</div>').format(
                error
            )
            for error in errors
        )
    )


def _open_signals(states: Sequence[SignalState], history: Sequence[LookRecord]) -> Markup:
    found = sorted((state for state in states if state.state in _COLORS), key=_rank)
    if not found:
        return Markup('<h2>Detected and suspected</h2><p class="good">None.</p>')
    cards = Markup("").join(_card(state, history) for state in found[:_MOST_CARDS])
    left = len(found) - _MOST_CARDS
    more = Markup('<p class="note">and {} below</p>').format(plural(left, "more signal"))
    return Markup('<h2>Detected and suspected</h2><div class="cards">{}</div>{}').format(
        cards, more if left > 0 else ""
    )


def _card(state: SignalState, history: Sequence[LookRecord]) -> Markup:
    signal = state.last
    rows = signal.evidence.get("rows")
    evidence = [f"since {state.since[:16].replace('T', ' ')} UTC"]
    if isinstance(rows, int | float):
        evidence.append(plural(int(rows), "row"))
    interval = signal.evidence.get("interval")
    if isinstance(interval, list) and len(interval) == 2 and None not in interval:
        evidence.append(f"interval {number(interval[0])} to {number(interval[1])}")
    if method := signal.evidence.get("method"):
        evidence.append(str(method))
    return Markup(
        '<div class="card" style="border-left:4px solid var(--{})"><h3>{} <span class="{} plain">{}</span></h3>'
        '<div class="soft line">{}</div><div>{}</div><div class="soft line">{}</div>{}</div>'
    ).format(
        _COLORS[state.state],
        isolated(signal.subject),
        _COLORS[state.state],
        str(state.state),
        TITLES[state.kind],
        signal.meaning,
        ", ".join(evidence),
        signal_chart(state.name, points_of(state.name, history)),
    )


def _incidents(incidents: Sequence[Incident]) -> Markup:
    if not incidents:
        return Markup("")
    shown = list(reversed(incidents))[:_MOST_INCIDENTS]
    rows = [
        [
            unbroken(incident.id),
            str(incident.state).replace("_", " "),
            unbroken(incident.opened[:16].replace("T", " ")),
            ", ".join(dict.fromkeys(detection.name for detection in incident.detections)),
            _wide(f"{incident.reason}{f' (run {incident.run})' if incident.run else ''}"),
        ]
        for incident in shown
    ]
    table = render_table(["incident", "state", "opened, UTC", "signals", "reason"], rows)
    return Markup("<h2>Incidents</h2>{}").format(table)


def _section(
    kind: Kind, title: str, states: Sequence[SignalState], history: Sequence[LookRecord]
) -> Markup:
    found = sorted((state for state in states if state.kind == kind), key=_rank)
    if not found:
        return Markup("")
    rows = [
        [
            isolated(state.last.subject),
            _state(state),
            "" if state.last.value is None else number(state.last.value),
            "" if state.last.bound is None else number(state.last.bound),
            _wide(state.last.meaning),
        ]
        for state in found
    ]
    columns: list[str | Column] = [
        Column("signal", css="name"),
        "state",
        Column("value", number=True),
        Column("bound", number=True),
        "meaning",
    ]
    table = render_table(columns, rows, search="signals" if len(rows) > 15 else "")
    return Markup("<h2>{}</h2>{}{}").format(title, table, _charts(found, history))


def _charts(states: Sequence[SignalState], history: Sequence[LookRecord]) -> Markup:
    """Draw the signals that are nearest to their bounds; those that are detected are drawn on top."""
    quiet = sorted((state for state in states if state.state not in _COLORS), key=_distance)
    charts = [
        Markup('<div class="card"><h3>{}</h3>{}</div>').format(isolated(state.last.subject), chart)
        for state in quiet[:_MOST_CHARTS]
        if (chart := signal_chart(state.name, points_of(state.name, history)))
    ]
    if not charts:
        return Markup("")
    return Markup('<div class="cards" style="margin-top:12px">{}</div>').format(
        Markup("").join(charts)
    )


def _distance(one: SignalState) -> tuple[bool, float]:
    """Return how far a value is from its bound, as a share of the bound; a value of 0 is as far as can be."""
    value, bound = one.last.value, one.last.bound
    if not value or not bound:
        return True, 0.0
    return False, abs(value - bound) / abs(bound)


def _state(one: SignalState) -> Markup:
    if one.last.outcome == Outcome.SILENT:
        beside = f", {one.state}" if one.state in _COLORS else ""
        return Markup('<span class="soft">not judged{}</span>').format(beside)
    return Markup('<span class="{}">{}</span>').format(
        _COLORS.get(one.state, "good"), str(one.state)
    )


def _looks(history: Sequence[LookRecord]) -> Markup:
    if not history:
        return Markup("")
    rows = []
    for look in list(reversed(history))[:_MOST_LOOKS]:
        counts = {
            outcome: sum(signal.outcome == outcome for signal in look.signals)
            for outcome in Outcome
        }
        rows.append(
            [
                look.number,
                unbroken(look.window or "none"),
                look.champion,
                f"{sum(int(span.get('rows') or 0) for span in look.spans.values()):,}",
                counts[Outcome.BREACHED],
                counts[Outcome.OK],
                counts[Outcome.SILENT],
                unbroken(look.at[:16].replace("T", " ")),
            ]
        )
    columns: list[str | Column] = [
        Column("look", number=True),
        "newest span",
        Column("version", number=True),
        Column("rows", number=True),
        Column("breached", number=True),
        Column("ok", number=True),
        Column("not judged", number=True),
        "at, UTC",
    ]
    return Markup("<h2>Looks</h2>{}").format(render_table(columns, rows))


def _rank(one: SignalState) -> tuple[int, bool, str]:
    return _ORDER.index(one.state), one.last.outcome == Outcome.SILENT, one.name


def _wide(text: str) -> Markup:
    # On a phone the table scrolls; without a least width, a row would be as high as the screen.
    return Markup('<div style="min-width:230px">{}</div>').format(text)
