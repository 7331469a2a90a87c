"""Requests against the champion's schema, as TFDV validates them in the environment SERVING."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.features import SERVING
from ..lib.statistics.chunked_validation import validate_columns
from ..lib.statistics.dataset import Column, Dataset
from ..lib.words import percent
from .look import Look

# The checks of columns judge these by their own bounds.
_JUDGED_ELSEWHERE = frozenset(
    {
        "SCHEMA_MISSING_COLUMN",
        "SCHEMA_NEW_COLUMN",
        "FEATURE_TYPE_NOT_PRESENT",
        "FEATURE_TYPE_LOW_FRACTION_PRESENT",
        "FEATURE_TYPE_LOW_NUMBER_PRESENT",
        "FLOAT_TYPE_HAS_NAN",
    }
)
# A new value may be a new world, which is drift; what no value can be is a breakage.
_BREAKAGES = frozenset(
    {
        "ENUM_TYPE_INVALID_UTF8",
        "FLOAT_TYPE_HAS_INF",
        "INVALID_FEATURE_SHAPE",
        "FEATURE_TYPE_HIGH_NUMBER_VALUES",
        "FEATURE_TYPE_LOW_NUMBER_VALUES",
        "VALUE_NESTEDNESS_MISMATCH",
    }
)
_UNKNOWN_TEXT = frozenset({"ENUM_TYPE_UNEXPECTED_STRING_VALUES", "BOOL_TYPE_UNEXPECTED_STRING"})
_BELOW = frozenset({"BOOL_TYPE_SMALL_INT", "FLOAT_TYPE_SMALL_FLOAT", "INT_TYPE_SMALL_INT"})
_ABOVE = frozenset({"BOOL_TYPE_BIG_INT", "FLOAT_TYPE_BIG_FLOAT", "INT_TYPE_BIG_INT"})
_NUMBERS = (schema_pb2.INT, schema_pb2.FLOAT)


@dataclass(frozen=True)
class Misfit:
    """What of a column does not fit the schema.

    Attributes:
        anomaly: TFDV's name of it.
        words: What was found, in words.
        is_breakage: Whether the data is broken; otherwise it is drift at most.
    """

    anomaly: str
    words: str
    is_breakage: bool


def find_misfits(look: Look, datasets: Sequence[Dataset]) -> dict[str, list[Misfit]]:
    """Validate the columns that the champion is sent.

    Args:
        look: The look; without a schema of its champion nothing is found.
        datasets: Statistics of the requests of each span.

    Returns:
        What does not fit, by column, each anomaly once.
    """
    schema = look.find_schema()
    if schema is None:
        return {}
    most = float(look.section("data").get("max_unknown", 0.5))
    found: dict[str, dict[str, Misfit]] = {}
    for dataset in datasets:
        chosen = _of_columns(schema, dataset.columns)
        environment = SERVING if SERVING in schema.default_environment else None
        anomalies = validate_columns(dataset.statistics, chosen, environment)
        expected = {feature.name: feature for feature in chosen.feature}
        domains = {one.name: one for one in chosen.string_domain}
        for name, info in anomalies.anomaly_info.items():
            column = ".".join(info.path.step) or name
            if column not in expected or column not in dataset.columns:
                continue
            for reason in info.reason:
                misfit = _misfit(reason, dataset.columns[column], expected[column], domains, most)
                if misfit:
                    found.setdefault(column, {})[misfit.anomaly] = misfit
    return {name: list(one.values()) for name, one in found.items()}


def _of_columns(schema: schema_pb2.Schema, columns: Mapping[str, Column]) -> schema_pb2.Schema:
    """Return the schema of the columns that are sent; the label and columns for training are not."""
    chosen = schema_pb2.Schema()
    chosen.CopyFrom(schema)
    chosen.ClearField("feature")
    chosen.ClearField("dataset_constraints")
    chosen.feature.extend(feature for feature in schema.feature if feature.name in columns)
    return chosen


def _misfit(
    reason: anomalies_pb2.AnomalyInfo.Reason,
    column: Column,
    expected: schema_pb2.Feature,
    domains: Mapping[str, schema_pb2.StringDomain],
    most: float,
) -> Misfit | None:
    anomaly = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
    words = (reason.description or reason.short_description).strip().rstrip(".")
    if anomaly in _JUDGED_ELSEWHERE or not column.filled:
        return None
    if column.is_number != (expected.type in _NUMBERS):
        schema_type = schema_pb2.FeatureType.Name(expected.type)
        words = f"values of type {column.type_name}, and the schema has {schema_type}"
        return Misfit(anomaly, words, True)
    if anomaly in _UNKNOWN_TEXT:
        share = _unknown_share(column, expected, domains)
        words = f"{percent(share)} of the values are not in the schema"
        return Misfit(anomaly, words, share > most)
    if anomaly in _BELOW | _ABOVE:
        share = _beyond(column, expected, anomaly in _BELOW)
        where = "below" if anomaly in _BELOW else "above"
        return Misfit(
            anomaly, f"{percent(share)} of the values are {where} the schema's range", share > most
        )
    return Misfit(anomaly, words, anomaly in _BREAKAGES)


def _unknown_share(
    column: Column,
    expected: schema_pb2.Feature,
    domains: Mapping[str, schema_pb2.StringDomain],
) -> float:
    domain = domains.get(expected.domain, expected.string_domain)
    known = sum(column.counts.get(value, 0) for value in domain.value)
    return max(0.0, 1 - known / column.filled)


def _beyond(column: Column, expected: schema_pb2.Feature, below: bool) -> float:
    domain = expected.int_domain if expected.HasField("int_domain") else expected.float_domain
    distribution = column.distribution
    if distribution is None:
        return 0.0
    if below:
        return float(distribution.share_below(float(domain.min)))
    high = 1.0 if expected.HasField("bool_domain") else float(domain.max)
    return 1 - float(distribution.share_below(high))
