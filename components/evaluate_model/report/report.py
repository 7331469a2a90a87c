"""The evaluation report: the verdict, its thresholds, and where the models differ."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup
from tensorflow_model_analysis.proto import config_pb2

from ...lib.evaluation.metric_directions import metric_directions
from ...lib.evaluation.metric_names import ROWS
from ...lib.report.page import Cell, Column, breakable, render_page, render_table
from ...lib.verdicts import Champion
from ..evidence.checks import EvidenceCheck
from ..gate import MOST_REASONS_IN_VERDICT, Verdict, rule
from ..plot_data import ModelPlots
from ..small_slices import too_few
from ..tfma_results import Evaluation, SliceResult
from ..thresholds import Check
from .evidence_section import render_evidence
from .metric_cells import Cells
from .plot_section import render_plots
from .slice_tables import best_and_worst, every_metric, metric_by_slice

MOST_CHECKS = 60

STYLE = """
.bar { display: inline-block; width: 72px; height: 8px; margin-left: 10px; background: var(--wash); border-radius: 4px;
  overflow: hidden; vertical-align: middle; }
.bar i { display: block; height: 100%; background: var(--before); }
.dots { min-width: 200px; } .dots path { stroke: var(--line); fill: none; }
.dots .between { stroke: var(--soft); stroke-width: 2; }
.interval { width: 180px; max-width: 36vw; min-width: 110px; }
.chart { width: 100%; max-width: 480px; margin: 0 auto; }
.chart text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.pill { display: inline-block; padding: 1px 9px; border-radius: 10px; font-size: 13px; white-space: nowrap; }
.pill.good { background: #e3f4ea; } .pill.bad { background: #fce8e4; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(360px, 100%), 1fr)); gap: 14px;
  align-items: start; }
.confusion caption { text-align: left; padding: 8px 12px; font-size: 13px; color: var(--soft); }
.confusion .share { font-size: 12px; }
ul.reasons { margin: 0; padding-left: 20px; }
.worst { margin: 0; padding: 0; list-style: none; font-variant-numeric: tabular-nums; }
.worst li { display: flex; justify-content: space-between; gap: 12px; padding: 3px 0; }
.worst li > span { min-width: 0; } .worst li > span:last-child { flex: none; }
details { margin-top: 14px; }
.narrow-only { display: none; }
@media (max-width: 640px) { .narrow-only { display: block; font-variant-numeric: tabular-nums; } }
"""


def render(
    evaluation: Evaluation,
    verdict: Verdict,
    champion: Champion,
    facts: Mapping[str, object],
    config: config_pb2.EvalConfig,
    plots: Mapping[str, ModelPlots],
    label: str = "the label",
    place: str = "",
    evidence: Sequence[EvidenceCheck] = (),
    other_plots: Mapping[str, Mapping[str, ModelPlots]] | None = None,
) -> str:
    """Lay out the report.

    Args:
        evaluation: What TFMA computed and judged.
        verdict: The gate's verdict.
        champion: What the challenger was compared with.
        facts: Short facts shown under the verdict.
        config: TFMA's config that it was computed with.
        plots: Plot data by `challenger` and `champion`.
        label: Name of the label.
        place: URI that the report is written to.
        evidence: The checks on evidence.
        other_plots: Plot data of further outputs, by the name of each one's label.

    Returns:
        A self-contained HTML document.
    """
    metric = _main_metric(evaluation)
    directions = metric_directions(config)
    rarer = plots["challenger"].rarer_share if "challenger" in plots else 1.0
    cells = Cells(evaluation, directions, rarer)
    body = [
        _reasons(verdict),
        render_evidence(evidence),
        _thresholds(evaluation, champion, cells),
        _metrics(evaluation, champion, cells),
    ]
    if metric:
        body += [
            best_and_worst(evaluation, metric, champion, cells, directions),
            metric_by_slice(evaluation, metric, champion, cells, too_few(config)),
        ]
    for name, of_output in {label: plots, **(other_plots or {})}.items():
        heading = Markup("<h2>Predictions of {}</h2>").format(name)
        body += [heading if other_plots else Markup(""), render_plots(of_output, name)]
    body.append(every_metric(evaluation, champion, cells))
    return render_page(
        "Evaluation of the challenger",
        verdict.summary,
        verdict.blessed,
        facts,
        Markup("").join(body),
        words=("blessed", "refused"),
        style=STYLE,
        place=place,
    )


def render_refusal(verdict: Verdict, facts: Mapping[str, object], place: str = "") -> str:
    """Lay out the report on a challenger whose predictions can't be judged: there are no metrics to show.

    Args:
        verdict: The gate's verdict.
        facts: Short facts shown under the verdict.
        place: URI that the report is written to.

    Returns:
        A self-contained HTML document.
    """
    title, words = "Evaluation of the challenger", ("blessed", "refused")
    body = _reasons(verdict)
    return render_page(title, verdict.summary, False, facts, body, words, STYLE, place)


def _reasons(verdict: Verdict) -> Markup:
    if len(verdict.reasons) <= MOST_REASONS_IN_VERDICT:
        return Markup("")
    items = Markup("").join(Markup("<li>{}</li>").format(reason) for reason in verdict.listed)
    return Markup('<h2>Reasons</h2><div class="card"><ul class="reasons">{}</ul></div>').format(
        items
    )


def _thresholds(evaluation: Evaluation, champion: Champion, cells: Cells) -> Markup:
    checks = evaluation.checks
    if not checks:
        return Markup(
            '<h2>Thresholds</h2><p class="soft">No threshold is set, so no model can be blessed.</p>'
        )
    columns: list[str | Column] = [
        "",
        "Metric",
        "Slice",
        Column("Challenger", number=True),
    ]
    if champion.exists:
        columns += [Column("Champion", number=True, wide_only=True), Column("Change", number=True)]
    columns.append("Threshold")
    first = [check for check in checks if check.failed or check.slice == "overall"]
    rest = [check for check in checks if not check.failed and check.slice != "overall"]
    slices = {slice_result.name: slice_result for slice_result in evaluation.slices}

    def table(some: Sequence[Check]) -> Markup:
        shown = [
            _check_row(check, champion, cells, slices.get(check.slice))
            for check in some[:MOST_CHECKS]
        ]
        left = len(some) - len(shown)
        note = Markup('<p class="note">and {:,} more</p>').format(left) if left else ""
        return render_table(columns, shown) + note

    judged = [check for check in checks if not check.not_judged]
    html = table(first) if first else Markup("")
    html += Markup('<p class="note">{:,} of {:,} thresholds passed.</p>').format(
        sum(check.passed for check in judged), len(judged)
    )
    if rest:
        html += Markup(
            "<details><summary>{:,} on single slices passed or not judged</summary>{}</details>"
        ).format(len(rest), table(rest))
    return Markup("<h2>Thresholds</h2>") + html


def _check_row(
    check: Check, champion: Champion, cells: Cells, of: SliceResult | None
) -> list[object]:
    css, word = ("good", "passed") if check.passed else ("bad", "failed")
    if check.not_judged:
        css, word = "soft", "not judged"
    pill = Markup('<span class="pill {}" title="{}">{}</span>').format(css, check.not_judged, word)
    row = [
        pill,
        breakable(check.metric),
        breakable(check.slice),
        Cell(check.not_judged) if check.not_judged else cells.value(check.metric, check.value),
    ]
    if champion.exists:
        row.append(cells.value(check.metric, check.champion))
        row.append(cells.change(check.metric, of) if of is not None else "")
    return [*row, rule(check.threshold)]


def _metrics(evaluation: Evaluation, champion: Champion, cells: Cells) -> Markup:
    overall = evaluation.overall
    rows: list[list[object]] = []
    for name, value in overall.challenger.items():
        if name == ROWS:
            continue
        row: list[object] = [breakable(name), cells.value(name, value)]
        if champion.exists:
            row += [cells.value(name, overall.champion.get(name)), cells.change(name, overall)]
        rows.append(row)
    columns = [Column("Metric", css="name"), Column("Challenger", number=True)]
    if champion.exists:
        columns += [Column("Champion", number=True, wide_only=True), Column("Change", number=True)]
    return (
        Markup("<h2>Metrics on all eval rows</h2>") + render_table(columns, rows)
        if rows
        else Markup("")
    )


def _main_metric(evaluation: Evaluation) -> str | None:
    """Return the metric that slices are ranked by: the first with a threshold, else the first."""
    computed = [name for name in evaluation.overall.challenger if name != ROWS]
    wanted = [check.metric for check in evaluation.checks if check.metric in computed]
    return next(iter([*wanted, *computed]), None)
