"""The schema: inferred once and frozen, or curated; then overlaid with what the settings say."""

import math
import re
from collections.abc import Collection, Mapping, Sequence

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.dataset import Column, Dataset
from ..lib.errors import RetrainerError
from ..lib.features import SERVING, TRAINING
from ..lib.words import did_you_mean
from .schema_words import INFERRED_DOMAIN
from .settings import Domain

# TFDV's rank histogram names up to 1,000 values, so a larger domain could not be read from it.
MAX_DOMAIN_VALUES = 500
# A domain is for texts that come back, not for names that every twentieth row has one of.
MAX_UNIQUE_SHARE = 0.05
# Numbers and text may lack this share more of their rows than the training rows did.
PRESENCE_SLACK = 0.1
# So many gaps of an integer column in the newest rows are taken for its nature on a first run.
FEW_GAPS = 0.05
_DATE_OR_NUMBER = re.compile(r"[\d\s:/.,TZ+-]+")


def infer_schema(
    train: Dataset,
    spans: Sequence[Dataset],
    label: str,
    key: Sequence[str],
    min_domain_mass: float,
    held_out: Dataset | None = None,
) -> schema_pb2.Schema:
    """Infer a schema from training data, such that clean data of the next spans fits it.

    TFDV's inference, with what one window can tell about the next:

    - A text column keeps its domain only if its values come back: where an earlier training span's
      values do not cover a later one's, or they are dates or numbers, or hardly repeat, it is open. So it is
      where a hash split keeps a customer's rows on one side: the other side has other customers.
    - An integer that was never missing must stay so, since a model takes it as an integer; other
      columns may lack a tenth of their rows more.
    - A number that was never negative gets a domain from 0, marked as inferred, which makes it a
      warning; a label of 0 and 1 gets that domain, unmarked.
    - The environments are TRAINING and SERVING, and the label is not in SERVING.

    Args:
        train: Statistics of the training rows.
        spans: Statistics of each training span, oldest first.
        label: The label's column.
        key: Columns that name an example.
        min_domain_mass: The share of rows whose values must come back.
        held_out: Statistics of the evaluation rows, where they are of the same spans.

    Returns:
        The schema.
    """
    schema = tfdv.infer_schema(
        train.statistics, infer_feature_shape=False, max_string_domain_size=MAX_DOMAIN_VALUES
    )
    schema.default_environment.extend((TRAINING, SERVING))
    columns = train.columns
    # Nothing tells what a column without a value would hold. Once it has some, it is a new column.
    for feature in [one for one in schema.feature if columns[one.name].missing_share == 1]:
        schema.feature.remove(feature)
    aside = held_out.columns if held_out is not None else {}
    dropped = []
    for feature in schema.feature:
        seen = columns[feature.name]
        relax_presence(feature, seen)
        if feature.name == label:
            feature.not_in_environment.append(SERVING)
        if feature.HasField("domain"):
            history = [one for span in spans if (one := span.columns.get(feature.name)) is not None]
            sides = [seen, aside[feature.name]] if feature.name in aside else []
            if feature.name in key or any(
                is_open(seen, one, min_domain_mass) for one in (history, sides)
            ):
                dropped.append(feature)
        elif seen.is_number:
            _infer_range(feature, seen, feature.name == label)
    drop_domains(schema, dropped)
    return schema


def widen_types(schema: schema_pb2.Schema, newer: Dataset, label: str) -> None:
    """Let a schema that was just inferred take the numbers of newer rows as well.

    On a first run nothing says whether the zeros of the older spans or the fractions of the newest one are the rule, so
    that neither is a fault of the data. A few gaps among integers are the same: a twentieth of the rows at the most.

    Args:
        schema: Written to.
        newer: The evaluation rows.
        label: The label's column; a label of 0 and 1 stays one.
    """
    for feature in schema.feature:
        seen = newer.columns.get(feature.name)
        if feature.type != schema_pb2.INT or seen is None or not seen.is_number:
            continue
        if feature.name == label and feature.int_domain.max == 1:
            continue
        if not seen.is_integer and seen.filled:
            feature.type = schema_pb2.FLOAT
            if feature.HasField("int_domain"):
                feature.float_domain.min = feature.int_domain.min
        elif feature.name == label or not 0 < seen.missing_share <= FEW_GAPS:
            continue
        relax_presence(feature, seen)


def schema_text(schema: schema_pb2.Schema, spans: Sequence[str]) -> str:
    """Write a schema as text, headed by where it comes from."""
    return (
        f"# Inferred by retrainer from the training rows of {', '.join(spans)}, then frozen.\n"
        "# Runs read it and never change it: data must be what stands here. Edit it by hand, or with\n"
        "# 'retrainer schema accept', which keeps this comment and what stood here before.\n"
        f"{text_format.MessageToString(schema, as_utf8=True)}"
    )


def training_environment(schema: schema_pb2.Schema) -> str | None:
    """Name the environment to validate a window in: TRAINING, or None where the schema lacks it."""
    return TRAINING if TRAINING in schema.default_environment else None


def overlay(
    schema: schema_pb2.Schema, domains: Mapping[str, Domain], min_domain_mass: float
) -> schema_pb2.Schema:
    """Lay the settings' domains over a schema.

    Args:
        schema: As it was read.
        domains: What columns may hold.
        min_domain_mass: The share of rows that must lie in a text column's domain, where the schema
            does not say it.

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


def check_column(place: str, column: str, known: Collection[str]) -> None:
    """Refuse a setting for a column that the schema does not have, which would never do anything.

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


def relax_presence(feature: schema_pb2.Feature, seen: Column) -> None:
    """Let a column lack a tenth of its rows more than it does; an integer without gaps stays so.

    Args:
        feature: Written to.
        seen: The column in the data.
    """
    present = 1.0 - seen.missing_share
    if feature.type == schema_pb2.INT and present == 1.0:
        return
    feature.presence.min_count = 1
    feature.presence.min_fraction = math.floor(present * (1 - PRESENCE_SLACK) * 1000) / 1000


def drop_domains(schema: schema_pb2.Schema, features: Sequence[schema_pb2.Feature]) -> None:
    """Let text columns hold anything; a domain that no other column shares goes with them."""
    names = {feature.domain for feature in features}
    for feature in features:
        feature.ClearField("domain")
    gone = names - {feature.domain for feature in schema.feature}
    if gone:
        kept = [domain for domain in schema.string_domain if domain.name not in gone]
        del schema.string_domain[:]
        schema.string_domain.extend(kept)


def is_open(seen: Column, history: Sequence[Column], min_domain_mass: float) -> bool:
    """Tell whether a text column's values do not come back, so that a list of them is no domain.

    Args:
        seen: The column over all training rows.
        history: The column in each training span, oldest first.
        min_domain_mass: The share of a span's rows whose values must have been there before.
    """
    counts = seen.counts
    rows = seen.filled
    if not rows or len(counts) > MAX_UNIQUE_SHARE * rows:
        return True
    if all(_DATE_OR_NUMBER.fullmatch(value) for value in counts):
        return True
    known: set[str] = set()
    for column in history:
        in_span = column.counts
        if known and unseen_share(in_span, known) > 1 - min_domain_mass:
            return True
        known |= in_span.keys()
    return False


def unseen_share(counts: Mapping[str, float], known: set[str]) -> float:
    """Tell the share of rows whose values are not among the known ones."""
    total = sum(counts.values())
    unseen = sum(count for value, count in counts.items() if value not in known)
    return unseen / total if total else 0.0


def _infer_range(feature: schema_pb2.Feature, seen: Column, label: bool) -> None:
    low, high = seen.minimum, seen.maximum
    is_int = feature.type == schema_pb2.INT
    if is_int and label and (low, high) == (0, 1):
        feature.int_domain.min, feature.int_domain.max = 0, 1
        return
    feature.ClearField("bool_domain")
    if label or low < 0 or not seen.filled:
        return
    (feature.int_domain if is_int else feature.float_domain).min = 0
    feature.annotation.tag.append(INFERRED_DOMAIN)
    feature.annotation.comment.append(
        "An inferred domain: data beyond it is a warning. Without this annotation it is an error."
    )


def _set_domain(schema: schema_pb2.Schema, feature: schema_pb2.Feature, domain: Domain) -> None:
    is_text = feature.type == schema_pb2.BYTES
    has_range = domain.min is not None or domain.max is not None
    if is_text and has_range:
        raise RetrainerError(
            f"validation.domains.{feature.name} has min or max, and the column is text; give values."
        )
    if not is_text and domain.values:
        raise RetrainerError(
            f"validation.domains.{feature.name} has values, and the column is a number; give min or max."
        )
    if domain.min_domain_mass is not None and not (
        domain.values or feature.HasField("domain") or feature.HasField("string_domain")
    ):
        raise RetrainerError(
            f"validation.domains.{feature.name} has min_domain_mass, and the schema lists no values of the column; "
            "give values."
        )
    if domain.values:
        feature.ClearField("domain")
        feature.string_domain.name = feature.name
        del feature.string_domain.value[:]
        feature.string_domain.value.extend(domain.values)
    if has_range:
        # Whoever sets one bound keeps none of the inferred range.
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
