"""What validation finds, how bad it is, and how it is said."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ..lib.words import plural

ERROR, WARNING, IGNORE = "error", "warning", "ignore"
_SHOWN = 7
_NAMED = 3
# An output parameter is no place for thousands of lines.
_MOST_LINES = 50


class FindingKind(StrEnum):
    """What a finding is about; the values are the words of `validation.severity` and of `anomalies.json`."""

    NO_ROWS = "no_rows"
    FEW_ROWS = "few_rows"
    MANY_ROWS = "many_rows"
    SAME_DATA = "same_data"
    MISSING_COLUMN = "missing_column"
    NEW_COLUMN = "new_column"
    WRONG_TYPE = "wrong_type"
    MISSING_VALUES = "missing_values"
    UNEXPECTED_VALUES = "unexpected_values"
    OUT_OF_DOMAIN = "out_of_domain"
    WRONG_SHAPE = "wrong_shape"
    DISTINCT_VALUES = "distinct_values"
    INVALID_UTF8 = "invalid_utf8"
    NOT_A_NUMBER = "not_a_number"
    INFINITE = "infinite"
    INVALID_SCHEMA = "invalid_schema"
    NOT_COMPARED = "not_compared"
    UNKNOWN_COLUMN = "unknown_column"
    CONSTANT_LABEL = "constant_label"
    LABEL_RATE = "label_rate"
    CONSTANT_COLUMN = "constant_column"
    BECAME_CONSTANT = "became_constant"
    ALL_MISSING = "all_missing"
    BECAME_EMPTY = "became_empty"
    NUMBERS_IN_TEXT = "numbers_in_text"
    IMPOSSIBLE_DATE = "impossible_date"
    FUTURE_DATE = "future_date"
    DATE_AFTER_SPAN = "date_after_span"
    DRIFT = "drift"
    SKEW = "skew"
    FAR_VALUES = "far_values"
    LARGE_INTEGERS = "large_integers"
    NEW_CLASS = "new_class"
    ODD_CELLS = "odd_cells"
    OTHER = "other"


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        title: What it is called in the report.
        severity: What it is unless the settings say otherwise.
        remedy: How to go on.
    """

    title: str
    severity: str
    remedy: str


KINDS: dict[FindingKind, Kind] = {
    FindingKind.NO_ROWS: Kind(
        "no rows",
        ERROR,
        "restore the span's data, or exclude the span (`retrainer spans exclude SPAN --why REASON`)",
    ),
    FindingKind.FEW_ROWS: Kind(
        "far fewer rows than before",
        ERROR,
        "complete the span's data, or lower min_rows_fraction",
    ),
    FindingKind.MANY_ROWS: Kind(
        "far more rows than before",
        WARNING,
        "check that no rows arrived twice, or raise max_rows_factor",
    ),
    FindingKind.SAME_DATA: Kind(
        "same data under several names",
        ERROR,
        "replace the copy with its own rows, or exclude it (`retrainer spans exclude SPAN --why REASON`)",
    ),
    FindingKind.MISSING_COLUMN: Kind(
        "missing column",
        ERROR,
        "bring the column back in the source, or, if it is gone for good, give it "
        "`lifecycle_stage: DEPRECATED` in the schema",
    ),
    FindingKind.NEW_COLUMN: Kind(
        "new column", WARNING, "add it to the schema to have it used, or drop it"
    ),
    FindingKind.WRONG_TYPE: Kind(
        "wrong type", ERROR, "fix the source, or change the column's `type` in the schema"
    ),
    FindingKind.MISSING_VALUES: Kind(
        "missing values",
        ERROR,
        "fix the source, or lower what the column's `presence` asks for in the schema",
    ),
    FindingKind.UNEXPECTED_VALUES: Kind(
        "unexpected values",
        ERROR,
        "fix the source, or add the values to the column's domain in the schema",
    ),
    FindingKind.OUT_OF_DOMAIN: Kind(
        "out of its domain", ERROR, "fix the source, or change the column's domain in the schema"
    ),
    FindingKind.WRONG_SHAPE: Kind(
        "wrong number of values in a cell",
        ERROR,
        "fix the source, or change the column's `shape` or `value_count` in the schema",
    ),
    FindingKind.DISTINCT_VALUES: Kind(
        "wrong number of distinct values",
        ERROR,
        "fix the source, or change the column's `unique_constraints` in the schema",
    ),
    FindingKind.INVALID_UTF8: Kind("text that is not UTF-8", ERROR, "write the source as UTF-8"),
    FindingKind.NOT_A_NUMBER: Kind(
        "NaN", ERROR, "fix the source, or take `disallow_nan` out of the column's domain"
    ),
    FindingKind.INFINITE: Kind(
        "infinite values", ERROR, "fix the source, or make the cells empty; a model can't take them"
    ),
    FindingKind.INVALID_SCHEMA: Kind(
        "the schema contradicts itself", ERROR, "correct the column in the schema by hand"
    ),
    FindingKind.NOT_COMPARED: Kind(
        "threshold without data to compare",
        WARNING,
        "look whether the column is in the earlier spans, or take its comparator out of the schema",
    ),
    FindingKind.UNKNOWN_COLUMN: Kind(
        "setting for a column that is not there",
        WARNING,
        "correct the column's name, or take the setting away",
    ),
    FindingKind.CONSTANT_LABEL: Kind(
        "label with one value", ERROR, "check how the label is made; nothing can be learned from it"
    ),
    FindingKind.LABEL_RATE: Kind(
        "label's rate moved",
        WARNING,
        "check how the label is made, or raise max_label_change or max_label_factor",
    ),
    FindingKind.CONSTANT_COLUMN: Kind(
        "column with one value", WARNING, "drop it if it is meant so: it tells the model nothing"
    ),
    FindingKind.BECAME_CONSTANT: Kind("column lost its variety", WARNING, "fix the source"),
    FindingKind.ALL_MISSING: Kind(
        "column without values", WARNING, "fix the source, or drop the column"
    ),
    FindingKind.BECAME_EMPTY: Kind("column lost its values", WARNING, "fix the source"),
    FindingKind.NUMBERS_IN_TEXT: Kind(
        "numbers among text",
        WARNING,
        "fix the other cells, name them as missing (data.csv.null_values), or set the column's type (data.types)",
    ),
    FindingKind.IMPOSSIBLE_DATE: Kind(
        "date that no calendar has", WARNING, "fix the source's dates"
    ),
    FindingKind.FUTURE_DATE: Kind("date in the future", WARNING, "fix the source's clock or dates"),
    FindingKind.DATE_AFTER_SPAN: Kind(
        "date after its span", WARNING, "fix the source's clock or dates"
    ),
    FindingKind.DRIFT: Kind(
        "drift",
        WARNING,
        "look at its card in the report; if the data is right, raise its threshold",
    ),
    FindingKind.SKEW: Kind(
        "skew", WARNING, "look at its card in the report; if the data is right, raise its threshold"
    ),
    FindingKind.FAR_VALUES: Kind(
        "values far away", WARNING, "make the cells empty in the source where there is no number"
    ),
    FindingKind.LARGE_INTEGERS: Kind(
        "whole numbers that lose digits", WARNING, "make the column text (`data.types`)"
    ),
    FindingKind.NEW_CLASS: Kind(
        "label's class is new",
        WARNING,
        "check the label; if the class is right, give the model an output for it, and wait for spans to train on",
    ),
    FindingKind.ODD_CELLS: Kind(
        "cells that may mean something else",
        WARNING,
        "fix the source, or set what the column is (`data.types`)",
    ),
    FindingKind.OTHER: Kind("anomaly", ERROR, "fix the source, or edit the schema"),
}

SCHEMA_KINDS = frozenset(
    {
        FindingKind.MISSING_COLUMN,
        FindingKind.NEW_COLUMN,
        FindingKind.WRONG_TYPE,
        FindingKind.MISSING_VALUES,
        FindingKind.UNEXPECTED_VALUES,
        FindingKind.OUT_OF_DOMAIN,
        FindingKind.WRONG_SHAPE,
        FindingKind.DISTINCT_VALUES,
        FindingKind.NOT_A_NUMBER,
        FindingKind.OTHER,
    }
)
"""What a change of the schema can fix; the others are accepted by their severity."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the data.

    Attributes:
        kind: What it is about.
        column: Which column; empty if it is about whole rows.
        where: Which data, such as `evaluation (2013-05)`.
        seen: What the data has.
        expected: What it should have.
        severity: `error`, `warning` or `ignore`.
        remedy: How to go on.
        measure: For drift and skew, TFDV's name of the measure.
        value: For drift and skew, what it is.
        threshold: For drift and skew, what it may be.
        anomaly: TFDV's name of the anomaly, if it is one.
    """

    kind: FindingKind
    column: str
    where: str
    seen: str
    expected: str
    severity: str = ""
    remedy: str = ""
    measure: str = ""
    value: float | None = None
    threshold: float | None = None
    anomaly: str = ""

    @property
    def title(self) -> str:
        """The kind's name, in words."""
        return KINDS[self.kind].title


@dataclass(frozen=True)
class Severities:
    """Severities that settings chose.

    Attributes:
        kinds: Severity by kind.
        columns: Severity of everything in a column, or by kind in it.
    """

    kinds: Mapping[str, str]
    columns: Mapping[str, str | Mapping[str, str]]

    def of(self, finding: Finding) -> str:
        """Choose a severity: the column's, the kind's, the finding's own, or the usual one."""
        column = self.columns.get(finding.column)
        if isinstance(column, str):
            return column
        if column is not None and finding.kind in column:
            return column[finding.kind]
        return self.kinds.get(finding.kind) or finding.severity or KINDS[finding.kind].severity


def apply_severities(findings: Sequence[Finding], severities: Severities) -> tuple[Finding, ...]:
    """Give findings their severity and remedy, leave the ignored out, and join those of a column and kind.

    Args:
        findings: As they were found.
        severities: What the settings chose.

    Returns:
        Findings, errors first, in the order they were found.
    """
    joined: dict[tuple[str, FindingKind], Finding] = {}
    for finding in findings:
        severity = severities.of(finding)
        if severity == IGNORE:
            continue
        judged = replace(finding, severity=severity, remedy=_remedy(finding))
        key = (finding.column, finding.kind)
        earlier = joined.get(key)
        joined[key] = judged if earlier is None else _join(earlier, judged)
    return tuple(sorted(joined.values(), key=lambda finding: finding.severity != ERROR))


def _join(earlier: Finding, later: Finding) -> Finding:
    worst = later if later.severity == ERROR and earlier.severity != ERROR else earlier
    if earlier.where == later.where:
        # Too small and too large at once, for instance.
        return replace(
            worst,
            seen=_both(earlier.seen, later.seen),
            expected=_both(earlier.expected, later.expected),
        )
    places = dict.fromkeys([*earlier.where.split(" and "), *later.where.split(" and ")])
    return replace(worst, where=" and ".join(places))


def _both(one: str, other: str) -> str:
    return one if one == other else f"{one} and {other}"


def _remedy(finding: Finding) -> str:
    remedy = finding.remedy or KINDS[finding.kind].remedy
    if finding.kind in SCHEMA_KINDS:
        return remedy
    return f"{remedy}, or accept it with {acceptance(finding.kind, finding.column)}"


def acceptance(kind: FindingKind, column: str = "") -> str:
    """Name the setting that accepts a kind of finding, in one column if it is about one."""
    place = f"columns.{column}.{kind}" if column else kind
    return f"validation.severity.{place}: {IGNORE}"


def errors_of(findings: Sequence[Finding]) -> list[Finding]:
    """Choose the findings that stop a run."""
    return [finding for finding in findings if finding.severity == ERROR]


def warning_lines(findings: Sequence[Finding]) -> list[str]:
    """Say each warning in one line; of very many, the first ones and how many more there are."""
    lines = [
        f"{_subject(finding)} in {finding.where}: {finding.seen}; expected {finding.expected}"
        for finding in findings
        if finding.severity == WARNING
    ]
    left = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], f"{left:,} more, in the report"] if left > 0 else lines


def _subject(finding: Finding) -> str:
    return f"{finding.column}: {finding.title}" if finding.column else finding.title


def error_message(findings: Sequence[Finding], schema_uri: str) -> str:
    """Say on one screen why a run is stopped and how to go on.

    Args:
        findings: All findings, of which at least one is an error.
        schema_uri: Where the schema is.
    """
    errors = errors_of(findings)
    named = [f"{finding.column} {finding.title}".strip() for finding in errors[:_NAMED]]
    more = [f"and {len(errors) - _NAMED} more"] if len(errors) > _NAMED else []
    lines = [f"the data has {plural(len(errors), 'error')} ({', '.join(named + more)}):"]
    for finding in errors[:_SHOWN]:
        lines += [
            f"  {_subject(finding)} in {finding.where}",
            f"      seen {finding.seen}; expected {finding.expected}",
            f"      to go on, {finding.remedy}",
        ]
    if len(errors) > _SHOWN:
        names = ", ".join(finding.column or finding.title for finding in errors[_SHOWN:][:20])
        lines.append(f"  and {len(errors) - _SHOWN} more ({names}), in the report")
    lines.append(_way_out(errors, schema_uri))
    return "\n".join(lines)


def _way_out(errors: Sequence[Finding], schema_uri: str) -> str:
    # A remedy of its own says that it is not the schema's to fix: the domain is set in retrain.yaml.
    columns = dict.fromkeys(
        error.column
        for error in errors
        if error.column and error.kind in SCHEMA_KINDS and error.remedy == KINDS[error.kind].remedy
    )
    if not columns:
        return "Fix the source and run again, or, where the data is right, accept it as each error says"
    named = " ".join(map(shlex.quote, columns))
    if len(columns) > _SHOWN:
        kinds = dict.fromkeys(error.kind for error in errors if error.column in columns)
        named = " ".join(["--all", *(f"--kind {kind}" for kind in kinds if kind in SCHEMA_KINDS)])
    return (
        "Fix the source and run again, or, where the data is right, take it into the schema with "
        f"`retrainer schema accept {named}` beside retrain.yaml, or edit {schema_uri}"
    )
