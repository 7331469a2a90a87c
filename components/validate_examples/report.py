"""The validation report: findings first, then every column with its history."""

from collections.abc import Sequence

from markupsafe import Markup

from ..lib.report.charts import Series, distribution_chart, trend_chart
from ..lib.report.page import isolated, legend, place_of, render_page, render_table, unbroken
from ..lib.report.statistics_parts import (
    EVAL_COLOR,
    MAX_CARDS,
    TRAIN_COLOR,
    figure_lines,
    label_cells,
    span_table,
)
from ..lib.words import name_spans, percent, plural
from .checks.drift import SKEW
from .distances import Distance
from .finding_kinds import ERROR
from .findings import Finding, errors_of
from .quarantine import QuarantinedRows
from .result import ValidationResult
from .window import Window

BEFORE_COLOR = "var(--before)"
# More would push the columns too far down; the next ones are folded, and anomalies.json has all.
SHOWN_FINDINGS, MAX_FINDINGS = 50, 1_000
MAX_CLASSES = 10


def render(
    window: Window,
    result: ValidationResult,
    verdict: str,
    schema_origin: str,
    quarantined: Sequence[QuarantinedRows] = (),
    path: str = "",
) -> str:
    """Lay out the report.

    Args:
        window: What was validated.
        result: What was found.
        verdict: The verdict, shown on top.
        schema_origin: Where the schema comes from.
        quarantined: Rows that ingestion quarantined.
        path: Where the page is written.

    Returns:
        A whole HTML document.
    """
    index = window.index
    compared = len(result.drift)
    share = len(result.drifted) / compared if compared else 0.0
    facts = {
        "columns drifted": f"{len(result.drifted)} of {compared} ({percent(share)})",
        "newest span": f"{index.newest}, {plural(window.newest.rows, 'row')}",
        "earlier spans": name_spans(index.earlier),
        "schema": schema_origin,
    }
    body = Markup("").join(
        [
            _findings(result.findings),
            Markup("<h2>Columns</h2>"),
            Markup(
                '<p class="soft">Columns with findings first, then by drift relative to the '
                "threshold. The line shows each span's distance from the spans before it, measured when "
                "the span was the newest.</p>"
            ),
            _legend(window),
            _cards(window, result),
            Markup("<h2>Spans</h2>"),
            _spans(window),
            _quarantined(quarantined),
        ]
    )
    ok = not errors_of(result.findings)
    return render_page("Validation", verdict, ok, facts, body, place=place_of(path))


def _legend(window: Window) -> Markup:
    names = {"training": "training: the earlier spans"} if window.index.skew_is_drift else {}
    series = _series(window, _Lookup(window), "")
    return legend([(names.get(one.name, one.name), one.color) for one in series])


def _findings(findings: Sequence[Finding]) -> Markup:
    if not findings:
        return Markup('<h2>Findings</h2><p class="good">None.</p>')
    first = Markup("").join(map(_finding, findings[:SHOWN_FINDINGS]))
    folded = findings[SHOWN_FINDINGS:MAX_FINDINGS]
    parts = [Markup("<h2>Findings</h2>"), first]
    if folded:
        parts.append(
            Markup("<details><summary>{} more</summary>{}</details>").format(
                f"{len(folded):,}", Markup("").join(map(_finding, folded))
            )
        )
    left = len(findings) - MAX_FINDINGS
    if left > 0:
        parts.append(
            Markup('<p class="soft">and {} more, in anomalies.json</p>').format(f"{left:,}")
        )
    return Markup("").join(parts)


def _finding(finding: Finding) -> Markup:
    color = "bad" if finding.severity == ERROR else "warn"
    return Markup(
        '<div class="card" style="border-left:4px solid var(--{color});margin-bottom:8px">'
        '<b class="{color}">{severity}</b> <b>{column}</b> {title} '
        '<span class="soft">in {where}</span>'
        '<div><span class="soft">found</span> <bdi>{seen}</bdi><span class="soft">; expected</span> '
        "<bdi>{expected}</bdi></div>"
        '<div class="soft" style="font-size:13px">Fix: {remedy}.</div></div>'
    ).format(
        color=color,
        severity=finding.severity,
        column=isolated(finding.column) if finding.column else "all rows",
        title=finding.title,
        where=finding.where,
        seen=finding.seen,
        expected=finding.expected,
        remedy=_with_code(finding.remedy),
    )


def _with_code(text: str) -> Markup:
    """Format text between backticks as code."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else part
        for i, part in enumerate(text.split("`"))
    )


def _cards(window: Window, result: ValidationResult) -> Markup:
    lookup = _Lookup(window)
    features = [*lookup.splits.values(), *(span.features for span in window.spans.values())]
    columns = dict.fromkeys(name for feature in features for name in feature)
    found: dict[str, list[Finding]] = {}
    for finding in result.findings:
        found.setdefault(finding.column, []).append(finding)
    columns |= dict.fromkeys(name for name in found if name)

    def rank(column: str) -> tuple[int, float]:
        worst = min((0 if f.severity == ERROR else 1 for f in found.get(column, [])), default=2)
        distance = result.drift.get(column)
        return worst, -(distance.value / max(distance.threshold, 1e-12)) if distance else 0.0

    ranked = sorted(columns, key=rank)
    cards = Markup("").join(
        _card(column, _series(window, lookup, column), window, result, found.get(column, []))
        for column in ranked[:MAX_CARDS]
    )
    left = ranked[MAX_CARDS:]
    with_findings = sum(column in found for column in left)
    note = Markup('<p class="soft">and {} more columns, {} of them with findings</p>').format(
        f"{len(left):,}", f"{with_findings:,}"
    )
    return Markup('<div class="cards">{}</div>{}').format(cards, note if left else "")


def _card(
    column: str,
    series: Sequence[Series],
    window: Window,
    result: ValidationResult,
    findings: Sequence[Finding],
) -> Markup:
    mark = Markup("")
    if findings:
        is_error = any(finding.severity == ERROR for finding in findings)
        mark = Markup(' <span class="{} plain">{}</span>').format(
            "bad" if is_error else "warn", ", ".join(finding.title for finding in findings)
        )
    return Markup('<div class="card"><h3>{}{}</h3>{}{}{}</div>').format(
        isolated(column),
        mark,
        distribution_chart(column, series),
        figure_lines(series),
        _distances(column, window, result),
    )


def _distances(column: str, window: Window, result: ValidationResult) -> Markup:
    parts = []
    distance = result.drift.get(column)
    if distance is not None:
        parts.append(_distance_line("newest span", distance, column in result.drifted))
        if normal := result.normal_drift.get(column):
            parts.append(Markup('<div class="soft line">{}</div>').format(normal))
    if column in result.skew:
        found = any(
            finding.kind == SKEW and finding.column == column for finding in result.findings
        )
        parts.append(_distance_line("training to evaluation", result.skew[column], found))
        if normal := result.normal_skew.get(column):
            parts.append(Markup('<div class="soft line">{}</div>').format(normal))
    values = [one[column].value if column in one else None for one in result.history]
    points = [(window.index.spans[0], None), *zip(window.index.spans[1:], values, strict=True)]
    threshold = distance.threshold if distance is not None else None
    parts.append(trend_chart(f"Drift of {column} by span", points, threshold))
    return Markup('<div style="margin-top:8px">{}</div>').format(Markup("").join(parts))


def _distance_line(what: str, distance: Distance, found: bool) -> Markup:
    # Red only with a finding: a distance above its threshold may be normal, or chance.
    over = distance.value > distance.threshold
    color = "bad" if found else "soft" if over else "good"
    return Markup('<div class="line">{}: {} <b class="{}">{:.4g}</b>, threshold {:g}</div>').format(
        what, distance.words, color, distance.value, distance.threshold
    )


class _Lookup:
    """The columns of a window's datasets by name."""

    def __init__(self, window: Window) -> None:
        self.splits = {split: one.features for split, one in window.splits.items()}
        self.earlier = window.earlier.features if window.earlier is not None else {}


def _series(window: Window, lookup: _Lookup, column: str) -> list[Series]:
    index = window.index
    series = []
    if window.earlier is not None and not index.skew_is_drift:
        series.append(
            Series("earlier spans", BEFORE_COLOR, lookup.earlier.get(column), filled=True)
        )
    train, evaluation = (lookup.splits[split].get(column) for split in ("train", "eval"))
    series.append(Series("training", TRAIN_COLOR, train, filled=index.skew_is_drift))
    series.append(Series("evaluation", EVAL_COLOR, evaluation))
    return series


def _spans(window: Window) -> Markup:
    index = window.index
    spans = {span: one.statistics for span, one in window.spans.items()}
    cells, name, values = label_cells(index, spans)
    counts = window.label_counts
    classes = sorted({value for count in counts.values() for value in count.counts})
    if len(classes) > 2 or not set(classes) <= {0, 1}:
        cells, name = _class_cells(window, classes), ""
    table = span_table(index, spans, cells)
    if not name:
        return table
    trend = trend_chart(f"{name} by span", list(zip(index.spans, values, strict=True)), None)
    if not trend:
        return table
    heading = f"{name[0].upper()}{name[1:]} by span"
    return Markup(
        '{}<h3 style="margin-top:16px">{}</h3><div class="card" style="max-width:360px">{}</div>'
    ).format(table, heading, trend)


def _class_cells(window: Window, classes: Sequence[int]) -> dict[str, list[object]]:
    """Return the share of each class of the label by span; the rarest together if there are many."""
    label, counts = window.index.label, window.label_counts
    total = {
        value: sum(count.counts.get(value, 0) for count in counts.values()) for value in classes
    }
    shown = sorted(sorted(classes, key=lambda value: -total[value])[:MAX_CLASSES])
    cells: dict[str, list[object]] = {}
    for value in shown:
        rates = [counts[span].rate(value) if span in counts else None for span in window.spans]
        cells[f"{label} = {value}"] = ["" if rate is None else percent(rate) for rate in rates]
    if len(shown) < len(classes):
        left = len(classes) - len(shown)
        rests = [
            1 - sum(counts[span].rate(value) for value in shown) if span in counts else None
            for span in window.spans
        ]
        cells[plural(left, "other class", "other classes")] = [
            "" if rest is None else percent(max(rest, 0.0)) for rest in rests
        ]
    return cells


def _quarantined(rows: Sequence[QuarantinedRows]) -> Markup:
    title = Markup("<h2>Quarantined rows</h2>{}")
    if not rows:
        return title.format(Markup('<p class="good">None.</p>'))
    table = render_table(
        ["span", "rows", "cause", "reason", "first rows"],
        [
            [
                unbroken(row.span),
                f"{row.rows:,}",
                row.cause,
                _wide(row.reason, 150),
                _wide(Markup("<br>").join(row.examples), 520),
            ]
            for row in rows
        ],
    )
    return title.format(table)


def _wide(text: str, pixels: int) -> Markup:
    # On a phone the table scrolls; without a least width, a row would be as high as the screen.
    return Markup('<div style="min-width:{}px;font-size:13px">{}</div>').format(pixels, text)
