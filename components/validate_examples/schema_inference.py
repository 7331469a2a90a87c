"""Inferring a schema from a first window, so that clean data of later spans fits it."""

import math
import re
from collections.abc import Mapping, Sequence

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.features import SERVING, TRAINING
from ..lib.statistics.dataset import Column, Dataset
from .schema_words import INFERRED_DOMAIN

# TFDV's rank histogram names up to 1,000 values, so a larger domain could not be read from it.
MAX_DOMAIN_VALUES = 500
# Only values that recur make a domain: at most one distinct value for every twenty rows.
MAX_UNIQUE_SHARE = 0.05
# Numbers and text may lack values in this share of rows more than in training.
PRESENCE_SLACK = 0.1
# On a first run, up to this share of missing integers in the newest rows is accepted as normal.
FEW_GAPS = 0.05
_DATE_OR_NUMBER = re.compile(r"[\d\s:/.,TZ+-]+")


def infer_schema(
    train: Dataset,
    spans: Sequence[Dataset],
    labels: Sequence[str],
    key: Sequence[str],
    min_domain_mass: float,
    held_out: Dataset | None = None,
) -> schema_pb2.Schema:
    """Infer a schema from training data, so that clean data of the next spans fits it.

    TFDV's inference, adjusted for the next window:

    - A text column keeps its domain only if its values recur. It has none if an earlier training span's
      values do not cover a later one's, or they are dates or numbers, or hardly repeat, or if a hash split
      keeps a customer's rows on one side: the other side has other customers.
    - An integer that was never missing must never be, since the model takes it as an integer; other
      columns may lack values in a tenth of their rows more.
    - A number that was never negative gets a domain from 0, marked as inferred: values outside it
      are a warning; a label of 0 and 1 gets that domain, unmarked.
    - The environments are TRAINING and SERVING, and labels are not in SERVING.

    Args:
        train: Statistics of the training rows.
        spans: Statistics of each training span, oldest first.
        labels: The columns of labels.
        key: Columns that name an example.
        min_domain_mass: The share of rows whose values must recur.
        held_out: Statistics of the evaluation rows, where they are of the same spans.

    Returns:
        The schema.
    """
    schema = tfdv.infer_schema(
        train.statistics, infer_feature_shape=False, max_string_domain_size=MAX_DOMAIN_VALUES
    )
    schema.default_environment.extend((TRAINING, SERVING))
    columns = train.columns
    # The type of a column without a value is unknown. Once it has values, it is a new column.
    for feature in [one for one in schema.feature if columns[one.name].missing_share == 1]:
        schema.feature.remove(feature)
    aside = held_out.columns if held_out is not None else {}
    dropped = []
    for feature in schema.feature:
        seen = columns[feature.name]
        relax_presence(feature, seen)
        if feature.name in labels:
            feature.not_in_environment.append(SERVING)
        if feature.HasField("domain"):
            history = [one for span in spans if (one := span.columns.get(feature.name)) is not None]
            sides = [seen, aside[feature.name]] if feature.name in aside else []
            if feature.name in key or any(
                has_open_values(seen, one, min_domain_mass) for one in (history, sides)
            ):
                dropped.append(feature)
        elif seen.is_number:
            _infer_range(feature, seen, feature.name in labels)
    drop_domains(schema, dropped)
    return schema


def widen_types(schema: schema_pb2.Schema, newer: Dataset, labels: Sequence[str]) -> None:
    """Widen a schema that was just inferred so that the numbers of newer rows fit.

    On a first run it is unknown whether the whole numbers of the older spans or the fractions of the newest one are
    normal, so both are accepted, and so are missing integers in up to a twentieth of the rows.

    Args:
        schema: Written to.
        newer: The evaluation rows.
        labels: The columns of labels; a label of 0 and 1 keeps its domain.
    """
    for feature in schema.feature:
        seen = newer.columns.get(feature.name)
        if feature.type != schema_pb2.INT or seen is None or not seen.is_number:
            continue
        if feature.name in labels and feature.int_domain.max == 1:
            continue
        if not seen.is_integer and seen.filled:
            feature.type = schema_pb2.FLOAT
            if feature.HasField("int_domain"):
                feature.float_domain.min = feature.int_domain.min
        elif feature.name in labels or not 0 < seen.missing_share <= FEW_GAPS:
            continue
        relax_presence(feature, seen)


def schema_text(schema: schema_pb2.Schema, spans: Sequence[str]) -> str:
    """Return a schema as text, with a comment on its origin."""
    return (
        f"# Inferred by retrainer from the training rows of {', '.join(spans)}, then frozen.\n"
        "# Runs read it and never change it. Edit it by hand, or with 'retrainer schema accept', which keeps\n"
        "# this comment and the former content.\n"
        f"{text_format.MessageToString(schema, as_utf8=True)}"
    )


def training_environment(schema: schema_pb2.Schema) -> str | None:
    """Return the environment to validate a window in: TRAINING, or None if the schema lacks it."""
    return TRAINING if TRAINING in schema.default_environment else None


def relax_presence(feature: schema_pb2.Feature, seen: Column) -> None:
    """Allow a column to lack values in a tenth of the rows more than now; an integer that has all stays required.

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
    """Remove the domains of text columns, and those that no other column shares from the schema."""
    names = {feature.domain for feature in features}
    for feature in features:
        feature.ClearField("domain")
    gone = names - {feature.domain for feature in schema.feature}
    if gone:
        kept = [domain for domain in schema.string_domain if domain.name not in gone]
        del schema.string_domain[:]
        schema.string_domain.extend(kept)


def has_open_values(seen: Column, history: Sequence[Column], min_domain_mass: float) -> bool:
    """Return whether a text column's values do not recur, so that it gets no domain.

    Args:
        seen: The column over all training rows.
        history: The column in each training span, oldest first.
        min_domain_mass: The share of a span's rows whose values earlier spans must have.
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
    """Return the share of rows whose values are not known."""
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
