"""Thresholds of drift and skew, written into a schema as TFDV reads them."""

from collections.abc import Sequence

from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.dataset import Dataset
from ..lib.errors import RetrainerError
from .distances import MEASURE_WORDS
from .findings import Finding, FindingKind
from .schema_inference import check_column
from .settings import JENSEN_SHANNON, L_INFINITY, MEASURES, Comparators


def set_comparators(
    schema: schema_pb2.Schema,
    dataset: Dataset,
    comparators: Comparators,
    comparator_field: str,
    skipped: Sequence[str],
) -> dict[str, bool]:
    """Write thresholds into a schema, as TFDV reads them.

    Text is compared by L-infinity and numbers by Jensen-Shannon, since the L-infinity distance of
    numbers always reads 0 in TFDV.

    Args:
        schema: Written to. Its own comparators stay, but for columns that the settings name.
        dataset: Has the columns' types.
        comparators: The settings' thresholds.
        comparator_field: `drift_comparator` or `skew_comparator`.
        skipped: Columns that are not compared unless somebody set a threshold of their own.

    Returns:
        The columns that are compared, with whether their threshold was set by somebody.

    Raises:
        RetrainerError: If the settings name a column that the schema lacks, or a measure that is blind to it.
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
                f"{place}.{feature.name} has {blind[0]}, and the column is a number, of which TFDV's "
                f"{MEASURE_WORDS[blind[0]]} always reads 0; give {JENSEN_SHANNON}."
            )
        usual = JENSEN_SHANNON if seen.is_number else L_INFINITY
        thresholds = {usual: comparators.usual[usual]} if own is None else own
        for measure, threshold in thresholds.items():
            getattr(getattr(feature, comparator_field), measure).threshold = threshold
            chosen[feature.name] = own is not None or measure in comparators.chosen
    return chosen


def blind_comparators(
    schema: schema_pb2.Schema, dataset: Dataset, comparator_field: str, where: str
) -> list[Finding]:
    """Find the comparators that a schema's author wrote for numbers, and that TFDV reads as 0 whatever the numbers are.

    Args:
        schema: As it was read, with the comparators set.
        dataset: Has the columns' types.
        comparator_field: `drift_comparator` or `skew_comparator`.
        where: What would be measured.
    """
    columns = dataset.columns
    findings = []
    for feature in schema.feature:
        comparator = getattr(feature, comparator_field)
        seen = columns.get(feature.name)
        if seen is None or not seen.is_number:
            continue
        blind = [name for name in MEASURES if name != JENSEN_SHANNON and comparator.HasField(name)]
        if blind:
            name = MEASURE_WORDS[blind[0]]
            findings.append(
                Finding(
                    FindingKind.NOT_COMPARED,
                    feature.name,
                    where,
                    f"a threshold of the {name}, which TFDV reads as 0 whatever the numbers are",
                    f"one of the {MEASURE_WORDS[JENSEN_SHANNON]}",
                    remedy=f"set `{JENSEN_SHANNON}` in the schema's `{comparator_field}`",
                )
            )
    return findings
