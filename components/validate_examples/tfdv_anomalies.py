"""TFDV's schema anomalies as findings."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.statistics.dataset import Column
from .anomaly_words import describe_anomaly
from .finding_kinds import (
    DISTINCT_VALUES,
    INFINITE,
    INVALID_SCHEMA,
    INVALID_UTF8,
    MISSING_COLUMN,
    MISSING_VALUES,
    NEW_COLUMN,
    NOT_A_NUMBER,
    NOT_COMPARED,
    OTHER,
    OUT_OF_DOMAIN,
    UNEXPECTED_VALUES,
    WARNING,
    WRONG_SHAPE,
    WRONG_TYPE,
)
from .findings import Finding
from .schema_words import has_inferred_domain, string_domains
from .window import Subject

_ANOMALIES = {
    MISSING_COLUMN: ("SCHEMA_MISSING_COLUMN", "FEATURE_TYPE_NOT_PRESENT"),
    NEW_COLUMN: ("SCHEMA_NEW_COLUMN",),
    MISSING_VALUES: (
        "FEATURE_TYPE_LOW_FRACTION_PRESENT",
        "FEATURE_TYPE_LOW_NUMBER_PRESENT",
    ),
    UNEXPECTED_VALUES: (
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        "BOOL_TYPE_UNEXPECTED_STRING",
    ),
    OUT_OF_DOMAIN: (
        "BOOL_TYPE_BIG_INT",
        "BOOL_TYPE_SMALL_INT",
        "BOOL_TYPE_UNEXPECTED_FLOAT",
        "FLOAT_TYPE_BIG_FLOAT",
        "FLOAT_TYPE_SMALL_FLOAT",
        "INT_TYPE_BIG_INT",
        "INT_TYPE_SMALL_INT",
    ),
    NOT_A_NUMBER: ("FLOAT_TYPE_HAS_NAN",),
    INFINITE: ("FLOAT_TYPE_HAS_INF",),
    WRONG_TYPE: (
        "UNEXPECTED_DATA_TYPE",
        "BOOL_TYPE_BYTES_NOT_INT",
        "BOOL_TYPE_BYTES_NOT_STRING",
        "BOOL_TYPE_FLOAT_NOT_INT",
        "BOOL_TYPE_FLOAT_NOT_STRING",
        "BOOL_TYPE_INT_NOT_STRING",
        "BOOL_TYPE_STRING_NOT_INT",
        "FLOAT_TYPE_NOT_FLOAT",
        "FLOAT_TYPE_NON_STRING",
        "FLOAT_TYPE_STRING_NOT_FLOAT",
        "FLOAT_TYPE_UNKNOWN_TYPE_NUMBER",
        "INT_TYPE_INT_EXPECTED",
        "INT_TYPE_NOT_INT_STRING",
        "INT_TYPE_NOT_STRING",
        "INT_TYPE_STRING_EXPECTED",
        "INT_TYPE_UNKNOWN_TYPE_NUMBER",
        "STRING_TYPE_NOW_FLOAT",
        "STRING_TYPE_NOW_INT",
        "ENUM_TYPE_BYTES_NOT_STRING",
        "ENUM_TYPE_FLOAT_NOT_STRING",
        "ENUM_TYPE_INT_NOT_STRING",
    ),
    INVALID_UTF8: ("ENUM_TYPE_INVALID_UTF8",),
    WRONG_SHAPE: (
        "INVALID_FEATURE_SHAPE",
        "FEATURE_TYPE_HIGH_NUMBER_VALUES",
        "FEATURE_TYPE_LOW_NUMBER_VALUES",
        "FEATURE_TYPE_NO_VALUES",
        "FEATURE_TYPE_UNEXPECTED_REPEATED",
        "VALUE_NESTEDNESS_MISMATCH",
    ),
    DISTINCT_VALUES: (
        "FEATURE_TYPE_HIGH_UNIQUE",
        "FEATURE_TYPE_LOW_UNIQUE",
        "FEATURE_TYPE_NO_UNIQUE",
    ),
    INVALID_SCHEMA: (
        "BOOL_TYPE_INVALID_CONFIG",
        "DOMAIN_INVALID_FOR_TYPE",
        "FEATURE_MISSING_NAME",
        "FEATURE_MISSING_TYPE",
        "INVALID_DOMAIN_SPECIFICATION",
        "INVALID_SCHEMA_SPECIFICATION",
    ),
}
_KINDS = {anomaly: kind for kind, anomalies in _ANOMALIES.items() for anomaly in anomalies}
# Drift and skew are read from TFDV's measurements, which are there below the threshold as well.
_MEASURED = {
    "COMPARATOR_L_INFTY_HIGH",
    "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
    "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH",
}
_NOTHING_TO_COMPARE = {"COMPARATOR_CONTROL_DATA_MISSING", "COMPARATOR_TREATMENT_DATA_MISSING"}


def anomaly_findings(
    anomalies: anomalies_pb2.Anomalies,
    schema: schema_pb2.Schema,
    subject: Subject,
    from_settings: Collection[str],
    compared: Collection[str] = (),
) -> list[Finding]:
    """Return TFDV's anomalies of columns as findings.

    Args:
        anomalies: A result of `tfdv.validate_statistics`.
        schema: The schema that was validated with.
        subject: What was validated.
        from_settings: The columns whose domain comes from the settings.
        compared: The columns for which somebody set a threshold of drift or skew.

    Returns:
        Findings, in the order of the schema's columns, then of the data's.
    """
    seen = subject.dataset.columns
    expected = {feature.name: feature for feature in schema.feature}
    domains = string_domains(schema)
    # TFDV's anomalies are an unordered map.
    order = {name: i for i, name in enumerate(dict.fromkeys([*expected, *seen]))}
    infos = sorted(
        anomalies.anomaly_info.items(),
        key=lambda item: order.get(_column(item[0], item[1]), len(order)),
    )
    findings = []
    for name, info in infos:
        column = _column(name, info)
        for anomaly, reason in _reasons(info):
            if anomaly in _NOTHING_TO_COMPARE and column not in compared:
                continue
            if anomaly == "SCHEMA_NEW_COLUMN" and _is_empty(seen.get(column)):
                continue
            finding = _finding(
                anomaly,
                reason,
                column,
                seen.get(column),
                expected.get(column),
                domains,
                subject.name,
            )
            if finding.kind in (OUT_OF_DOMAIN, UNEXPECTED_VALUES) and column in from_settings:
                remedy = f"correct the source, or change validation.domains.{column}"
                finding = replace(finding, remedy=remedy)
            findings.append(replace(finding, in_training=subject.in_training))
    return findings


def _is_empty(column: Column | None) -> bool:
    return column is None or column.missing_share == 1


def _reasons(
    info: anomalies_pb2.AnomalyInfo,
) -> Iterator[tuple[str, anomalies_pb2.AnomalyInfo.Reason]]:
    for reason in info.reason:
        anomaly = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
        if anomaly not in _MEASURED:
            yield anomaly, reason


def _column(name: str, info: anomalies_pb2.AnomalyInfo) -> str:
    return ".".join(info.path.step) or name


def _finding(
    anomaly: str,
    reason: anomalies_pb2.AnomalyInfo.Reason,
    column: str,
    seen: Column | None,
    expected: schema_pb2.Feature | None,
    domains: Mapping[str, Sequence[str]],
    where: str,
) -> Finding:
    kind = NOT_COMPARED if anomaly in _NOTHING_TO_COMPARE else _KINDS.get(anomaly, OTHER)
    description = reason.description or reason.short_description
    words = describe_anomaly(anomaly, kind, description, seen, expected, domains)
    severity = ""
    if seen is not None and expected is not None:
        fits = kind == WRONG_TYPE and seen.is_number and _takes_float(expected)
        if fits or (kind == OUT_OF_DOMAIN and has_inferred_domain(expected)):
            severity = WARNING
    return Finding(kind, column, where, *words, severity=severity, anomaly=anomaly)


def _takes_float(expected: schema_pb2.Feature) -> bool:
    # The model takes this column as float, so integers and fractions both fit.
    return expected.type == schema_pb2.FLOAT or (
        expected.type == schema_pb2.INT and expected.presence.min_fraction < 1
    )
