"""Parts of the statistics and the validation report: a column in a line, and the table of spans."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from ..statistics.statistics_artifact import (
    SPLIT_WORDS,
    Feature,
    Statistics,
    StatisticsIndex,
    common,
    features_by_name,
    is_number,
    missing_share,
    row_count,
)
from ..words import number, percent, plural
from .charts import Series
from .page import Column, render_table, unbroken

TRAIN_COLOR, EVAL_COLOR = "var(--train)", "var(--eval)"
# More make a page that browsers are slow to show; the statistics have all.
MAX_CARDS = 300


def figure_lines(series: Sequence[Series]) -> Markup:
    """Summarize a column in a line for each dataset.

    Args:
        series: The datasets, as the chart above the lines has them.

    Returns:
        HTML.
    """
    return Markup("").join(
        Markup('<div class="line"><span style="color:{}">{}</span> {}</div>').format(
            one.color, one.name, figures(one.feature)
        )
        for one in series
    )


def figures(feature: Feature | None) -> str:
    """Summarize a column in a line: missing share, and mean and spread, or number of values.

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
    # If all cells are NaN, TFDV writes their count without buckets.
    nan = int(max((histogram.num_nan for histogram in stats.histograms), default=0))
    words = [f"{nan:,} NaN"] if nan else []
    if nan == common(feature).num_non_missing:
        return words
    if np.isfinite([stats.mean, stats.min, stats.max]).all():
        words += [f"mean {number(stats.mean)}", f"median {number(stats.median)}"]
        if 0 < (zeros := stats.num_zeros / common(feature).num_non_missing) < 1:
            words.append(f"{percent(zeros)} zeros")
        # If squares exceed floating point, TFDV returns none, or 0.
        if stats.std_dev > 0 or stats.min == stats.max:
            words.append(f"std {number(stats.std_dev)}")
        return [*words, f"{number(stats.min)} to {number(stats.max)}"]
    # With an infinite value there is no mean and no spread; the finite ones are in the buckets between.
    ends = [
        end
        for histogram in stats.histograms
        if histogram.type == histogram.STANDARD
        for bucket in histogram.buckets
        for end in (bucket.low_value, bucket.high_value)
        if np.isfinite(end)
    ]
    if not ends:
        return [*words, "only infinite values"]
    return [*words, f"some infinite, others {number(min(ends))} to {number(max(ends))}"]


def span_table(
    index: StatisticsIndex, spans: Mapping[str, Statistics], further: Mapping[str, Sequence[object]]
) -> Markup:
    """Lay out the spans: use, rows, and rows read and quarantined.

    Args:
        index: What was computed.
        spans: Statistics by span.
        further: More columns by heading, a cell for each span.

    Returns:
        HTML.
    """
    # The statistics count the rows that were kept.
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
    return render_table(
        ["span", "used for", *(Column(one, number=True) for one in ("rows", *names, *further))],
        rows,
    )


def label_cells(
    index: StatisticsIndex, spans: Mapping[str, Statistics]
) -> tuple[dict[str, list[object]], str, list[float | None]]:
    """Summarize a numeric label by span: the rate of 1 for 0 and 1, else mean and median.

    Args:
        index: What was computed.
        spans: Statistics by span.

    Returns:
        Cells for `span_table`, and name and values of a trend over the spans; nothing for a text label.
    """
    label = index.label
    features = [features_by_name(span).get(label) for span in spans.values()]
    known = [
        feature for feature in features if feature is not None and common(feature).num_non_missing
    ]
    if not known or not all(is_number(one) for one in known):
        return {}, "", []
    means = [_stat(feature, "mean") for feature in features]
    if all({one.num_stats.min, one.num_stats.max} <= {0.0, 1.0} for one in known):
        name = f"rate of {label}"
        return {name: ["" if m is None else percent(m) for m in means]}, name, means
    medians = [_stat(feature, "median") for feature in features]
    cells: dict[str, list[object]] = {
        f"{what} of {label}": ["" if value is None else number(value) for value in values]
        for what, values in (("mean", means), ("median", medians))
    }
    return cells, f"mean of {label}", means


def _stat(feature: Feature | None, name: str) -> float | None:
    if feature is None or not common(feature).num_non_missing:
        return None
    value = float(getattr(feature.num_stats, name))
    return value if np.isfinite(value) else None
