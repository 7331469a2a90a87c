"""What TFDV does not look at: rows by span, the label, columns that say nothing."""

from collections.abc import Mapping, Sequence
from statistics import median

from ..lib.charts import number, percent
from ..lib.distributions import text_shares
from ..lib.statistics import (
    Feature,
    Statistics,
    StatisticsIndex,
    common,
    constant_value,
    features_by_name,
    is_number,
    row_count,
)
from .findings import Finding, acceptance
from .same_data import check_same_data
from .settings import Settings

# A rate of fewer rows than these is three times another by chance.
_MIN_LABEL_ROWS = 30


def check_spans(
    index: StatisticsIndex,
    spans: Mapping[str, Statistics],
    splits: Mapping[str, Statistics],
    earlier: Statistics | None,
    settings: Settings,
) -> list[Finding]:
    """Look at rows, label and columns by span.

    Args:
        index: What the statistics are of.
        spans: Statistics by span, oldest first.
        splits: Statistics of `train` and `eval`.
        earlier: Statistics of all spans but the newest; None if there is one span.
        settings: What is too much or too little.
    """
    newest = features_by_name(spans[index.newest])
    return [
        *_rows(index, spans, settings),
        *check_same_data(spans),
        *_label(index, splits),
        *_label_rate(index, newest, earlier, settings),
        *_silent_columns(index, [features_by_name(span) for span in spans.values()]),
    ]


def label_rate(feature: Feature | None) -> float | None:
    """Tell the rate of a label of 0 and 1, or None if it is another kind of label."""
    if feature is None or not is_number(feature) or not common(feature).num_non_missing:
        return None
    stats = feature.num_stats
    whole = feature.type == Feature.INT or {stats.min, stats.max} <= {0.0, 1.0}
    return stats.mean if whole and stats.min >= 0 and stats.max <= 1 else None


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
    for split, name in (("train", "training"), ("eval", "evaluation")):
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
    index: StatisticsIndex,
    newest: Mapping[str, Feature],
    earlier: Statistics | None,
    settings: Settings,
) -> list[Finding]:
    if earlier is None or index.label not in newest:
        return []
    before = features_by_name(earlier).get(index.label)
    if before is None:
        return []
    now = newest[index.label]
    rates = label_rate(now), label_rate(before)
    if rates[0] is not None and rates[1] is not None:
        moved = abs(rates[0] - rates[1])
        factor = _rate_factor(now, before)
        seen = f"rate {percent(rates[0])}, {percent(rates[1])} in the earlier spans"
    elif not is_number(now) and not is_number(before):
        shares, shares_before = text_shares(now), text_shares(before)
        moves = {
            value: abs(shares.get(value, 0.0) - shares_before.get(value, 0.0))
            for value in shares | shares_before
        }
        value = max(moves, key=lambda one: moves[one], default="")
        moved = moves.get(value, 0.0)
        factor = 1.0
        seen = (
            f"'{value}' in {percent(shares.get(value, 0.0))} of the rows, "
            f"{percent(shares_before.get(value, 0.0))} in the earlier spans"
        )
    else:
        return []
    if moved > settings.max_label_change:
        expected = f"a change of at most {percent(settings.max_label_change)} of the rows"
    elif factor > settings.max_label_factor:
        expected = f"at most {settings.max_label_factor:g} times as many, or as few"
    else:
        return []
    return [Finding("label_rate", index.label, f"span {index.newest}", seen, expected)]


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
            remedy = f"fix the source, or accept it with {acceptance('became_constant', column)}"
            expected = "several values, as in earlier spans"
            findings.append(
                Finding("became_constant", column, where, seen, expected, remedy=remedy)
            )
    return findings


def _empty(column: str, where: str, was_filled: bool) -> Finding:
    seen = "every cell is empty"
    if not was_filled:
        return Finding("all_missing", column, where, seen, "values")
    remedy = f"fix the source, or accept it with {acceptance('became_empty', column)}"
    return Finding(
        "became_empty", column, where, seen, "values, as in earlier spans", remedy=remedy
    )


def _rate_factor(now: Feature, before: Feature) -> float:
    """Tell how many times one rate of a label is the other, 1 if the larger one is of few rows."""
    fewer, more = sorted([now, before], key=lambda feature: feature.num_stats.mean)
    if more.num_stats.mean * min(common(now).num_non_missing, common(before).num_non_missing) < (
        _MIN_LABEL_ROWS
    ):
        return 1.0
    return more.num_stats.mean / max(fewer.num_stats.mean, 1e-12)


def _plain(feature: Feature, value: str) -> str:
    return number(float(value)) if is_number(feature) else value
