"""The model card of a version as one HTML page."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ..lib.registry.evaluation_summary import EvaluationSummary, SliceMetrics
from ..lib.registry.model_versions import ModelVersion
from ..lib.report.page import Cell, Column, breakable, legend, render_page, render_table
from ..lib.words import name_spans, number
from .model_card import architecture, datasets

MOST_DRAWN = 20
_COUNTS = ("example_count", "weighted_example_count")
_VERSION, _CHAMPION = "var(--train)", "var(--before)"
STYLE = """
.dots { min-width: 160px; } .dots path { stroke: var(--line); fill: none; }
.dots .between { stroke: var(--soft); stroke-width: 2; }
dl.said { margin: 0; display: grid; grid-template-columns: minmax(90px, max-content) 1fr; gap: 8px 18px; }
dl.said dt { color: var(--soft); } dl.said dd { margin: 0; overflow-wrap: anywhere; }
dl.said ul { margin: 0; padding-left: 18px; }
@media (max-width: 600px) { dl.said { grid-template-columns: 1fr; gap: 2px; } dl.said dd { margin-bottom: 10px; } }
"""
_TITLES = {
    "users": "Users",
    "use_cases": "Use cases",
    "limitations": "Limitations",
    "tradeoffs": "Trade-offs",
}


def render_card(
    version: ModelVersion, evaluation: EvaluationSummary, card: Mapping[str, Any], store: str = ""
) -> str:
    """Lay out the model card.

    Args:
        version: The version.
        evaluation: What the gate measured.
        card: What people say of the model: `name`, and the keys of `model.card` in retrain.yaml.
        store: URI of the store, which the page names.

    Returns:
        A self-contained HTML document.
    """
    info = version.info
    rows = info.get("rows") or {}
    facts = {
        "Run": info.get("run") or "not recorded",
        **({"Incident": info["incident"]} if info.get("incident") else {}),
        "Pushed": str(info.get("pushed_at") or "not recorded").replace("T", " ")[:16],
        "Trained on": _data(info, rows, "train"),
        "Judged on": _data(info, rows, "eval"),
        "Digest": version.digest[:12],
    }
    body = [
        _said("About the model", _about(card)),
        _metrics(evaluation),
        _by_slice(evaluation),
        _said("Considerations", _considerations(card)),
        _said("Data and training", _data_and_training(info)),
    ]
    return render_page(
        f"Model card: {card.get('name') or 'model'}, version {version.version}",
        evaluation.verdict.partition(": ")[2] or "the gate's verdict was not recorded",
        True,
        facts,
        Markup("").join(body),
        words=("blessed", "refused"),
        style=STYLE,
        place=store,
    )


def _data(info: Mapping[str, Any], rows: Mapping[str, Any], split: str) -> str:
    spans = info.get(f"{split}_spans")
    if not spans:
        return "not recorded"
    counted = f", {int(rows[split]):,} rows" if split in rows else ""
    return f"{name_spans(spans)}{counted}"


def _about(card: Mapping[str, Any]) -> dict[str, object]:
    owners = [
        " ".join(filter(None, (o.get("name"), o.get("contact")))) for o in _list(card, "owners")
    ]
    return {
        "Overview": card.get("overview"),
        "Documentation": card.get("documentation"),
        "Owners": owners,
        "Licence": card.get("license") or card.get("license_text"),
        "References": _list(card, "references"),
        "Cite as": _list(card, "citations"),
    }


def _considerations(card: Mapping[str, Any]) -> dict[str, object]:
    risks = [
        ": ".join(filter(None, (one.get("name"), one.get("mitigation_strategy"))))
        for one in _list(card, "ethical_considerations")
    ]
    return {**{title: _list(card, key) for key, title in _TITLES.items()}, "Ethical risks": risks}


def _data_and_training(info: Mapping[str, Any]) -> dict[str, object]:
    schema = info.get("schema") or {}
    return {
        **{dataset["name"].capitalize(): dataset["description"] for dataset in datasets(info)},
        "Data digest": info.get("data_digest"),
        "Code digest": info.get("code_digest"),
        "Schema": f"number {schema['number']}, digest {schema['digest'][:12]}"
        if schema.get("number")
        else str(schema.get("digest") or "")[:12],
        "Training": architecture(info),
    }


def _list(card: Mapping[str, Any], key: str) -> list[Any]:
    return list(card.get(key) or ())


def _said(title: str, values: Mapping[str, object]) -> Markup:
    known = {name: value for name, value in values.items() if value}
    if not known:
        return Markup("")
    parts = []
    for name, value in known.items():
        if isinstance(value, list):
            items = Markup("").join(Markup("<li>{}</li>").format(one) for one in value)
            shown = Markup("<ul>{}</ul>").format(items)
        else:
            shown = Markup("{}").format(value)
        parts.append(Markup("<dt>{}</dt><dd>{}</dd>").format(name, shown))
    return Markup('<h2>{}</h2><div class="card"><dl class="said">{}</dl></div>').format(
        title, Markup("").join(parts)
    )


def _metrics(evaluation: EvaluationSummary) -> Markup:
    overall = evaluation.overall
    names = _names(overall)
    if not names:
        return Markup(
            '<h2>Metrics</h2><p class="soft">No metrics were recorded with this version.</p>'
        )
    champion = bool(overall.champion)
    columns: list[str | Column] = [Column("Metric", css="name"), Column("Value", number=True)]
    if overall.intervals:
        columns.append(Column("Interval", number=True))
    if champion:
        columns.append(Column(_champion(evaluation), number=True))
    rows: list[list[object]] = []
    for name in names:
        row: list[object] = [breakable(name), _cell(overall.metrics.get(name))]
        if overall.intervals:
            interval = overall.intervals.get(name)
            row.append(f"{number(interval[0])} to {number(interval[1])}" if interval else "")
        if champion:
            row.append(_cell(overall.champion.get(name)))
        rows.append(row)
    return Markup("<h2>Metrics on all evaluation rows</h2>") + render_table(columns, rows)


def _by_slice(evaluation: EvaluationSummary) -> Markup:
    names, slices = _names(evaluation.overall), evaluation.slices[1:]
    if not names or not slices:
        return Markup("")
    main = names[0]
    chart = _chart(evaluation.slices, main, evaluation)
    columns: list[str | Column] = [
        "Slice",
        Column("Rows", number=True),
        *(Column(breakable(n), number=True) for n in names),
    ]
    rows = [
        [
            breakable(slice_metrics.name),
            _cell(slice_metrics.rows),
            *(_cell(slice_metrics.metrics.get(name)) for name in names),
        ]
        for slice_metrics in slices
    ]
    left = (
        Markup('<p class="note">{:,} further slices were not kept.</p>').format(evaluation.left_out)
        if evaluation.left_out
        else Markup("")
    )
    table = render_table(columns, rows, search="slices", rows_column=1)
    whole = Markup("<details><summary>Every metric of {:,} slices</summary>{}{}</details>").format(
        len(slices), table, left
    )
    return Markup("<h2>{} by slice</h2>{}{}").format(breakable(main), chart, whole)


def _chart(slices: Sequence[SliceMetrics], metric: str, evaluation: EvaluationSummary) -> Markup:
    """Draw a metric of all rows and of the largest slices on one scale."""
    drawn = [slice_metrics for slice_metrics in slices if metric in slice_metrics.metrics][
        : MOST_DRAWN + 1
    ]
    values = [
        value
        for slice_metrics in drawn
        for value in (slice_metrics.metrics[metric], slice_metrics.champion.get(metric))
        if value is not None
    ]
    low, high = min(values), max(values)
    champion = any(metric in slice_metrics.champion for slice_metrics in drawn)
    columns: list[str | Column] = [
        "Slice",
        Column("Rows", number=True),
        Column("Value", number=True),
        "",
    ]
    rows = [
        [
            breakable(slice_metrics.name),
            _cell(slice_metrics.rows),
            _cell(slice_metrics.metrics[metric]),
            _dots(slice_metrics.metrics[metric], slice_metrics.champion.get(metric), low, high),
        ]
        for slice_metrics in drawn
    ]
    scale = Markup('<p class="note">The scale goes from {} to {}.</p>').format(
        number(low), number(high)
    )
    colours = [("this version", _VERSION)]
    if champion:
        colours.append((_champion(evaluation).lower(), _CHAMPION))
    return legend(colours) + render_table(columns, rows) + scale


def _dots(value: float, champion: float | None, low: float, high: float) -> Markup:
    def x(one: float) -> float:
        return 7 + (one - low) / ((high - low) or 1.0) * 146

    parts = f'<circle cx="{x(value):.0f}" cy="9" r="5" fill="{_VERSION}"/>'
    if champion is not None:
        parts = (
            f'<path class="between" d="M{x(champion):.0f} 9H{x(value):.0f}"/>'
            f'<circle cx="{x(champion):.0f}" cy="9" r="5" fill="{_CHAMPION}"/>{parts}'
        )
    return Markup(
        '<svg class="dots" viewBox="0 0 160 18" width="160" height="18" aria-hidden="true">'
        f'<path d="M7 9h146"/>{parts}</svg>'
    )


def _champion(evaluation: EvaluationSummary) -> str:
    version = evaluation.champion_version
    return "Champion" if version is None else f"Champion version {version}"


def _names(one: SliceMetrics) -> list[str]:
    return [name for name in one.metrics if name not in _COUNTS]


def _cell(value: float | None) -> Cell:
    if value is None:
        return Cell("-")
    return Cell(f"{value:,}" if isinstance(value, int) else number(value), float(value))
