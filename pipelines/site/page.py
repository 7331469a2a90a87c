"""The page of a store: one HTML file at its root, with links to everything below it."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from ...components.lib.monitoring.incident import Incident
from ...components.lib.monitoring.looks import StateRecord
from ...components.lib.monitoring.signal_states import State
from ...components.lib.report.page import (
    Cell,
    Column,
    render_card,
    render_lines,
    render_links,
    render_page,
    render_section,
    render_table,
)
from ...components.lib.uris import join, write_atomic
from ...components.lib.words import fixed, plural
from ..runs.records import RunState
from ..runs.run_words import duration
from .contents import Champion, Contents, Run, Span, read_contents
from .metric_chart import metric_chart

INDEX = "index.html"
_MOST_METRICS = 6
_MOST_FINDINGS = 3
_MOST_INCIDENTS = 30
# The worst first.
_STATES = (State.DETECTED, State.SUSPECTED, State.CLEARED, State.OK)
_STATE_CSS = {State.DETECTED: "bad", State.SUSPECTED: "warn", State.CLEARED: "good"}
# They say how many rows there were, not how good a model is.
_COUNTS = frozenset({"example_count", "weighted_example_count"})


def write_site(store: str, name: str) -> str:
    """Write the page of a store to its root, whole or not at all.

    Args:
        store: URI of the store.
        name: The project's name.

    Returns:
        URI of the page.

    Raises:
        RetrainerError: If a record in the store is damaged.
        OSError: If the disk is full or refuses; the former page still stands then.
    """
    place = join(store, INDEX)
    write_atomic(place, render_site(name, read_contents(store)))
    return place


def render_site(name: str, contents: Contents) -> str:
    """Lay out the page of a store.

    Args:
        name: The project's name.
        contents: What it shows.

    Returns:
        A whole HTML document.
    """
    verdict, ok = _verdict(contents)
    champion = contents.champions[0] if contents.served else None
    facts: dict[str, object] = {
        "champion": f"version {champion.move.version}" if champion else "none",
        "in service since": _moment(champion.move.at) if champion else "",
        "open incidents": sum(not one.ended for one in contents.incidents) or "",
        "runs": f"{len(contents.runs):,}",
        "spans": f"{len(contents.spans):,}",
    }
    body = Markup("").join(
        [
            _champions(contents.champions, contents.served),
            _incidents(contents.incidents, contents.runs),
            _signals(contents.signals),
            _runs(contents.runs),
            _spans(contents.spans),
        ]
    )
    return render_page(
        name,
        verdict,
        ok,
        {title: fact for title, fact in facts.items() if fact},
        body,
        words=("healthy", "look here"),
    )


def _verdict(contents: Contents) -> tuple[str, bool]:
    newest = contents.runs[0] if contents.runs else None
    if newest and newest.went_wrong:
        return f"The newest run, {newest.run_id}, {newest.state}: {newest.outcome}", False
    if not contents.runs and not contents.champions:
        return "No run yet.", True
    if not contents.served:
        return "No model is in service.", False
    going_on = [one for one in contents.incidents if not one.ended]
    if going_on:
        others = f", and {plural(len(going_on) - 1, 'more incident')}" if len(going_on) > 1 else ""
        return f"Incident {going_on[0].title}: {going_on[0].reason.rstrip('.')}{others}.", False
    if detected := contents.signals.detected():
        others = f", and {plural(len(detected) - 1, 'more signal')}" if len(detected) > 1 else ""
        return f"Monitoring found {detected[0].last.meaning.rstrip('.')}{others}.", False
    return f"Version {contents.champions[0].move.version} is in service.", True


def _champions(champions: Sequence[Champion], served: bool) -> Markup:
    if not champions:
        return render_section("Champions", Markup(""), [], "No model was put into service yet.")
    found = dict.fromkeys(name for one in champions for name in one.evaluation.overall.metrics)
    names = [name for name in found if name not in _COUNTS][:_MOST_METRICS]
    cards = []
    for metric in names:
        points = [
            (one.move.at, f"version {one.move.version}", value)
            for one in reversed(champions)
            if one.move.at
            and (value := one.evaluation.overall.metrics.get(metric)) is not None
            and math.isfinite(value)
        ]
        if points:
            cards.append(render_card(metric, metric_chart(metric, points)))
    rows = [_champion_row(one, served and place == 0, names) for place, one in enumerate(champions)]
    note = (
        "Each champion's metrics are those that the gate measured, on the evaluation rows of its own run; "
        "champions of different spans are not compared on the same rows."
    )
    table = render_table(
        [
            "version",
            "in service",
            Column("by", wide_only=True),
            "why",
            Column("trained on", wide_only=True),
            *(Column(name, number=True) for name in names),
        ],
        rows,
    )
    return render_section("Champions", Markup(""), cards, note if cards else "") + table


def _champion_row(champion: Champion, served: bool, names: Sequence[str]) -> list[object]:
    move = champion.move
    label = f"version {move.version}"
    info = champion.version.info if champion.version else {}
    spans = info.get("train_spans") or []
    until = "now" if served else _moment(champion.until)
    name: object = render_links([(label, champion.card)]) if champion.card else label
    if not champion.version:
        name = f"{label} (deleted)"
    metrics = champion.evaluation.overall.metrics
    return [
        Cell(name, move.version),
        render_lines([_whole(_moment(move.at)), _whole(f"to {until}")]),
        move.by or move.run,
        f"{move.action}{f': {move.why}' if move.why else ''}",
        f"{spans[0]} to {spans[-1]}" if len(spans) > 1 else "".join(map(str, spans)),
        *(
            Cell(fixed(value, 4), value) if (value := metrics.get(one)) is not None else ""
            for one in names
        ),
    ]


def _incidents(incidents: Sequence[Incident], runs: Sequence[Run]) -> Markup:
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
            _moment(one.at), str(one.state).replace("_", " "), one.reason
        )
        for one in incident.changes
    ]
    body = Markup('{}<p class="line">{}</p>').format(render_lines(lines), render_lines(changes))
    return render_card(incident.id, body)


def _signals(signals: StateRecord) -> Markup:
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
                _whole(_moment(one.since)),
                one.last.meaning,
            ]
            for one in states
        ],
        search="signals",
    )
    note = f"After the look at {signals.window} on {_moment(signals.at)}, at version {signals.champion}."
    return render_section("Signals", Markup(""), [], note) + table


def _runs(runs: Sequence[Run]) -> Markup:
    if not runs:
        return Markup("")
    table = render_table(
        [
            "run",
            Column("pipeline", wide_only=True),
            Column("where", wide_only=True),
            "started",
            Column("took", number=True, wide_only=True),
            "state",
            "outcome",
        ],
        [_run_row(run) for run in runs],
        search="runs",
    )
    return render_section("Runs", Markup(""), [], "") + table


def _run_row(run: Run) -> list[object]:
    name: object = render_links([(run.run_id, run.link)]) if run.link else run.run_id
    if run.link.startswith("https://"):
        # A console's address is quoted already.
        name = Markup('<a href="{}">{}</a>').format(run.link, run.run_id)
    css = "bad" if run.went_wrong else "good" if run.state == RunState.SUCCEEDED else "soft"
    lines: list[str] = [run.outcome] if run.outcome else []
    if run.reports:
        lines.append(render_links(run.reports))
    return [
        name,
        run.pipeline,
        run.where,
        _whole(_moment(run.started)),
        Cell(duration(run.seconds) if run.seconds is not None else "", run.seconds),
        Markup('<span class="{}">{}</span>').format(css, run.state),
        render_lines(lines),
    ]


def _spans(spans: Sequence[Span]) -> Markup:
    if not spans:
        return Markup("")
    table = render_table(
        [
            "span",
            Column("rows", number=True),
            Column("quarantined", number=True),
            Column("versions", number=True, wide_only=True),
            Column("ingested", wide_only=True),
            "findings",
        ],
        [_span_row(span) for span in spans],
        search="spans",
    )
    return render_section("Spans", Markup(""), [], "") + table


def _span_row(span: Span) -> list[object]:
    newest = span.newest
    set_aside = sum(newest.quarantined.values())
    lines: list[str] = []
    if span.exclusion:
        lines.append(Markup('<span class="warn">excluded: {}</span>').format(span.exclusion.why))
    for finding in span.findings[:_MOST_FINDINGS]:
        run = render_links([(finding.run_id, finding.report)]) if finding.report else finding.run_id
        css = "plain" if finding.passed else "bad"
        lines.append(Markup('{}: <span class="{}">{}</span>').format(run, css, finding.verdict))
    if left := len(span.findings) - len(lines):
        lines += [f"and {plural(left, 'more finding')}"] if left > 0 else []
    return [
        _whole(newest.span),
        Cell(f"{newest.rows:,}", newest.rows),
        Cell(f"{set_aside:,}", set_aside),
        span.versions,
        _whole(_moment(newest.ingested)),
        render_lines(lines),
    ]


def _whole(text: str) -> Markup:
    """Keep a text that fits a line on one line."""
    return Markup('<span class="{}">{}</span>').format("nobreak" if len(text) <= 24 else "", text)


def _moment(moment: str) -> str:
    if not moment:
        return ""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M}"
