"""The evaluation as one page: the verdict, what it hangs on, and where the models differ."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from markupsafe import Markup, escape

from ..lib.report import render_page
from ..lib.verdicts import Champion
from ..lib.words import number
from .charts import bar, calibration_plot, dots, legend
from .checks import Check
from .gate import MOST_REASONS_IN_VERDICT, Verdict, rule
from .results import ROWS, CalibrationPoint, Evaluation, SliceResult
from .values import Value

MOST_CHECKS = 60
MOST_SLICES = 200
WORST = 3
TOO_SMALL = 0.00005
"""Changes below it are shown as none: they vanish in the four decimals of the tables."""
RIGHT_IN_SLICES = {1, 3, 4, 5}
LOWER_IS_BETTER = (
    "loss",
    "entropy",
    "error",
    "false_",
    "fnr",
    "fpr",
    "miss_rate",
    "fall_out",
    "fn",
    "fp",
)

STYLE = """<style>
.legend { display: flex; gap: 18px; margin: 0 0 8px; color: var(--soft); font-size: 13px; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 5px; margin-right:
6px; } .bar { display: inline-block; width: 72px; height: 8px; margin-left: 10px; background:
var(--wash);
  border-radius: 4px; overflow: hidden; vertical-align: middle; }
.bar i { display: block; height: 100%; background: var(--before); }
.dots { display: inline-block; vertical-align: middle; min-width: 200px; }
.chart { width: 100%; max-width: 480px; margin: 0 auto; }
.chart text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.pill { display: inline-block; padding: 1px 9px; border-radius: 10px; font-size: 13px; white-space:
nowrap; } .pill.good { background: #e3f4ea; } .pill.bad { background: #fce8e4; }
tr.group td { background: var(--wash); font-weight: 600; font-size: 13px; color: var(--soft); }
table.wide td, table.wide th { white-space: nowrap; }
ul.reasons { margin: 0; padding-left: 20px; }
.note { color: var(--soft); font-size: 13px; margin: 6px 0 0; }
.worst { margin: 0; padding: 0; list-style: none; font-variant-numeric: tabular-nums; }
.worst li { display: flex; justify-content: space-between; gap: 12px; padding: 3px 0; }
details { margin-top: 14px; } summary { cursor: pointer; color: var(--soft); }
</style>"""


def render(
    evaluation: Evaluation, verdict: Verdict, champion: Champion, facts: Mapping[str, object]
) -> str:
    """Lay out the report.

    Args:
        evaluation: What TFMA computed and judged.
        verdict: The gate's verdict.
        champion: What the challenger was compared with.
        facts: Short facts to stand under the verdict.

    Returns:
        A whole HTML document that needs nothing else.
    """
    metric = _main_metric(evaluation)
    body = [
        STYLE,
        _reasons(verdict),
        _thresholds(evaluation.checks, champion),
        _metrics(evaluation, champion),
        _worst(evaluation, metric, champion),
        _slices(evaluation, metric, champion),
        _calibration(evaluation.overall, champion),
        _all_metrics(evaluation, champion),
    ]
    return render_page(
        "Evaluation of the challenger",
        verdict.sentence.split(": ", 1)[1],
        verdict.blessed,
        facts,
        "".join(body),
        words=("blessed", "refused"),
    )


def _reasons(verdict: Verdict) -> str:
    if len(verdict.reasons) <= MOST_REASONS_IN_VERDICT:
        return ""
    items = Markup("").join(Markup("<li>{}</li>").format(reason) for reason in verdict.reasons)
    return f"<h2>Why it is refused</h2><div class=card><ul class=reasons>{items}</ul></div>"


def _thresholds(checks: Sequence[Check], champion: Champion) -> str:
    if not checks:
        return "<h2>Thresholds</h2><p class=soft>None is set, so nothing can be blessed.</p>"
    columns = ["", "Metric", "Slice", "Asked for", "Challenger"]
    if champion.exists:
        columns += [_headline(champion), "Change"]
    first = [check for check in checks if check.failed or check.slice == "overall"]
    rest = [check for check in checks if not check.failed and check.slice != "overall"]
    html = ""
    if first:
        html += _table(columns, [_check_row(c, champion) for c in first[:MOST_CHECKS]], 4)
    judged = [check for check in checks if not check.not_judged]
    passed = sum(check.passed for check in judged)
    html += f"<p class=note>{passed} of {len(judged)} thresholds passed.</p>"
    if rest:
        table = _table(columns, [_check_row(c, champion) for c in rest[:MOST_CHECKS]], 4)
        html += f"<details><summary>{len(rest)} on single slices passed or not judged</summary>{table}</details>"
    return f"<h2>Thresholds</h2>{html}"


def _check_row(check: Check, champion: Champion) -> list[object]:
    pill = Markup('<span class="pill {}">{}</span>').format(
        *(
            ("good", "passed")
            if check.passed
            else ("bad", "failed")
            if check.failed
            else ("soft", "not judged")
        )
    )
    row: list[object] = [pill, check.metric, check.slice, rule(check.threshold)]
    row.append(_cell(check.value))
    if champion.exists:
        known = check.value is not None and check.champion is not None
        change = check.value - check.champion if known else None  # type: ignore[operator]
        row += [_cell(check.champion), _change(check.metric, change)]
    return row


def _metrics(evaluation: Evaluation, champion: Champion) -> str:
    overall = evaluation.overall
    rows: list[list[object]] = []
    for name, value in overall.challenger.items():
        if name == ROWS:
            continue
        row: list[object] = [name, _with_interval(value)]
        if champion.exists:
            theirs, change = overall.champion.get(name), overall.change.get(name)
            row += [
                _with_interval(theirs) if theirs else "",
                _change(name, change.value if change else None),
            ]
        rows.append(row)
    columns = [
        "Metric",
        "Challenger",
        *([_headline(champion), "Change"] if champion.exists else []),
    ]
    return f"<h2>Metrics on all eval rows</h2>{_table(columns, rows, 1)}" if rows else ""


def _worst(evaluation: Evaluation, metric: str | None, champion: Champion) -> str:
    slices = [s for s in evaluation.slices[1:] if metric and _finite(s.challenger.get(metric))]
    if not metric or len(slices) < 2:
        return ""
    sign = _direction(metric) or 1
    weakest = sorted(slices, key=lambda s: sign * s.challenger[metric].value)[:WORST]
    cards = [(f"Weakest in {metric}", [(s, _cell(s.challenger[metric].value)) for s in weakest])]
    if champion.exists:
        changed = [s for s in slices if _finite(s.change.get(metric))]
        for title, factor in (("Most lost against the champion", 1), ("Most gained", -1)):
            ranked = sorted(changed, key=lambda s: factor * sign * s.change[metric].value)
            some = [s for s in ranked if factor * sign * s.change[metric].value < -TOO_SMALL][
                :WORST
            ]
            cards.append((title, [(s, _change(metric, s.change[metric].value)) for s in some]))
    html = "".join(
        f"<div class=card><h3>{escape(title)}</h3><ul class=worst>"
        + (
            "".join(
                Markup(
                    "<li><span>{} <span class=soft>{:,} rows</span></span><span>{}</span></li>"
                ).format(s.name, s.rows or 0, text)
                for s, text in items
            )
            or "<li class=soft>no slice</li>"
        )
        + "</ul></div>"
        for title, items in cards
    )
    return f"<h2>Slices at the ends</h2><div class=cards>{html}</div>"


def _slices(evaluation: Evaluation, metric: str | None, champion: Champion) -> str:
    if not metric or len(evaluation.slices) < 2:
        return ""
    shown = evaluation.slices[: MOST_SLICES + 1]
    values = [
        side[metric].value
        for s in shown
        for side in (s.challenger, s.champion)
        if _finite(side.get(metric))
    ]
    low, high = min(values, default=0.0), max(values, default=1.0)
    most = max((s.rows or 0) for s in evaluation.slices) or 1
    head = ["Slice", "Rows", f"{metric}, {number(low)} to {number(high)}", "Challenger"]
    if champion.exists:
        head += [_headline(champion), "Change"]
    body = []
    ordered = sorted(shown, key=_columns)
    for columns, group in groupby(ordered, key=_columns):
        if columns:
            body.append(
                f"<tr class=group><td colspan={len(head)}>by {escape(', '.join(columns))}</td></tr>"
            )
        for s in group:
            mine, theirs = s.challenger.get(metric), s.champion.get(metric)
            cells: list[object] = [
                escape(", ".join(str(value) for _, value in s.key) or "overall"),
                Markup("{}{}").format(
                    f"{s.rows:,}" if s.rows is not None else "hidden", bar((s.rows or 0) / most)
                ),
                dots(mine.value if mine else None, theirs.value if theirs else None, low, high),
                _cell(mine.value if mine else None),
            ]
            if champion.exists:
                change = s.change.get(metric)
                cells += [
                    _cell(theirs.value if theirs else None),
                    _change(metric, change.value if change else None),
                ]
            body.append(_row("td", cells, RIGHT_IN_SLICES))
    rest = len(evaluation.slices) - len(shown)
    note = f"<p class=note>{rest} smaller slices are not shown here.</p>" if rest else ""
    return (
        f"<h2>{escape(metric)} by slice</h2>{legend(champion.exists)}"
        f'<div class="scroll"><table class=wide><thead>{_row("th", head, RIGHT_IN_SLICES)}</thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>{note}"
    )


def _calibration(overall: SliceResult, champion: Champion) -> str:
    if not overall.calibration:
        return ""
    ordered: dict[str, Sequence[CalibrationPoint]] = {
        who: overall.calibration[who]
        for who in ("challenger", "champion")
        if who in overall.calibration
    }
    return (
        f"<h2>Calibration</h2>{legend(champion.exists)}<div "
        f"class=card>{calibration_plot(ordered)}</div><p class=note>On the dashed line a "
        "prediction means what it says: of the rows predicted at 0.3, three in ten are "
        "positive.</p>"
    )


def _all_metrics(evaluation: Evaluation, champion: Champion) -> str:
    names = [n for n in evaluation.overall.challenger if n != ROWS]
    if len(evaluation.slices) < 2 or len(names) < 2:
        return ""
    rows = []
    for s in evaluation.slices[: MOST_SLICES + 1]:
        row: list[object] = [s.name, f"{s.rows:,}" if s.rows is not None else "hidden"]
        for name in names:
            value, change = s.challenger.get(name), s.change.get(name)
            text = _cell(value.value if value else None)
            if change:
                text += Markup(" ") + _change(name, change.value)
            row.append(text)
        rows.append(row)
    beside = " (change against the champion)" if champion.exists else ""
    return (
        "<details><summary>Every metric of every "
        f"slice{beside}</summary>{_table(['Slice', 'Rows', *names], rows, 1)}</details>"
    )


def _main_metric(evaluation: Evaluation) -> str | None:
    """Choose what the slices are shown by: the first metric with a threshold, else the first."""
    computed = [name for name in evaluation.overall.challenger if name != ROWS]
    wanted = [check.metric for check in evaluation.checks if check.metric in computed]
    return next(iter([*wanted, *computed]), None)


def _columns(s: SliceResult) -> tuple[str, ...]:
    return tuple(column for column, _ in s.key)


def _headline(champion: Champion) -> str:
    return champion.name[0].upper() + champion.name[1:]


def _direction(metric: str) -> int:
    """Tell which way a metric is better: 1 upwards, -1 downwards."""
    if metric == ROWS or metric.startswith(
        ("mean_label", "mean_prediction", "calibration", "weighted_")
    ):
        return 0
    return -1 if any(word in metric for word in LOWER_IS_BETTER) else 1


def _change(metric: str, value: float | None) -> Markup:
    if value is None:
        return Markup("")
    if not math.isfinite(value):
        return Markup('<span class="soft">undefined</span>')
    if abs(value) < TOO_SMALL:
        return Markup('<span class="soft">±0.0000</span>')
    text = ("+" if value > 0 else "-") + _fixed(abs(value))
    direction = _direction(metric)
    kind = "soft" if not direction else "good" if value * direction > 0 else "bad"
    return Markup('<span class="{}">{}</span>').format(kind, text)


def _fixed(value: float) -> str:
    return f"{value:,.4f}" if abs(value) < 100 else f"{value:,.1f}"


def _cell(value: float | None) -> Markup:
    if value is None:
        return Markup("")
    return Markup(_fixed(value) if math.isfinite(value) else "undefined")


def _with_interval(value: Value) -> Markup:
    text = _cell(value.value)
    if value.interval:
        low, high = value.interval
        text += Markup(' <span class="soft">({} to {})</span>').format(_cell(low), _cell(high))
    return text


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]], numbers_from: int) -> str:
    """Lay out a table whose columns from `numbers_from` on are numbers."""
    right = set(range(numbers_from, len(columns)))
    body = "".join(_row("td", row, right) for row in rows)
    return (
        f'<div class="scroll"><table class=wide><thead>{_row("th", columns, right)}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(tag: str, cells: Sequence[object], right: set[int]) -> str:
    return (
        "<tr>"
        + "".join(
            f"<{tag}{' class=number' if i in right else ''}>{escape(cell)}</{tag}>"
            for i, cell in enumerate(cells)
        )
        + "</tr>"
    )


def _finite(value: Value | None) -> bool:
    return value is not None and math.isfinite(value.value)
