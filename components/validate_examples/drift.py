"""Distances between datasets, measured by TFDV: drift over spans, skew between splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.errors import RetrainerError
from ..lib.statistics import Statistics, features_by_name, is_number
from .column_validation import validate_columns
from .findings import ERROR, WARNING, Finding
from .schema import check_column
from .settings import JENSEN_SHANNON, L_INFINITY, MEASURES, Comparators

_MEASURE_NAMES = {
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: L_INFINITY,
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: JENSEN_SHANNON,
    anomalies_pb2.DriftSkewInfo.Measurement.NORMALIZED_ABSOLUTE_DIFFERENCE: MEASURES[2],
}
_WORDS = {
    L_INFINITY: "L-infinity norm",
    JENSEN_SHANNON: "Jensen-Shannon divergence",
    MEASURES[2]: "normalized absolute difference",
}
# A column that is usually as far from the spans before (a month, a date) is so by its nature.
USUAL_FACTOR = 1.25


@dataclass(frozen=True)
class Distance:
    """How far a column of one dataset is from the same column of another.

    Attributes:
        measure: TFDV's name of the measure.
        value: The distance.
        threshold: What it may be.
        chosen: Whether the threshold was set by somebody; a default one only warns.
    """

    measure: str
    value: float
    threshold: float
    chosen: bool

    @property
    def words(self) -> str:
        """The measure's name, in words."""
        return _WORDS[self.measure]


def set_comparators(
    schema: schema_pb2.Schema,
    statistics: Statistics,
    comparators: Comparators,
    comparator_field: str,
    skipped: Sequence[str],
) -> dict[str, bool]:
    """Write thresholds into a schema, as TFDV reads them.

    Text is compared by L-infinity and numbers by Jensen-Shannon, since the L-infinity distance of
    numbers always reads 0 in TFDV.

    Args:
        schema: Written to. Its own comparators stay, but for columns that the settings name.
        statistics: Tell the columns' types.
        comparators: The settings' thresholds.
        comparator_field: `drift_comparator` or `skew_comparator`.
        skipped: Columns that are not compared unless somebody set a threshold of their own.

    Returns:
        The columns that are compared, with whether their threshold was set by somebody.

    Raises:
        RetrainerError: If the settings name a column that the schema lacks, or a measure that is blind to it.
    """
    types = features_by_name(statistics)
    chosen = {}
    place = f"validation.{comparator_field.removesuffix('_comparator')}.columns"
    names = [feature.name for feature in schema.feature]
    for column in comparators.columns:
        check_column(place, column, names)
    for feature in schema.feature:
        seen = types.get(feature.name)
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
        if is_number(seen) and (blind := [name for name in own or () if name != JENSEN_SHANNON]):
            raise RetrainerError(
                f"{place}.{feature.name} has {blind[0]}, and the column is a number, of which TFDV's "
                f"{_WORDS[blind[0]]} always reads 0; give {JENSEN_SHANNON}."
            )
        usual = JENSEN_SHANNON if is_number(seen) else L_INFINITY
        thresholds = {usual: comparators.usual[usual]} if own is None else own
        for measure, threshold in thresholds.items():
            getattr(getattr(feature, comparator_field), measure).threshold = threshold
            chosen[feature.name] = own is not None or measure in comparators.chosen
    return chosen


def blind_comparators(
    schema: schema_pb2.Schema, statistics: Statistics, comparator_field: str, where: str
) -> list[Finding]:
    """Find the comparators that a schema's author wrote for numbers, and that TFDV reads as 0 whatever the numbers are.

    Args:
        schema: As it was read, with the comparators set.
        statistics: Tell the columns' types.
        comparator_field: `drift_comparator` or `skew_comparator`.
        where: What would be measured.
    """
    types = features_by_name(statistics)
    findings = []
    for feature in schema.feature:
        comparator = getattr(feature, comparator_field)
        seen = types.get(feature.name)
        if seen is None or not is_number(seen):
            continue
        blind = [name for name in MEASURES if name != JENSEN_SHANNON and comparator.HasField(name)]
        if blind:
            name = _WORDS[blind[0]]
            findings.append(
                Finding(
                    "not_compared",
                    feature.name,
                    where,
                    f"a threshold of the {name}, which TFDV reads as 0 whatever the numbers are",
                    f"one of the {_WORDS[JENSEN_SHANNON]}",
                    remedy=f"set `{JENSEN_SHANNON}` in the schema's `{comparator_field}`",
                )
            )
    return findings


def read_distances(
    anomalies: anomalies_pb2.Anomalies, chosen: Mapping[str, bool], measurements_field: str
) -> dict[str, Distance]:
    """Read what TFDV measured.

    Args:
        anomalies: A result of `tfdv.validate_statistics`.
        chosen: What `set_comparators` returned.
        measurements_field: `drift_measurements` or `skew_measurements`.

    Returns:
        Distance by column; of several, the one that is farthest over its threshold.
    """
    found = {}
    for info in anomalies.drift_skew_info:
        column = ".".join(info.path.step)
        distances = [
            Distance(_MEASURE_NAMES[one.type], one.value, one.threshold, chosen.get(column, False))
            for one in getattr(info, measurements_field)
            if one.type in _MEASURE_NAMES
        ]
        if distances:
            found[column] = max(distances, key=lambda one: one.value / max(one.threshold, 1e-12))
    return found


def drift_history(
    spans: Mapping[str, Statistics], before: Mapping[str, Statistics], schema: schema_pb2.Schema
) -> list[dict[str, Distance]]:
    """Measure each span against the spans before it, by the schema's drift comparators.

    Args:
        spans: Statistics of each span, oldest first.
        before: Statistics of the spans before a span, for each span but the first.
        schema: With its drift comparators set.

    Returns:
        Distances by column, for each span but the first.
    """
    bare = schema_pb2.Schema()
    for feature in schema.feature:
        if feature.HasField("drift_comparator"):
            # Only what measuring needs, so that no other anomaly is looked for.
            bare.feature.add(
                name=feature.name, type=feature.type, drift_comparator=feature.drift_comparator
            )
    return [
        read_distances(
            validate_columns(statistics, bare, previous_statistics=before[span]),
            {},
            "drift_measurements",
        )
        for span, statistics in spans.items()
        if span in before
    ]


def usual_distance(column: str, history: Sequence[Mapping[str, Distance]]) -> float | None:
    """Tell how far a column of a span usually is from the spans before it: the median.

    Args:
        column: The column.
        history: Entries of what `drift_history` returned, for the spans to learn from.
    """
    values = [distances[column].value for distances in history if column in distances]
    return median(values) if values else None


def findings_of(
    kind: str,
    distances: Mapping[str, Distance],
    where: str,
    against: str,
    usual: Mapping[str, float | None],
) -> list[Finding]:
    """Find the columns that are too far away.

    A default threshold leaves out columns that usually are as far; a chosen one does not.

    Args:
        kind: `drift` or `skew`.
        distances: By column.
        where: What was measured.
        against: What it was measured against.
        usual: How far each column usually is from the spans before.
    """
    findings = []
    for column, distance in distances.items():
        before = usual.get(column)
        by_nature = before is not None and distance.value <= USUAL_FACTOR * before
        if distance.value <= distance.threshold or (by_nature and not distance.chosen):
            continue
        findings.append(
            Finding(
                kind=kind,
                column=column,
                where=where,
                seen=f"{distance.words} {distance.value:.4g} from {against}",
                expected=f"{distance.words} of at most {distance.threshold:g}",
                severity=ERROR if distance.chosen else WARNING,
                measure=distance.measure,
                value=distance.value,
                threshold=distance.threshold,
            )
        )
    return findings
