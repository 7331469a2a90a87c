"""A schema in words, column by column. It does not need TFDV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.words import number, percent, plural

INFERRED_DOMAIN = "inferred_domain"
_NAMED_VALUES = 5
_MEASURES = ("infinity_norm", "jensen_shannon_divergence", "normalized_abs_difference")


@dataclass(frozen=True)
class ColumnWords:
    """A schema's column in words.

    Attributes:
        column: Its name.
        type: `INT`, `FLOAT`, `BYTES` or `STRUCT`.
        presence: Which rows must have a value.
        domain: Its allowed values; empty for any.
        thresholds: Of drift and skew, and the share of rows that must lie in the domain.
        notes: Its lifecycle stage, its environments, its shape, and whether its range was inferred.
    """

    column: str
    type: str
    presence: str
    domain: str
    thresholds: str
    notes: str


def describe(schema: schema_pb2.Schema) -> list[ColumnWords]:
    """Describe a schema, in the order of its columns."""
    domains = string_domains(schema)
    return [
        ColumnWords(
            column=feature.name,
            type=type_words(feature),
            presence=presence_words(feature),
            domain=domain_words(domains, feature),
            thresholds=", ".join(_thresholds(feature)),
            notes=", ".join(_notes(feature)),
        )
        for feature in schema.feature
    ]


def type_words(feature: schema_pb2.Feature) -> str:
    """Name a column's type."""
    return str(schema_pb2.FeatureType.Name(feature.type))


def presence_words(feature: schema_pb2.Feature) -> str:
    """Describe which rows must have a value."""
    presence = feature.presence
    if presence.min_fraction == 1:
        return "every row"
    if presence.min_fraction > 0:
        return f"at least {percent(presence.min_fraction)} of the rows"
    if presence.min_count > 0:
        return f"at least {plural(presence.min_count, 'row')}"
    return "may be missing"


def domain_words(domains: Mapping[str, Sequence[str]], feature: schema_pb2.Feature) -> str:
    """Describe a column's allowed values.

    Args:
        domains: From `string_domains`.
        feature: The column.

    Returns:
        Such as `one of 3 values (a, b, c)` or `from 0 to 9`; empty if any are allowed.
    """
    kind = feature.WhichOneof("domain_info")
    if kind in ("domain", "string_domain"):
        values = domain_values(domains, feature)
        return f"one of {count_values(values)}"
    if kind in ("int_domain", "float_domain"):
        domain = getattr(feature, kind)
        bounds = [
            f"{word} {number(getattr(domain, name))}"
            for name, word in (("min", "from"), ("max", "to"))
            if domain.HasField(name)
        ]
        disallowed = [
            name
            for name in ("nan", "inf")
            if kind == "float_domain" and getattr(domain, f"disallow_{name}")
        ]
        return ", ".join(filter(None, [" ".join(bounds), *(f"no {name}" for name in disallowed)]))
    if kind == "bool_domain":
        domain = feature.bool_domain
        if domain.true_value or domain.false_value:
            return f"'{domain.true_value}' or '{domain.false_value}'"
        return "0 or 1"
    return (kind or "").replace("_", " ")


def count_values(values: Sequence[str]) -> str:
    """Return the number of values, and the first few."""
    named = ", ".join(values[:_NAMED_VALUES])
    more = ", ..." if len(values) > _NAMED_VALUES else ""
    return f"{plural(len(values), 'value')} ({named}{more})"


def string_domains(schema: schema_pb2.Schema) -> dict[str, Sequence[str]]:
    """Return the domains that text columns may share, by name."""
    return {domain.name: domain.value for domain in schema.string_domain}


def domain_values(
    domains: Mapping[str, Sequence[str]], feature: schema_pb2.Feature
) -> Sequence[str]:
    """Return the values of a text column's domain.

    Args:
        domains: From `string_domains`.
        feature: The column.
    """
    if feature.HasField("string_domain"):
        return feature.string_domain.value
    return domains.get(feature.domain, ())


def has_inferred_domain(feature: schema_pb2.Feature) -> bool:
    """Return whether a column's range was inferred."""
    return INFERRED_DOMAIN in feature.annotation.tag


def shape_words(feature: schema_pb2.Feature) -> str:
    """Describe the shape of a column's cells."""
    sizes = " x ".join(str(dim.size) if dim.HasField("size") else "?" for dim in feature.shape.dim)
    return f"shape {sizes or 'scalar'}"


def _thresholds(feature: schema_pb2.Feature) -> list[str]:
    words = [
        f"{kind} {measure} {number(getattr(comparator, measure).threshold)}"
        for kind, comparator in (
            ("drift", feature.drift_comparator),
            ("skew", feature.skew_comparator),
        )
        for measure in _MEASURES
        if comparator.HasField(measure)
    ]
    if feature.HasField("distribution_constraints"):
        mass = feature.distribution_constraints.min_domain_mass
        words.append(f"domain mass {number(mass)}")
    return words


def _notes(feature: schema_pb2.Feature) -> list[str]:
    words = []
    if feature.lifecycle_stage:
        words.append(str(schema_pb2.LifecycleStage.Name(feature.lifecycle_stage)))
    for word, names in (
        ("only in", feature.in_environment),
        ("not in", feature.not_in_environment),
    ):
        if names:
            words.append(f"{word} {' and '.join(names)}")
    if feature.HasField("shape"):
        words.append(shape_words(feature))
    limits = feature.value_count
    # Every source has one value in a cell, so that is not mentioned.
    if feature.HasField("value_count") and (limits.min, limits.max) != (1, 1):
        words.append(f"{limits.min} to {limits.max} values in a cell")
    if feature.HasField("unique_constraints"):
        unique = feature.unique_constraints
        words.append(f"{unique.min} to {unique.max} distinct values")
    if has_inferred_domain(feature):
        words.append("range inferred")
    return words
