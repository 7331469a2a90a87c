"""Findings: what validation reports, how severe it is, and in which words."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..lib.words import plural
from .finding_kinds import ERROR, IGNORE, WARNING, FindingKind

_SHOWN = 7
_NAMED = 3
# More lines than this make an output parameter unreadable.
_MOST_LINES = 50


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
        remedy: How to fix it; empty takes the kind's.
        measure: For drift and skew, TFDV's name of the measure.
        value: For drift and skew, the distance.
        threshold: For drift and skew, the largest distance allowed.
        anomaly: TFDV's name of the anomaly, if it is one.
        in_training: Whether it is about the training rows, from which a first run infers the schema.
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
    in_training: bool = False

    @property
    def title(self) -> str:
        """The kind's name in reports."""
        return self.kind.title

    @property
    def line(self) -> str:
        """The finding in one line."""
        return f"{self.subject} in {self.where}: {self.seen}; expected {self.expected}"

    @property
    def subject(self) -> str:
        """The column, if there is one, and the title."""
        return f"{self.column}: {self.title}" if self.column else self.title

    def as_record(self) -> dict[str, Any]:
        """Return the finding as `anomalies.json` has it."""
        record = {**asdict(self), "kind": self.kind.name}
        del record["in_training"]
        return record


@dataclass(frozen=True)
class Severities:
    """Severities that settings chose.

    Attributes:
        kinds: Severity by a kind's name.
        columns: Severity of everything in a column, or by a kind's name in it.
    """

    kinds: Mapping[str, str]
    columns: Mapping[str, str | Mapping[str, str]]

    def of(self, finding: Finding) -> str:
        """Choose a severity: the column's, the kind's, the finding's own, or the default."""
        column, name = self.columns.get(finding.column), finding.kind.name
        if isinstance(column, str):
            return column
        if column is not None and name in column:
            return column[name]
        return self.kinds.get(name) or finding.severity or finding.kind.severity


def apply_severities(findings: Sequence[Finding], severities: Severities) -> tuple[Finding, ...]:
    """Set the severity and fix of findings, leave out the ignored, and join those of one column and kind.

    Args:
        findings: As the checks returned them.
        severities: What the settings chose.

    Returns:
        Findings, errors first, otherwise in the given order.
    """
    joined: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        severity = severities.of(finding)
        if severity == IGNORE:
            continue
        judged = replace(finding, severity=severity, remedy=_fix(finding))
        key = (finding.column, finding.kind.name)
        earlier = joined.get(key)
        joined[key] = judged if earlier is None else _join(earlier, judged)
    return tuple(sorted(joined.values(), key=lambda finding: finding.severity != ERROR))


def _join(earlier: Finding, later: Finding) -> Finding:
    worst = later if later.severity == ERROR and earlier.severity != ERROR else earlier
    worst = replace(worst, in_training=earlier.in_training or later.in_training)
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


def _fix(finding: Finding) -> str:
    fix = finding.remedy or finding.kind.fix
    if finding.kind.in_schema:
        return fix
    return f"{fix}, or accept it with {finding.kind.acceptance(finding.column)}"


def errors_of(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that stop a run."""
    return [finding for finding in findings if finding.severity == ERROR]


def warning_lines(findings: Sequence[Finding]) -> list[str]:
    """Return a line for each warning; beyond 50, the first ones and the number of the others."""
    lines = [finding.line for finding in findings if finding.severity == WARNING]
    left = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], f"{left:,} more, in the report"] if left > 0 else lines


def error_message(findings: Sequence[Finding], schema_uri: str) -> str:
    """Describe on one screen why a run is stopped and how to continue.

    Args:
        findings: All findings, at least one of them an error.
        schema_uri: Where the schema is.
    """
    errors = errors_of(findings)
    named = [f"{finding.column} {finding.title}".strip() for finding in errors[:_NAMED]]
    more = [f"and {len(errors) - _NAMED} more"] if len(errors) > _NAMED else []
    lines = [f"the data has {plural(len(errors), 'error')} ({', '.join(named + more)}):"]
    for finding in errors[:_SHOWN]:
        lines += [
            f"  {finding.subject} in {finding.where}",
            f"      found {finding.seen}; expected {finding.expected}",
            f"      fix: {finding.remedy}",
        ]
    if len(errors) > _SHOWN:
        names = ", ".join(finding.column or finding.title for finding in errors[_SHOWN:][:20])
        lines.append(f"  and {len(errors) - _SHOWN} more ({names}), in the report")
    lines.append(_next_step(errors, schema_uri))
    return "\n".join(lines)


def _next_step(errors: Sequence[Finding], schema_uri: str) -> str:
    # A fix of its own means that the schema can't fix it: the domain is set in retrain.yaml.
    in_schema = [
        error
        for error in errors
        if error.column and error.kind.in_schema and error.remedy == error.kind.fix
    ]
    columns = list(dict.fromkeys(error.column for error in in_schema))
    if not columns:
        return "Fix the source and run again. If the data is right, accept it as each error shows"
    named = " ".join(map(shlex.quote, columns))
    if len(columns) > _SHOWN:
        kinds = dict.fromkeys(
            error.kind.name for error in errors if error.column in columns and error.kind.in_schema
        )
        named = " ".join(["--all", *(f"--kind {kind}" for kind in kinds)])
    return (
        f"Fix the source and run again. If the data is right, run `retrainer schema accept {named}` beside "
        f"retrain.yaml, or edit {schema_uri}"
    )
