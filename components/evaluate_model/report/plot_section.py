"""The report's section of plots: curves, confusion matrices, calibration, errors."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from ...lib.report.page import Column, legend, render_table
from ...lib.words import decimals, fixed, number, percent
from ..plot_data import Matrix, ModelPlots
from .charts import COLOURS, calibration_plot, confusion_table, curve_plot, histogram_plot

MOST_CLASSES = 20
MOST_CONFUSIONS = 30


def render_plots(plots: Mapping[str, ModelPlots], label: str) -> Markup:
    """Lay out the plots of the models' predictions.

    Args:
        plots: By `challenger` and `champion`.
        label: Name of the label.

    Returns:
        HTML; empty if there is nothing to show.
    """
    ordered = {who: plots[who] for who in ("challenger", "champion") if who in plots}
    legends = legend([(who, COLOURS[who]) for who in ordered])
    sections = [
        _curves(ordered, legends),
        _binary(ordered),
        _classes(ordered),
        _scores(ordered, legends),
        _calibration(ordered, legends, label),
        _errors(ordered),
    ]
    return Markup("").join(sections)


def _curves(plots: Mapping[str, ModelPlots], legends: Markup) -> Markup:
    curves = {who: plot.curve for who, plot in plots.items() if plot.curve}
    roc = {who: _points(curve, "fall_out", "recall") for who, curve in curves.items()}
    precision = {who: _points(curve, "recall", "precision") for who, curve in curves.items()}
    if not any(len(points) > 1 for points in roc.values()):
        return Markup("")
    return Markup(
        '<h2>ROC and precision-recall</h2>{}<div class="plots"><div class="card">{}</div>'
        '<div class="card">{}</div></div>'
        '<p class="note">The dashed line is random guessing. For a rare class, precision and recall show more than '
        "ROC: they ignore true negatives.</p>"
    ).format(
        legends,
        curve_plot("ROC", "false positive rate", "recall (true positive rate)", roc, True),
        curve_plot("Precision and recall", "recall", "precision", precision),
    )


def _points(curve: Sequence[Matrix], x: str, y: str) -> list[tuple[float, float]]:
    pairs = [(getattr(matrix, x), getattr(matrix, y)) for matrix in curve]
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def _binary(plots: Mapping[str, ModelPlots]) -> Markup:
    tables, rows = Markup(""), []
    for who, plot in plots.items():
        if not plot.matrices:
            continue
        middle = min(plot.matrices, key=lambda m: abs(m.threshold - 0.5))
        tables += confusion_table(
            ["0", "1"],
            [[middle.tn, middle.fp], [middle.fn, middle.tp]],
            f"{who}, predicted 1 above {number(middle.threshold)}",
        )
        rows += [(who, m) for m in plot.matrices]
    if not rows:
        return Markup("")
    rows.sort(key=lambda pair: pair[1].threshold)
    numbers = (
        "Predicted 1",
        "Precision",
        "Recall",
        "False positive rate",
    )
    table = render_table(
        ["Predicted 1 above", "Model", *(Column(name, number=True) for name in numbers)],
        [
            [
                f"{m.threshold:.2f}",
                who,
                f"{m.tp + m.fp:,.0f}",
                *(
                    "undefined" if share is None else percent(share)
                    for share in (m.precision, m.recall, m.fall_out)
                ),
            ]
            for who, m in rows
        ],
    )
    return Markup(
        '<h2>Confusion matrix</h2><div class="plots">{}</div><details><summary>At other thresholds</summary>{}'
        "</details>"
    ).format(tables, table)


def _classes(plots: Mapping[str, ModelPlots]) -> Markup:
    known = {who: plot.classes for who, plot in plots.items() if plot.classes}
    if not known:
        return Markup("")
    count = max(len(table) for table in known.values())
    words = next((plot.class_words for plot in plots.values() if plot.class_words), ())
    names = [*words, *map(str, range(len(words), count))]
    if count <= MOST_CLASSES:
        body = Markup("").join(
            confusion_table(names[: len(table)], table, who) for who, table in known.items()
        )
        body = Markup('<div class="plots">{}</div>').format(body)
    else:
        body = Markup("").join(_confusions(who, table, names) for who, table in known.items())
    rows = []
    for i in range(count):
        row: list[object] = [names[i]]
        for table in known.values():
            row += _class_shares(table, i)
        rows.append(row)
    columns: list[str | Column] = ["Class"]
    for who in known:
        columns += [
            Column(f"{what}, {who}", number=True) for what in ("rows", "recall", "precision")
        ]
    return Markup(
        "<h2>Confusion matrix</h2>{}<details><summary>By class</summary>{}</details>"
    ).format(body, render_table(columns, rows, "classes" if count > MOST_CLASSES else ""))


def _class_shares(table: Sequence[Sequence[float]], i: int) -> list[object]:
    if i >= len(table):
        return ["", "", ""]
    labelled, predicted = sum(table[i]), sum(row[i] for row in table)
    return [
        f"{labelled:,.0f}",
        percent(table[i][i] / labelled) if labelled else "undefined",
        percent(table[i][i] / predicted) if predicted else "undefined",
    ]


def _confusions(who: str, table: Sequence[Sequence[float]], names: Sequence[str]) -> Markup:
    wrong = sorted(
        (
            (value, i, j)
            for i, row in enumerate(table)
            for j, value in enumerate(row)
            if i != j and value
        ),
        key=lambda one: (-one[0], one[1:]),
    )
    rows = [
        [names[i], names[j], f"{value:,.0f}", percent(value / sum(table[i]))]
        for value, i, j in wrong[:MOST_CONFUSIONS]
    ]
    columns: list[str | Column] = [
        "Label",
        "Predicted",
        Column("Rows", number=True),
        Column("Of its label's rows", number=True),
    ]
    return Markup("<h3>{}: the {} most frequent confusions of {:,}</h3>{}").format(
        who, len(rows), len(wrong), render_table(columns, rows)
    )


def _scores(plots: Mapping[str, ModelPlots], legends: Markup) -> Markup:
    known = {who: plot.histogram for who, plot in plots.items() if plot.histogram}
    if not known:
        return Markup("")
    first = next(iter(known.values()))
    # A champion of other classes may have other buckets.
    known = {who: one for who, one in known.items() if one.edges == first.edges}
    cards = Markup("")
    for group in first.groups:
        series, counts = {}, []
        for who, one in known.items():
            weights = one.groups.get(group, ())
            total = sum(weights)
            if total:
                series[who] = [weight / total for weight in weights]
                counts.append(total)
        if series:
            title = f"{group} ({max(counts):,.0f} rows)"
            cards += Markup('<div class="card"><h3>{}</h3>{}</div>').format(
                title, histogram_plot(title, first.edges, series, "prediction")
            )
    note = ""
    if first.of_own_class:
        note = "The prediction for each row's own class: the further to the right, the better."
    elif len(first.groups) > 1:
        note = "The further apart the two labels are, the better the model distinguishes them."
    elif first.has_tails:
        note = "The first and last bucket have what lies beyond, too."
    return Markup('<h2>Scores</h2>{}<div class="plots">{}</div><p class="note">{}</p>').format(
        legends, cards, note
    )


def _calibration(plots: Mapping[str, ModelPlots], legends: Markup, label: str) -> Markup:
    points = {who: plot.calibration for who, plot in plots.items() if plot.calibration}
    if not points:
        return Markup("")
    two_labels = any(plot.curve for plot in plots.values())
    note = (
        "On the dashed line predictions are calibrated: of the rows predicted at 0.3, three in ten are positive."
        if two_labels
        else f"On the dashed line the mean of {label} is the mean prediction. Above it, predictions are too low."
    )
    return Markup(
        '<h2>{}</h2>{}<div class="plots"><div class="card">{}</div></div><p class="note">{}</p>'
    ).format(
        "Calibration" if two_labels else "Predictions and labels",
        legends,
        calibration_plot(points, two_labels),
        note,
    )


def _errors(plots: Mapping[str, ModelPlots]) -> Markup:
    known = {who: plot for who, plot in plots.items() if plot.errors}
    if not known:
        return Markup("")
    shares = list(next(iter(known.values())).errors)
    every = [value for one in known.values() for value in (*one.errors.values(), one.bias or 0.0)]
    places = decimals(every)
    table = render_table(
        [
            "Model",
            Column("Mean error", number=True),
            *(Column(f"{percent(share)} of the rows within", number=True) for share in shares),
        ],
        [
            [
                who,
                fixed(one.bias or 0.0, places),
                *(fixed(one.errors[share], places) for share in shares),
            ]
            for who, one in known.items()
        ],
    )
    return Markup(
        '<h2>Errors</h2>{}<p class="note">An error is prediction minus label.</p>'
    ).format(table)
