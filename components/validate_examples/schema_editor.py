"""Editing a schema so that a dataset's rows fit: one anomaly at a time."""

from collections.abc import Sequence
from functools import cached_property

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.statistics.dataset import Column
from .finding_kinds import (
    MISSING_COLUMN,
    MISSING_VALUES,
    NEW_COLUMN,
    NOT_A_NUMBER,
    OUT_OF_DOMAIN,
    UNEXPECTED_VALUES,
    WRONG_TYPE,
)
from .findings import Finding
from .limits import Settings
from .schema_inference import MAX_DOMAIN_VALUES, drop_domains, infer_schema, relax_presence
from .schema_overlay import overlay
from .window import Subject, Window

DOMAIN_KINDS = (UNEXPECTED_VALUES, OUT_OF_DOMAIN, NOT_A_NUMBER)
"""Kinds of findings that a wider domain resolves."""
# Fields that other kinds of findings change, or that data can't determine.
_NOT_OTHER = {
    "name",
    "type",
    "presence",
    "group_presence",
    "lifecycle_stage",
    "distribution_constraints",
    "annotation",
    "drift_comparator",
    "skew_comparator",
    "in_environment",
    "not_in_environment",
}


class Source:
    """A dataset, and the schema that its rows imply, inferred once.

    Attributes:
        subject: The dataset.
        window: The statistics of all.
        settings: The settings of validation.
    """

    def __init__(self, subject: Subject, window: Window, settings: Settings) -> None:
        """Take a dataset; nothing is inferred yet."""
        self.subject, self.window, self.settings = subject, window, settings

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The dataset's columns."""
        return self.subject.dataset.columns

    @cached_property
    def everywhere(self) -> list[dict[str, Column]]:
        """The columns of each dataset that has rows."""
        return [subject.dataset.columns for subject in with_rows(self.window)]

    @cached_property
    def inferred(self) -> schema_pb2.Schema:
        """The schema of the rows."""
        index = self.window.index
        spans = list(self.window.spans.values())
        mass = self.settings.min_domain_mass
        aside = self.window.splits["eval"] if index.splits_share_spans else None
        return infer_schema(self.subject.dataset, spans, index.labels, index.bare_key, mass, aside)


class SchemaEditor:
    """Accepts the anomalies of one dataset into a schema.

    Attributes:
        features: The schema's features by name.
    """

    def __init__(self, schema: schema_pb2.Schema, source: Source) -> None:
        """Take a schema, which is edited in place."""
        self.features = features_by_name(schema)
        self._schema, self._source = schema, source

    @cached_property
    def _proposal(self) -> schema_pb2.Schema:
        """The schema as TFDV widens it."""
        settings = self._source.settings
        return tfdv.update_schema(
            overlay(self._schema, settings.domains, settings.min_domain_mass),
            self._source.subject.dataset.statistics,
            max_string_domain_size=MAX_DOMAIN_VALUES,
        )

    @cached_property
    def _proposed(self) -> dict[str, schema_pb2.Feature]:
        return features_by_name(self._proposal)

    @cached_property
    def _inferred(self) -> dict[str, schema_pb2.Feature]:
        return features_by_name(self._source.inferred)

    def accept(self, finding: Finding) -> None:
        """Change the schema so that the data of a finding fits.

        Args:
            finding: One that a schema can resolve, of a feature that is in the schema unless it is new.
        """
        if finding.kind == NEW_COLUMN:
            self._add_column(finding.column)
            return
        feature = self.features[finding.column]
        if finding.kind == MISSING_COLUMN:
            feature.lifecycle_stage = schema_pb2.DEPRECATED
        elif finding.kind == MISSING_VALUES:
            relax_presence(feature, self._source.columns[finding.column])
        elif finding.kind == WRONG_TYPE:
            self._change_type(feature)
        elif finding.kind in DOMAIN_KINDS:
            _copy_domain(self._schema, feature, self._proposal, self._proposed[finding.column])
        else:
            _copy_the_rest(feature, self._proposed[finding.column])

    def _add_column(self, column: str) -> None:
        feature = self._schema.feature.add()
        feature.CopyFrom(self._inferred[column])
        self.features[column] = feature
        if feature.domain:
            _copy_domain(self._schema, feature, self._source.inferred, self._inferred[column])
        for columns in self._source.everywhere:
            seen = columns.get(column)
            if seen is None or not seen.filled:
                # Otherwise the rest of the window, which lacks the column, would stop the next run.
                feature.ClearField("presence")
                return
            if 1 - seen.missing_share < feature.presence.min_fraction:
                relax_presence(feature, seen)

    def _change_type(self, feature: schema_pb2.Feature) -> None:
        proposed = self._inferred[feature.name]
        if (feature.type == schema_pb2.BYTES) != (proposed.type == schema_pb2.BYTES):
            # Text and numbers have different measures.
            feature.ClearField("drift_comparator")
            feature.ClearField("skew_comparator")
            feature.ClearField("distribution_constraints")
        feature.type = proposed.type
        _copy_domain(self._schema, feature, self._source.inferred, proposed)
        feature.annotation.CopyFrom(proposed.annotation)


def with_rows(window: Window) -> Sequence[Subject]:
    """List the datasets of a window that have rows."""
    return [subject for subject in window.subjects if subject.dataset.rows]


def features_by_name(schema: schema_pb2.Schema) -> dict[str, schema_pb2.Feature]:
    """Return the features of a schema by their names."""
    return {feature.name: feature for feature in schema.feature}


def _copy_domain(
    schema: schema_pb2.Schema,
    feature: schema_pb2.Feature,
    proposal: schema_pb2.Schema,
    proposed: schema_pb2.Feature,
) -> None:
    kind = proposed.WhichOneof("domain_info")
    if feature.domain != proposed.domain:
        drop_domains(schema, [feature])
    if kind is None:
        if before := feature.WhichOneof("domain_info"):
            feature.ClearField(before)
        return
    if kind != "domain":
        getattr(feature, kind).CopyFrom(getattr(proposed, kind))
        return
    feature.domain = proposed.domain
    wanted = next(one for one in proposal.string_domain if one.name == proposed.domain)
    known = {one.name: one for one in schema.string_domain}
    (known.get(wanted.name) or schema.string_domain.add()).CopyFrom(wanted)


def _copy_the_rest(feature: schema_pb2.Feature, proposed: schema_pb2.Feature) -> None:
    domains = schema_pb2.Feature.DESCRIPTOR.oneofs_by_name["domain_info"].fields
    kept = _NOT_OTHER | {field.name for field in domains}
    rest = schema_pb2.Feature()
    rest.CopyFrom(proposed)
    for field in schema_pb2.Feature.DESCRIPTOR.fields:
        if field.name in kept:
            rest.ClearField(field.name)
        else:
            feature.ClearField(field.name)
    feature.MergeFrom(rest)
