"""The statistics report: each column's distribution in training and evaluation."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from ..lib.charts import Series, distribution_chart
from ..lib.report import isolated, legend, render_page, render_table, unbroken
from ..lib.statistics import (
    SPLIT_WORDS,
    TYPE_NAMES,
    Feature,
    Statistics,
    StatisticsIndex,
    common,
    features_by_name,
    is_number,
    missing_share,
    row_count,
    span_folder,
    split_folder,
)
from ..lib.words import name_spans, number, percent, plural

TRAIN_COLOR, EVAL_COLOR = "var(--train)", "var(--eval)"
# More would make a page that no browser likes; the statistics have them all.
MAX_CARDS = 300


def render(
    index: StatisticsIndex,
    folders: Mapping[str, Statistics],
    verdict: str,
    notes: Sequence[str] = (),
) -> str:
    """Lay out the report.

    Args:
        index: What was computed.
        folders: Statistics by folder name.
        verdict: The verdict, shown on top.
        notes: Sentences for the reader.

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
            span_table(index, {span: folders[span_folder(span)] for span in index.spans}, {}),
        ]
    )
    return render_page("Statistics", verdict, True, facts, body, words=("computed", ""))


def _card(name: str, train: Feature | None, evaluation: Feature | None, label: bool) -> Markup:
    known = train if train is not None else evaluation
    kind = TYPE_NAMES.get(known.type, "") if known is not None else ""
    series = [
        Series("training", TRAIN_COLOR, train, filled=True),
        Series("evaluation", EVAL_COLOR, evaluation),
    ]
    return Markup(
        '<div class="card"><h3>{} <span class="soft" style="font-weight:400">{}{}</span></h3>'
        "{}{}</div>"
    ).format(
        isolated(name),
        kind,
        ", the label" if label else "",
        distribution_chart(name, series),
        figure_lines(series),
    )


def figure_lines(series: Sequence[Series]) -> Markup:
    """Sum a column up in a line for each dataset.

    Args:
        series: The datasets, as the chart above the lines has them.

    Returns:
        HTML.
    """
    return Markup("").join(
        Markup('<div style="font-size:12.5px"><span style="color:{}">{}</span> {}</div>').format(
            one.color, one.name, figures(one.feature)
        )
        for one in series
    )


def figures(feature: Feature | None) -> str:
    """Sum a column up in a line: missing share, and mean and spread, or how many values.

    Args:
        feature: Its statistics; None if the dataset lacks it.
    """
    if feature is None:
        return "no such column"
    missing = missing_share(feature)
    words = [] if missing == 0 else [f"{percent(missing)} missing"]
    if missing == 1:
        return words[0]
    if is_number(feature):
        words += _number_words(feature)
    else:
        unique = feature.string_stats.unique
        words.append(plural(unique, "value"))
    return ", ".join(words)


def _number_words(feature: Feature) -> list[str]:
    stats = feature.num_stats
    # Where all cells hold no number, TFDV leaves the buckets out and the count in.
    nan = int(max((histogram.num_nan for histogram in stats.histograms), default=0))
    words = [f"{nan:,} not a number"] if nan else []
    if nan == common(feature).num_non_missing:
        return words
    if np.isfinite([stats.mean, stats.min, stats.max]).all():
        words.append(f"mean {number(stats.mean)}")
        # Of numbers whose squares are beyond floating point TFDV gives none, or 0.
        if stats.std_dev > 0 or stats.min == stats.max:
            words.append(f"std {number(stats.std_dev)}")
        return [*words, f"{number(stats.min)} to {number(stats.max)}"]
    # With an infinite value there is no mean and no spread; the finite ones are all in the buckets between.
    ends = [
        end
        for histogram in stats.histograms
        if histogram.type == histogram.STANDARD
        for bucket in histogram.buckets
        for end in (bucket.low_value, bucket.high_value)
        if np.isfinite(end)
    ]
    if not ends:
        return [*words, "infinite values alone"]
    return [*words, f"some infinite, others {number(min(ends))} to {number(max(ends))}"]


def span_table(
    index: StatisticsIndex, spans: Mapping[str, Statistics], further: Mapping[str, Sequence[object]]
) -> Markup:
    """Lay out the spans: what each is used for, its rows, and how many were read and set aside.

    Args:
        index: What was computed.
        spans: Statistics by span.
        further: More columns by heading, a cell for each span.

    Returns:
        HTML.
    """
    # What was kept is what the statistics count as rows.
    names = dict.fromkeys(name for counts in index.counts.values() for name in counts)
    names.pop("kept", None)
    rows = []
    for i, span in enumerate(index.spans):
        splits = [SPLIT_WORDS[split] for split, own in index.split_spans.items() if span in own]
        rows.append(
            [
                unbroken(span),
                " and ".join(splits),
                f"{row_count(spans[span]):,}",
                *(f"{index.counts.get(span, {}).get(name, 0):,}" for name in names),
                *(cells[i] for cells in further.values()),
            ]
        )
    return Markup(render_table(["span", "used for", "rows", *names, *further], rows))
