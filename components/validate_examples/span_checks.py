"""What TFDV does not look at: rows by span, the label, columns that say nothing."""

import math
from collections.abc import Mapping, Sequence
from statistics import median

from ..lib.statistics import (
    SPLIT_WORDS,
    Feature,
    Statistics,
    StatisticsIndex,
    common,
    constant_value,
    features_by_name,
    is_number,
    row_count,
    value_counts,
)
from ..lib.words import number, of_spans, percent
from .findings import Finding
from .label_rate import check_label_rate
from .same_data import check_same_data
from .settings import Settings

# Of so many a column is one of numbers, but for some cells.
_MANY_NUMBERS = 0.9


def check_spans(
    index: StatisticsIndex,
    spans: Mapping[str, Statistics],
    splits: Mapping[str, Statistics],
    settings: Settings,
) -> list[Finding]:
    """Look at rows, label and columns by span.

    Args:
        index: What the statistics are of.
        spans: Statistics by span, oldest first.
        splits: Statistics of `train` and `eval`.
        settings: What is too much or too little.
    """
    return [
        *_rows(index, spans, settings),
        *check_same_data(spans),
        *_label(index, splits),
        *_label_rate(index, spans, settings),
        *_infinite(index, spans),
        *_numbers_in_text(index, spans),
        *_silent_columns(index, [features_by_name(span) for span in spans.values()]),
    ]


def _rows(
    index: StatisticsIndex, spans: Mapping[str, Statistics], settings: Settings
) -> list[Finding]:
    rows = {span: row_count(statistics) for span, statistics in spans.items()}
    findings = [
        Finding("no_rows", "", f"span {span}", "0 rows", "some")
        for span, count in rows.items()
        if count == 0
    ]
    earlier = [rows[span] for span in index.earlier if rows[span]]
    newest = rows[index.newest]
    if not earlier or not newest:
        return findings
    usual = median(earlier)
    where, seen = f"span {index.newest}", f"{newest:,} rows"
    if newest < settings.min_rows_fraction * usual:
        expected = (
            f"at least {percent(settings.min_rows_fraction)} of the {usual:,.0f} "
            "that earlier spans have"
        )
        findings.append(Finding("few_rows", "", where, seen, expected))
    if newest > settings.max_rows_factor * usual:
        expected = (
            f"at most {settings.max_rows_factor:g} times the {usual:,.0f} that earlier spans have"
        )
        findings.append(Finding("many_rows", "", where, seen, expected))
    return findings


def _label(index: StatisticsIndex, splits: Mapping[str, Statistics]) -> list[Finding]:
    findings = []
    for split, name in SPLIT_WORDS.items():
        if not row_count(splits[split]):
            continue
        where = f"{name} ({', '.join(index.split_spans[split])})"
        feature = features_by_name(splits[split]).get(index.label)
        if feature is None:
            findings.append(
                Finding("missing_column", index.label, where, "no such column", "the label")
            )
            continue
        value = constant_value(feature)
        if value is not None:
            findings.append(
                Finding(
                    "constant_label",
                    index.label,
                    where,
                    f"'{value}' in every row",
                    "at least two values",
                )
            )
    return findings


def _label_rate(
    index: StatisticsIndex, spans: Mapping[str, Statistics], settings: Settings
) -> list[Finding]:
    labels = {
        span: feature
        for span, statistics in spans.items()
        if (feature := features_by_name(statistics).get(index.label)) is not None
    }
    if index.newest not in labels or not row_count(spans[index.newest]):
        return []
    before = [span for span in index.earlier if span in labels]
    usual = median([row_count(spans[span]) for span in before] or [0])
    # The rate of a few left-over rows would make any other look usual.
    enough = [s for s in before if row_count(spans[s]) >= settings.min_rows_fraction * usual]
    return check_label_rate(
        index.label, index.newest, labels[index.newest], [labels[s] for s in enough], settings
    )


def _infinite(index: StatisticsIndex, spans: Mapping[str, Statistics]) -> list[Finding]:
    findings = []
    for split, name in SPLIT_WORDS.items():
        found: dict[str, list[str]] = {}
        bounds: dict[str, tuple[float, float]] = {}
        for span in index.split_spans[split]:
            for column, feature in features_by_name(spans[span]).items():
                stats = feature.num_stats
                if is_number(feature) and (math.isinf(stats.min) or math.isinf(stats.max)):
                    found.setdefault(column, []).append(span)
                    bounds[column] = stats.min, stats.max
        findings += [
            Finding(
                "infinite",
                column,
                f"{name} ({', '.join(names)})",
                f"from {number(bounds[column][0])} to {number(bounds[column][1])}",
                "finite numbers",
            )
            for column, names in found.items()
        ]
    return findings


def _numbers_in_text(index: StatisticsIndex, spans: Mapping[str, Statistics]) -> list[Finding]:
    found: dict[str, tuple[list[str], float, str]] = {}
    for span, statistics in spans.items():
        for column, feature in features_by_name(statistics).items():
            if is_number(feature) or column in (*index.key, index.label):
                continue
            counts = value_counts(feature)
            others = [value for value in counts if not _is_number(value)]
            share = 1 - sum(counts[value] for value in others) / max(sum(counts.values()), 1)
            if others and share >= _MANY_NUMBERS:
                found.setdefault(column, ([], share, others[0]))[0].append(span)
    return [
        Finding(
            "numbers_in_text",
            column,
            of_spans(names),
            f"{percent(share)} numbers, and others such as '{example}'",
            "numbers alone, or text",
        )
        for column, (names, share, example) in found.items()
    ]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _silent_columns(
    index: StatisticsIndex, spans: Sequence[Mapping[str, Feature]]
) -> list[Finding]:
    findings = []
    where = f"span {index.newest}"
    for column, feature in spans[-1].items():
        if column == index.label:
            continue
        before = [span[column] for span in spans[:-1] if column in span]
        filled = [one for one in before if common(one).num_non_missing]
        if not common(feature).num_non_missing:
            findings.append(_empty(column, where, bool(filled)))
            continue
        value = constant_value(feature)
        if value is None:
            continue
        seen = f"'{_plain(feature, value)}' in every row"
        values = [constant_value(one) for one in filled]
        if all(one == value for one in values):
            where_all = "every span of the window" if values else where
            findings.append(Finding("constant_column", column, where_all, seen, "several values"))
        elif None in values:
            expected = "several values, as in earlier spans"
            findings.append(Finding("became_constant", column, where, seen, expected))
    return findings


def _empty(column: str, where: str, was_filled: bool) -> Finding:
    seen = "every cell is empty"
    if not was_filled:
        return Finding("all_missing", column, where, seen, "values")
    return Finding("became_empty", column, where, seen, "values, as in earlier spans")


def _plain(feature: Feature, value: str) -> str:
    return number(float(value)) if is_number(feature) else value
