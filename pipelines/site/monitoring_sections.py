"""What monitoring found, and what was done about it."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from ...components.lib.monitoring.incident import Incident
from ...components.lib.monitoring.looks import StateRecord
from ...components.lib.monitoring.signal_states import State
from ...components.lib.report.page import (
    Column,
    render_card,
    render_lines,
    render_links,
    render_section,
    render_table,
)
from ...components.lib.words import plural
from .cells import moment, whole
from .contents import Run

_MOST_INCIDENTS = 30
# The worst first.
_STATES = (State.DETECTED, State.SUSPECTED, State.CLEARED, State.OK)
_STATE_CSS = {State.DETECTED: "bad", State.SUSPECTED: "warn", State.CLEARED: "good"}


def render_incidents(incidents: Sequence[Incident], runs: Sequence[Run]) -> Markup:
    """Lay out incidents with each change, the newest first.

    Args:
        incidents: Newest first.
        runs: Runs with their links.
    """
    if not incidents:
        return Markup("")
    known = {run.run_id: run.link for run in runs if run.link}
    left = len(incidents) - _MOST_INCIDENTS
    note = f"{plural(left, 'earlier incident')}: retrainer monitor incidents" if left > 0 else ""
    cards = [_incident_card(one, known) for one in incidents[:_MOST_INCIDENTS]]
    return render_section("Incidents", Markup(""), cards, note)


def _incident_card(incident: Incident, links: Mapping[str, str]) -> Markup:
    run = incident.run
    lines: list[str] = [
        Markup('<span class="{}">{}</span>').format(
            "good" if incident.ended else "bad", str(incident.state).replace("_", " ")
        ),
        ", ".join(one.name for one in incident.detections),
    ]
    if run:
        name = render_links([(run, links[run])]) if run in links else run
        pushed = "" if incident.pushed is None else f", pushed as version {incident.pushed}"
        lines.append(Markup("run {}{}").format(name, pushed))
    changes = [
        Markup('<span class="soft">{} {}:</span> {}').format(
            moment(one.at), str(one.state).replace("_", " "), one.reason
        )
        for one in incident.changes
    ]
    body = Markup('{}<p class="line">{}</p>').format(render_lines(lines), render_lines(changes))
    return render_card(incident.id, body)


def render_signals(signals: StateRecord) -> Markup:
    """Lay out where the signals stand, the worst first."""
    if not signals.states:
        return Markup("")
    states = sorted(signals.states.values(), key=lambda one: (_STATES.index(one.state), one.name))
    table = render_table(
        ["signal", "state", Column("since", wide_only=True), "what the newest look found"],
        [
            [
                one.name,
                Markup('<span class="{}">{}</span>').format(
                    _STATE_CSS.get(one.state, "soft"), one.state
                ),
                whole(moment(one.since)),
                one.last.meaning,
            ]
            for one in states
        ],
        search="signals",
    )
    note = f"After the look at {signals.window} on {moment(signals.at)}, at version {signals.champion}."
    return render_section("Signals", Markup(""), [], note) + table
