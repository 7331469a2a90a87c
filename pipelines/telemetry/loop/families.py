"""Families of metrics whose labels stay few and short."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily

PREFIX = "retrainer_"
# A label's values are names of columns, runs and the like, which anybody may choose.
_LONGEST_VALUE = 120


def gauge(
    name: str,
    text: str,
    labels: Sequence[str] = (),
    values: Iterable[tuple[Sequence[object], float]] = (),
) -> GaugeMetricFamily:
    """Make a family of gauges.

    Args:
        name: Its name, without `retrainer_`.
        text: What it means.
        labels: Names of its labels.
        values: Values of the labels, and the gauge's value.
    """
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for named, value in values:
        family.add_metric([shorten(str(one)) for one in named], value)
    return family


def shorten(value: str) -> str:
    """Cut a label's value to what Prometheus keeps without complaint."""
    return value if len(value) <= _LONGEST_VALUE else f"{value[: _LONGEST_VALUE - 3]}..."


def one_of(states: Iterable[str], current: str) -> Mapping[str, float]:
    """Return 1 for the current state and 0 for each other one, so that no series disappears."""
    return {state: float(state == current) for state in states}


def timestamp(moment: str) -> float | None:
    """Convert a moment in ISO 8601 to seconds since 1970; None if it is empty or unreadable."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
