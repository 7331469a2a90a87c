"""What ran, and on what data."""

from collections.abc import Sequence

from markupsafe import Markup

from ...components.lib.report.page import (
    Cell,
    Column,
    render_lines,
    render_links,
    render_section,
    render_table,
)
from ...components.lib.words import plural
from ..runs.records import RunState
from ..runs.run_words import duration
from .cells import moment, whole
from .contents import Run, Span

_MOST_FINDINGS = 3


def render_runs(runs: Sequence[Run]) -> Markup:
    """Lay out runs with their outcomes and reports."""
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
        whole(moment(run.started)),
        Cell(duration(run.seconds) if run.seconds is not None else "", run.seconds),
        Markup('<span class="{}">{}</span>').format(css, run.state),
        render_lines(lines),
    ]


def render_spans(spans: Sequence[Span]) -> Markup:
    """Lay out spans with what runs found in them."""
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
        whole(newest.span),
        Cell(f"{newest.rows:,}", newest.rows),
        Cell(f"{set_aside:,}", set_aside),
        span.versions,
        whole(moment(newest.ingested)),
        render_lines(lines),
    ]
