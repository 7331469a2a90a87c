"""How far a window's columns are from their past (drift), and training from evaluation (skew)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.statistics.chunked_validation import validate_columns
from ..lib.statistics.dataset import Column, Dataset
from .distances import Distance, measure, quantile_divergence, read_distances
from .limits import JENSEN_SHANNON, QUANTILE_THRESHOLD
from .window import Window

# Up to this many times its usual distance from the spans before, a column (a month, a date) moves as it always does.
NORMAL_FACTOR = 1.25
# The median of fewer distances could be that of a single broken span.
LEAST_DISTANCES = 3


@dataclass(frozen=True)
class Comparison:
    """How far two datasets are from each other, column by column.

    Attributes:
        distances: By column.
        history: How far the spans were from the spans before them, for those that show what is usual; oldest first.
    """

    distances: Mapping[str, Distance]
    history: Sequence[Mapping[str, Distance]]

    def earlier(self, column: str) -> list[float]:
        """List how far a column's earlier spans were from the spans before them."""
        return [one[column].value for one in self.history if column in one]

    def usual(self, column: str) -> float | None:
        """Return the usual distance of a column from the spans before: the median of three or more, else None."""
        earlier = self.earlier(column)
        return median(earlier) if len(earlier) >= LEAST_DISTANCES else None


def compare(
    one: Dataset,
    other: Dataset,
    anomalies: anomalies_pb2.Anomalies,
    chosen: Mapping[str, bool],
    measurements_field: str,
) -> dict[str, Distance]:
    """Measure two datasets: with TFDV, or over quantile bins for numbers with a default threshold.

    Args:
        one: A dataset.
        other: Another one.
        anomalies: What TFDV found in comparing them.
        chosen: What `set_comparators` returned.
        measurements_field: `drift_measurements` or `skew_measurements`.
    """
    distances = read_distances(anomalies, chosen, measurements_field)
    return {
        column: _by_quantiles(distance, column, one, other)
        for column, distance in distances.items()
    }


def drift_history(
    window: Window, schema: schema_pb2.Schema, chosen: Mapping[str, bool]
) -> list[dict[str, Distance]]:
    """Measure each span against the spans before it, by the schema's drift comparators.

    Args:
        window: The window.
        schema: With its drift comparators set.
        chosen: What `set_comparators` returned.

    Returns:
        Distances by column, for each span but the first.
    """
    bare = schema_pb2.Schema()
    numbers = []
    for feature in schema.feature:
        if not feature.HasField("drift_comparator"):
            continue
        # A column that the newest span lacks has no comparator.
        if window.newest.columns[feature.name].quantiles and not chosen.get(feature.name):
            numbers.append(feature.name)
            continue
        # Only what measuring needs, so that TFDV looks for no other anomaly.
        bare.feature.add(
            name=feature.name, type=feature.type, drift_comparator=feature.drift_comparator
        )
    history = []
    for span, before in window.before.items():
        dataset = window.spans[span]
        found = validate_columns(dataset.statistics, bare, previous_statistics=before.statistics)
        distances = read_distances(found, chosen, "drift_measurements")
        for name in numbers:
            one = _quantile_distance(dataset.columns.get(name), before.columns.get(name))
            if one is not None:
                distances[name] = one
        history.append(distances)
    return history


def span_distances(window: Window, column: str, span: str) -> dict[str, float]:
    """Measure a column of a span against each span before it by itself, for the newest one including its relatives.

    Args:
        window: The window.
        column: The column.
        span: The span.

    Returns:
        Distance by span, oldest first; spans without values in the column are left out.
    """
    newest = window.spans[span].columns.get(column)
    distances = {}
    relatives = window.relatives if span == window.index.newest else {}
    for name, dataset in {**relatives, **window.spans}.items():
        if name == span:
            break
        other = dataset.columns.get(column)
        value = measure(newest, other) if newest is not None and other is not None else None
        if value is not None:
            distances[name] = value
    return distances


def _by_quantiles(distance: Distance, column: str, one: Dataset, other: Dataset) -> Distance:
    if distance.chosen or distance.measure != JENSEN_SHANNON:
        return distance
    return _quantile_distance(one.columns.get(column), other.columns.get(column)) or distance


def _quantile_distance(one: Column | None, other: Column | None) -> Distance | None:
    # Text has no quantiles.
    value = quantile_divergence(one, other) if one is not None and other is not None else None
    if value is None:
        return None
    return Distance(JENSEN_SHANNON, value, QUANTILE_THRESHOLD, chosen=False, by_quantiles=True)
