"""A schema with the settings laid over it: domains, and thresholds of drift and skew, as TFDV reads them."""

import math
from collections.abc import Collection, Mapping, Sequence

from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.errors import RetrainerError
from ..lib.statistics.dataset import Dataset
from ..lib.words import did_you_mean
from .distances import MEASURE_WORDS
from .limits import JENSEN_SHANNON, L_INFINITY, Comparators, Domain


def overlay(
    schema: schema_pb2.Schema, domains: Mapping[str, Domain], min_domain_mass: float
) -> schema_pb2.Schema:
    """Apply the settings' domains to a schema.

    Args:
        schema: As it was read.
        domains: What columns may hold.
        min_domain_mass: The share of rows that must lie in a text column's domain, where the schema
            does not set it.

    Returns:
        The schema to validate with; the given one is left as it is.

    Raises:
        RetrainerError: If a domain is for a column that the schema lacks, or of another type.
    """
    laid = schema_pb2.Schema()
    laid.CopyFrom(schema)
    features = {feature.name: feature for feature in laid.feature}
    for column, domain in domains.items():
        check_column("validation.domains", column, features)
        _set_domain(laid, features[column], domain)
    for feature in laid.feature:
        if feature.type != schema_pb2.BYTES or feature.HasField("distribution_constraints"):
            continue
        if feature.HasField("domain") or feature.HasField("string_domain"):
            own = domains.get(feature.name, Domain()).min_domain_mass
            mass = min_domain_mass if own is None else own
            feature.distribution_constraints.min_domain_mass = mass
    return laid


def set_comparators(
    schema: schema_pb2.Schema,
    dataset: Dataset,
    comparators: Comparators,
    comparator_field: str,
    skipped: Sequence[str],
) -> dict[str, bool]:
    """Write the thresholds of drift or skew into a schema.

    Text is compared by L-infinity and numbers by Jensen-Shannon, since the L-infinity distance of
    numbers always reads 0 in TFDV.

    Args:
        schema: Written to. Its own comparators stay, but for columns that the settings name.
        dataset: Has the columns' types.
        comparators: The settings' thresholds.
        comparator_field: `drift_comparator` or `skew_comparator`.
        skipped: Columns that are not compared unless somebody set a threshold for them.

    Returns:
        The columns that are compared, and whether somebody set their threshold.

    Raises:
        RetrainerError: If the settings name a column that the schema lacks, or a measure that reads 0 for it.
    """
    columns = dataset.columns
    chosen = {}
    place = f"validation.{comparator_field.removesuffix('_comparator')}.columns"
    names = [feature.name for feature in schema.feature]
    for column in comparators.columns:
        check_column(place, column, names)
    for feature in schema.feature:
        seen = columns.get(feature.name)
        own = comparators.columns.get(feature.name)
        if seen is None:
            feature.ClearField(comparator_field)
            continue
        if own is None and feature.HasField(comparator_field):
            chosen[feature.name] = True
            continue
        feature.ClearField(comparator_field)
        if own is None and feature.name in skipped:
            continue
        if seen.is_number and (blind := [name for name in own or () if name != JENSEN_SHANNON]):
            raise RetrainerError(
                f"{place}.{feature.name} has {blind[0]}, but the column is numeric, and TFDV's "
                f"{MEASURE_WORDS[blind[0]]} always reads 0 for numbers; use {JENSEN_SHANNON}."
            )
        usual = JENSEN_SHANNON if seen.is_number else L_INFINITY
        thresholds = {usual: comparators.usual[usual]} if own is None else own
        for measure, threshold in thresholds.items():
            getattr(getattr(feature, comparator_field), measure).threshold = threshold
            chosen[feature.name] = own is not None or measure in comparators.chosen
    return chosen


def check_column(place: str, column: str, known: Collection[str]) -> None:
    """Raise for a setting that names a column which the schema lacks: it would have no effect.

    Args:
        place: The setting.
        column: The column that it names.
        known: The schema's columns.

    Raises:
        RetrainerError: If the column is not among them.
    """
    if column in known:
        return
    hint = did_you_mean(column, known, "It has")
    raise RetrainerError(f"{place} names '{column}', which the schema does not have.{hint}")


def _set_domain(schema: schema_pb2.Schema, feature: schema_pb2.Feature, domain: Domain) -> None:
    is_text = feature.type == schema_pb2.BYTES
    has_range = domain.min is not None or domain.max is not None
    if is_text and has_range:
        raise RetrainerError(
            f"validation.domains.{feature.name} has min or max, but the column is text; set values."
        )
    if not is_text and domain.values:
        raise RetrainerError(
            f"validation.domains.{feature.name} has values, but the column is a number; set min or max."
        )
    if domain.min_domain_mass is not None and not (
        domain.values or feature.HasField("domain") or feature.HasField("string_domain")
    ):
        raise RetrainerError(
            f"validation.domains.{feature.name} has min_domain_mass, but the schema lists no values of the column; "
            "set values."
        )
    if domain.values:
        feature.ClearField("domain")
        feature.string_domain.name = feature.name
        del feature.string_domain.value[:]
        feature.string_domain.value.extend(domain.values)
    if has_range:
        # One bound that somebody sets replaces the whole inferred range.
        feature.ClearField("annotation")
        feature.ClearField("bool_domain")
        if feature.type == schema_pb2.INT:
            feature.ClearField("int_domain")
            if domain.min is not None:
                feature.int_domain.min = math.ceil(domain.min)
            if domain.max is not None:
                feature.int_domain.max = math.floor(domain.max)
        else:
            feature.ClearField("float_domain")
            if domain.min is not None:
                feature.float_domain.min = domain.min
            if domain.max is not None:
                feature.float_domain.max = domain.max
