"""Accepting data into a schema: TFDV's anomalies become changes, one column and kind at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.features import FLOAT, INT, raw_features
from ..lib.statistics.chunked_validation import validate_columns
from .dataset_constraints import dataset_anomalies, dataset_findings
from .finding_kinds import (
    MISSING_COLUMN,
    MISSING_VALUES,
    NEW_COLUMN,
    WARNING,
    WRONG_TYPE,
    FindingKind,
)
from .findings import Finding
from .limits import Settings
from .schema_editor import DOMAIN_KINDS, SchemaEditor, Source, features_by_name, with_rows
from .schema_inference import training_environment
from .schema_overlay import overlay
from .schema_words import (
    count_values,
    domain_values,
    domain_words,
    presence_words,
    string_domains,
    type_words,
)
from .tfdv_anomalies import anomaly_findings
from .window import Subject, Window

_ROUNDED = (
    "; the model then gets float32 instead of int64, exact up to 16,777,216 (2^24): if it is an identifier, make it "
    "text (data.types)"
)


@dataclass(frozen=True)
class Change:
    """A change that data would make to a schema.

    Attributes:
        column: Which column; empty for the rows as a whole.
        kind: What it is about.
        where: Which data, such as `evaluation (2013-05)`.
        words: What would change.
        refused: Why it can't be accepted; empty if it can.
    """

    column: str
    kind: FindingKind
    where: str
    words: str
    refused: str = ""

    @property
    def line(self) -> str:
        """The change in one line."""
        refused = f"; {self.refused}" if self.refused else ""
        return f"{self.column or 'all rows'}: {self.kind.title}: {self.words}, in {self.where}{refused}"


@dataclass(frozen=True)
class Update:
    """A schema with accepted changes.

    Attributes:
        schema: As it would be.
        changes: The changes, accepted or refused.
        left: What is still wrong with the changed columns, a line each.
    """

    schema: schema_pb2.Schema
    changes: tuple[Change, ...]
    left: tuple[str, ...]


def update_schema(
    schema: schema_pb2.Schema,
    window: Window,
    settings: Settings,
    wanted: Callable[[str, str], bool] = lambda column, kind: True,
) -> Update:
    """Accept a window's anomalies into a schema, so that its rows fit.

    A new column is inferred as the first run would have inferred it, and is optional if part of the
    window lacks it. A missing column becomes DEPRECATED. Domains and ranges are widened as TFDV widens
    them; presence is lowered with the slack that inference gives.

    Args:
        schema: The schema; it is not modified.
        window: The statistics.
        settings: The settings of validation; a domain in them is not changed.
        wanted: Whether to accept the anomaly of a column and a kind, by name.

    Returns:
        The update.

    Raises:
        RetrainerError: If the settings name a column that the schema lacks.
    """
    updated = schema_pb2.Schema()
    updated.CopyFrom(schema)
    found: dict[tuple[str, FindingKind], list[Finding]] = {}
    refused: dict[tuple[str, FindingKind], str] = {}
    for subject in with_rows(window):
        source = Source(subject, window, settings)
        editor = SchemaEditor(updated, source)
        for finding in _find(updated, subject, settings):
            key = (finding.column, finding.kind)
            is_added = (finding.column, NEW_COLUMN) in found
            if not is_added and not wanted(finding.column, finding.kind.name):
                continue
            if not is_added:
                found.setdefault(key, []).append(finding)
            if reason := _refusal(editor.features, finding, window, settings):
                refused[key] = reason
                continue
            editor.accept(finding)
    for subject in with_rows(window):
        for finding in dataset_findings(
            dataset_anomalies(window, subject, schema), subject, schema
        ):
            key = (finding.column, finding.kind)
            if wanted(finding.column, finding.kind.name):
                found.setdefault(key, []).append(finding)
                refused[key] = finding.remedy
    before, after = features_by_name(schema), features_by_name(updated)
    domains = string_domains(schema), string_domains(updated)
    not_features = [*window.index.bare_key, *window.index.labels]
    kinds = raw_features(schema, not_features), raw_features(updated, not_features)
    rounded = {name for name in kinds[0] if (kinds[0][name], kinds[1].get(name)) == (INT, FLOAT)}
    changes = tuple(
        Change(
            column,
            kind,
            " and ".join(dict.fromkeys(finding.where for finding in findings)),
            f"{findings[0].seen} where {findings[0].expected} is expected"
            if (column, kind) in refused
            else _words(kind, findings[0], domains, before.get(column), after[column])
            + (_ROUNDED if column in rounded else ""),
            refused.get((column, kind), ""),
        )
        for (column, kind), findings in found.items()
    )
    taken = {change.column for change in changes if not change.refused}
    left = [
        finding.line
        for subject in with_rows(window)
        for finding in (_find(updated, subject, settings) if taken else ())
        if finding.column in taken and wanted(finding.column, finding.kind.name)
        if (finding.column, finding.kind) not in refused
    ]
    return Update(updated, changes, tuple(left))


def _find(schema: schema_pb2.Schema, subject: Subject, settings: Settings) -> list[Finding]:
    used = overlay(schema, settings.domains, settings.min_domain_mass)
    anomalies = validate_columns(
        subject.dataset.statistics, used, environment=training_environment(used)
    )
    findings = anomaly_findings(anomalies, used, subject, settings.bounded)
    return [
        finding
        for finding in findings
        # Integers fit a float column.
        if not (finding.kind == WRONG_TYPE and finding.severity == WARNING)
    ]


def _refusal(
    features: Mapping[str, schema_pb2.Feature],
    finding: Finding,
    window: Window,
    settings: Settings,
) -> str:
    if finding.kind in DOMAIN_KINDS and finding.column in settings.bounded:
        return f"its domain is set in retrain.yaml: change validation.domains.{finding.column}"
    if finding.kind == MISSING_COLUMN and finding.column in window.index.labels:
        return "it is the label, which training needs: restore it in the source"
    if not finding.kind.in_schema:
        return finding.kind.fix
    if finding.kind != NEW_COLUMN and finding.column not in features:
        return "it is nested in another column: edit the schema by hand"
    return ""


def _words(
    kind: FindingKind,
    finding: Finding,
    domains: tuple[Mapping[str, Sequence[str]], Mapping[str, Sequence[str]]],
    before: schema_pb2.Feature | None,
    after: schema_pb2.Feature,
) -> str:
    if kind == NEW_COLUMN or before is None:
        domain = domain_words(domains[1], after)
        parts = [f"type {type_words(after)}", presence_words(after), domain]
        return ", ".join(filter(None, parts))
    if kind == MISSING_COLUMN:
        return f"{finding.seen}; it becomes DEPRECATED"
    if kind == WRONG_TYPE:
        return f"type {type_words(before)} becomes {type_words(after)}"
    if kind == MISSING_VALUES:
        return f"presence '{presence_words(before)}' becomes '{presence_words(after)}'"
    if kind in DOMAIN_KINDS:
        known = set(domain_values(domains[0], before))
        gained = [value for value in domain_values(domains[1], after) if value not in known]
        if gained:
            return f"the domain gains {count_values(gained)}"
        was, becomes = domain_words(domains[0], before), domain_words(domains[1], after)
        return f"'{was or 'anything'}' becomes '{becomes or 'anything'}'"
    return f"{finding.seen}; expected {finding.expected}"
