"""What an anomaly of TFDV's means, in words: what was found, and what was expected."""

from collections.abc import Mapping, Sequence

from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.statistics.dataset import Column
from ..lib.words import number, percent, plural
from .finding_kinds import (
    DISTINCT_VALUES,
    INFINITE,
    INVALID_SCHEMA,
    MISSING_COLUMN,
    MISSING_VALUES,
    NEW_COLUMN,
    NOT_A_NUMBER,
    NOT_COMPARED,
    OUT_OF_DOMAIN,
    UNEXPECTED_VALUES,
    WRONG_SHAPE,
    WRONG_TYPE,
    FindingKind,
)
from .schema_words import domain_values, shape_words

_NAMED_VALUES = 5
_VALUE_CHARACTERS = 24
_REQUIRED = "what the schema requires"


def describe_anomaly(
    anomaly: str,
    kind: FindingKind,
    description: str,
    seen: Column | None,
    expected: schema_pb2.Feature | None,
    domains: Mapping[str, Sequence[str]],
) -> tuple[str, str]:
    """Return what was found and what was expected.

    Args:
        anomaly: TFDV's name of it.
        kind: What it is here.
        description: TFDV's words.
        seen: The column in the data; None if it has none.
        expected: The column in the schema; None if it has none.
        domains: The schema's domains of text, by name.
    """
    said = _without_stop(description)
    of_any_column = {
        INVALID_SCHEMA: (said.rstrip(": "), "a consistent schema"),
        NOT_A_NUMBER: ("NaN in some cells", "numbers, or empty cells"),
        INFINITE: ("infinity in some cells", "finite numbers"),
        NOT_COMPARED: (said, "the column on both sides of the comparison"),
    }
    if kind in of_any_column:
        return of_any_column[kind]
    if kind == NEW_COLUMN and seen is not None:
        return f"a column of type {seen.type_name}", "no column beyond the schema"
    if expected is None:
        return description, _REQUIRED
    if kind == MISSING_COLUMN:
        cells = "no such column" if seen is None else "no value in any row"
        return cells, _type_words(expected)
    if kind == WRONG_SHAPE:
        return said, _shape_words(expected)
    if kind == DISTINCT_VALUES:
        limits = expected.unique_constraints
        return said, f"from {limits.min} to {limits.max} distinct values"
    if seen is None:
        return description, _REQUIRED
    words = None
    if kind == WRONG_TYPE:
        words = _other_type(said, seen, expected)
    elif kind == MISSING_VALUES:
        words = _missing(anomaly, seen, expected)
    elif kind == UNEXPECTED_VALUES:
        words = _unexpected(seen, expected, domains)
    elif kind == OUT_OF_DOMAIN:
        words = _out_of_range(anomaly, seen, expected)
    return words or (description, _REQUIRED)


def _other_type(said: str, seen: Column, expected: schema_pb2.Feature) -> tuple[str, str]:
    if seen.type_name == schema_pb2.FeatureType.Name(expected.type):
        # The type is right, but the domain is for texts that spell another one.
        return said, "values of its domain"
    return f"type {seen.type_name}", _type_words(expected)


def _missing(anomaly: str, seen: Column, expected: schema_pb2.Feature) -> tuple[str, str]:
    if anomaly == "FEATURE_TYPE_LOW_NUMBER_PRESENT":
        return f"{seen.filled:,} rows with a value", f"at least {expected.presence.min_count:,}"
    allowed = 1 - expected.presence.min_fraction
    return (
        f"{percent(seen.missing_share)} of the rows without a value",
        "a value in every row" if allowed == 0 else f"at most {percent(allowed)}",
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


def _shape_words(expected: schema_pb2.Feature) -> str:
    if expected.HasField("shape"):
        return shape_words(expected)
    if expected.HasField("value_count"):
        return f"from {expected.value_count.min} to {expected.value_count.max} values in a cell"
    return _REQUIRED


def _type_words(expected: schema_pb2.Feature) -> str:
    kind = f"type {schema_pb2.FeatureType.Name(expected.type)}"
    return f"{kind}, a value in every row" if expected.presence.min_fraction == 1 else kind


def _without_stop(sentence: str) -> str:
    return sentence.strip().removesuffix(".")
