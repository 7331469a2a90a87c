"""TFDV's schema anomalies as findings, with what was found and expected in words."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.statistics.dataset import Column
from ..lib.words import number, percent, plural
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
from .schema_words import domain_values, has_inferred_domain, shape_words, string_domains
from .window import Subject

_NAMED_VALUES = 5
_VALUE_CHARACTERS = 24
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
    words = (reason.description or reason.short_description, "what the schema requires")
    severity = ""
    if kind == MISSING_COLUMN and expected is not None:
        cells = "no such column" if seen is None else "no value in any row"
        words = (cells, _type_words(expected))
    elif kind == NEW_COLUMN and seen is not None:
        words = (f"a column of type {seen.type_name}", "no column beyond the schema")
    elif kind == WRONG_TYPE and seen is not None and expected is not None:
        was = seen.type_name
        if was == schema_pb2.FeatureType.Name(expected.type):
            # The type is right, but the domain is for texts that spell another one.
            words = (_without_stop(words[0]), "values of its domain")
        else:
            words = (f"type {was}", _type_words(expected))
        if seen.is_number and _takes_float(expected):
            severity = WARNING
    elif anomaly == "FEATURE_TYPE_LOW_NUMBER_PRESENT" and seen is not None and expected is not None:
        words = (
            f"{seen.filled:,} rows with a value",
            f"at least {expected.presence.min_count:,}",
        )
    elif kind == MISSING_VALUES and seen is not None and expected is not None:
        allowed = 1 - expected.presence.min_fraction
        words = (
            f"{percent(seen.missing_share)} of the rows without a value",
            "a value in every row" if allowed == 0 else f"at most {percent(allowed)}",
        )
    elif kind == UNEXPECTED_VALUES and seen is not None and expected is not None:
        words = _unexpected(seen, expected, domains) or words
    elif kind == WRONG_SHAPE and expected is not None:
        words = (_without_stop(words[0]), _shape_words(expected))
    elif kind == DISTINCT_VALUES and expected is not None:
        limits = expected.unique_constraints
        words = (_without_stop(words[0]), f"from {limits.min} to {limits.max} distinct values")
    elif kind == INVALID_SCHEMA:
        words = (_without_stop(words[0]).rstrip(": "), "a consistent schema")
    elif kind == NOT_A_NUMBER:
        words = ("NaN in some cells", "numbers, or empty cells")
    elif kind == INFINITE:
        words = ("infinity in some cells", "finite numbers")
    elif kind == NOT_COMPARED:
        words = (_without_stop(words[0]), "the column on both sides of the comparison")
    elif kind == OUT_OF_DOMAIN and seen is not None and expected is not None:
        words = _out_of_range(anomaly, seen, expected) or words
        if has_inferred_domain(expected):
            severity = WARNING
    return Finding(kind, column, where, *words, severity=severity, anomaly=anomaly)


def _without_stop(sentence: str) -> str:
    return sentence.strip().removesuffix(".")


def _shape_words(expected: schema_pb2.Feature) -> str:
    if expected.HasField("shape"):
        return shape_words(expected)
    if expected.HasField("value_count"):
        return f"from {expected.value_count.min} to {expected.value_count.max} values in a cell"
    return "what the schema requires"


def _type_words(expected: schema_pb2.Feature) -> str:
    kind = f"type {schema_pb2.FeatureType.Name(expected.type)}"
    return f"{kind}, a value in every row" if expected.presence.min_fraction == 1 else kind


def _takes_float(expected: schema_pb2.Feature) -> bool:
    # The model takes this column as float, so integers and fractions both fit.
    return expected.type == schema_pb2.FLOAT or (
        expected.type == schema_pb2.INT and expected.presence.min_fraction < 1
    )


def _unexpected(
    seen: Column, expected: schema_pb2.Feature, domains: Mapping[str, Sequence[str]]
) -> tuple[str, str] | None:
    known = domain_values(domains, expected)
    rows = seen.filled
    listed = set(known)
    unknown = {value: n for value, n in seen.counts.items() if value not in listed}
    if not known or not unknown or not rows:
        return None
    named = ", ".join(
        f"'{_shortened(value)}' in {percent(n / rows)}"
        for value, n in list(unknown.items())[:_NAMED_VALUES]
    )
    left = len(unknown) - _NAMED_VALUES
    more = f", and {plural(left, 'more value')}" if left > 0 else ""
    mass = expected.distribution_constraints.min_domain_mass
    values = f"one of {len(known)} known values" if len(known) > 8 else "one of " + ", ".join(known)
    share = "every row" if mass == 1 else f"at least {percent(mass)} of the rows"
    return f"{named} of the rows{more}", f"{values} in {share}"


def _shortened(value: str) -> str:
    # The first digits of a digest identify it.
    return value if len(value) <= _VALUE_CHARACTERS else value[: _VALUE_CHARACTERS - 1] + "…"


def _out_of_range(
    anomaly: str, seen: Column, expected: schema_pb2.Feature
) -> tuple[str, str] | None:
    domain = expected.int_domain if expected.HasField("int_domain") else expected.float_domain
    distribution = seen.distribution
    if anomaly.endswith(("SMALL_INT", "SMALL_FLOAT")) and distribution is not None:
        share = distribution.near_share_below(domain.min)
        words = f"a minimum of {number(seen.minimum)}{_about(share, 'below the domain')}"
        return words, f"at least {number(domain.min)}"
    if anomaly.endswith(("BIG_INT", "BIG_FLOAT")) and distribution is not None:
        high = 1.0 if expected.HasField("bool_domain") else domain.max
        share = distribution.near_share_above(high)
        words = f"a maximum of {number(seen.maximum)}{_about(share, 'above the domain')}"
        return words, f"at most {number(high)}"
    return None


def _about(share: float | None, where: str) -> str:
    if share is None or not 0.001 < share < 1:
        return ""
    return f" (about {percent(share)} of the rows are {where})"
