"""The statistics report: each column's distribution in training and evaluation."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from ..lib.report.charts import Series, distribution_chart
from ..lib.report.page import isolated, legend, place_of, render_page
from ..lib.report.statistics_parts import (
    EVAL_COLOR,
    MAX_CARDS,
    TRAIN_COLOR,
    figure_lines,
    label_cells,
    span_table,
)
from ..lib.statistics.statistics_artifact import (
    TYPE_NAMES,
    Feature,
    Statistics,
    StatisticsIndex,
    features_by_name,
    row_count,
    span_folder,
    split_folder,
)
from ..lib.words import name_spans, plural


def render(
    index: StatisticsIndex,
    folders: Mapping[str, Statistics],
    verdict: str,
    notes: Sequence[str] = (),
    path: str = "",
) -> str:
    """Lay out the report.

    Args:
        index: What was computed.
        folders: Statistics by folder name.
        verdict: The verdict, shown on top.
        notes: Sentences for the reader.
        path: Where the page is written.

    Returns:
        A whole HTML document.
    """
    train = folders[split_folder("train")]
    evaluation = folders[split_folder("eval")]
    facts = {
        "training": f"{plural(row_count(train), 'row')} of {name_spans(index.split_spans['train'])}",
        "evaluation": f"{plural(row_count(evaluation), 'row')} of {name_spans(index.split_spans['eval'])}",
        "label": index.label,
    }
    in_train, in_eval = features_by_name(train), features_by_name(evaluation)
    columns = list(dict.fromkeys([*in_train, *in_eval]))
    spans = {span: folders[span_folder(span)] for span in index.spans}
    cards = Markup("").join(
        _card(name, in_train.get(name), in_eval.get(name), name == index.label)
        for name in columns[:MAX_CARDS]
    )
    more = len(columns) - MAX_CARDS
    body = Markup("").join(
        [
            Markup("").join(Markup('<p class="warn">{}</p>').format(note) for note in notes),
            Markup("<h2>Columns</h2>"),
            legend([("training", TRAIN_COLOR), ("evaluation", EVAL_COLOR)]),
            Markup('<div class="cards">{}</div>').format(cards),
            Markup('<p class="soft">and {} more columns</p>').format(more) if more > 0 else "",
            Markup("<h2>Spans</h2>"),
            span_table(index, spans, label_cells(index, spans)[0]),
        ]
    )
    return render_page(
        "Statistics", verdict, True, facts, body, ("computed", ""), place=place_of(path)
    )


def _card(name: str, train: Feature | None, evaluation: Feature | None, label: bool) -> Markup:
    known = train if train is not None else evaluation
    kind = TYPE_NAMES.get(known.type, "") if known is not None else ""
    series = [
        Series("training", TRAIN_COLOR, train, filled=True),
        Series("evaluation", EVAL_COLOR, evaluation),
    ]
    return Markup(
        '<div class="card"><h3>{} <span class="soft plain">{}{}</span></h3>{}{}</div>'
    ).format(
        isolated(name),
        kind,
        ", the label" if label else "",
        distribution_chart(name, series),
        figure_lines(series),
    )
