"""All metrics of the loop, read from the store: what can't be read costs only itself."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ....components.lib.errors import RetrainerError
from .champion import champion_metrics
from .families import gauge
from .monitoring import incident_metrics, label_metrics, signal_metrics
from .runs import run_metrics

LOGGER = logging.getLogger("retrainer.metrics")
PROJECT = "project"

Part = Callable[[], Iterable[Metric]]


class _Fixed(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def parts_of(store: str, label_delay_seconds: float) -> dict[str, Part]:
    """Return what can be read of a store, by name.

    Args:
        store: URI of the store.
        label_delay_seconds: How long after a prediction its label is expected.
    """
    return {
        "champion": partial(champion_metrics, store),
        "runs": partial(run_metrics, store),
        "signals": partial(signal_metrics, store),
        "incidents": partial(incident_metrics, store),
        "labels": partial(label_metrics, store, label_delay_seconds),
    }


def render(project: str, parts: dict[str, Part]) -> bytes:
    """Read all parts and write them as the text that Prometheus scrapes.

    Args:
        project: Name of the project: a label of every metric, since one Prometheus may scrape several.
        parts: What to read, by name.
    """
    started = time.monotonic()
    metrics: list[Metric] = []
    failed = dict.fromkeys(parts, 0.0)
    for name, read in parts.items():
        try:
            metrics += list(read())
        except (RetrainerError, OSError, ValueError, KeyError, TypeError) as error:
            # Alerts on the other parts must still work, and there is one on this.
            failed[name] = 1.0
            LOGGER.warning("the metrics of %s can't be read: %s", name, error)
    metrics.append(
        gauge(
            "metrics_read_failed",
            "1 for a part of the store that could not be read.",
            ("part",),
            [((name,), value) for name, value in failed.items()],
        )
    )
    metrics.append(
        gauge("metrics_read_timestamp_seconds", "When the store was read.", (), [((), time.time())])
    )
    took = time.monotonic() - started
    metrics.append(
        gauge("metrics_read_seconds", "How long reading the store took.", (), [((), took)])
    )
    for metric in metrics:
        for sample in metric.samples:
            sample.labels[PROJECT] = project
    registry = CollectorRegistry()
    registry.register(_Fixed(metrics))
    return generate_latest(registry)
