"""All metrics of the loop, read from the store: what can't be read costs only itself."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ....components.lib.errors import RetrainerError
from .champion import champion_metrics
from .families import gauge
from .monitoring import incident_metrics, label_metrics, signal_metrics
from .runs import RunHistory
from .serving import serving_metrics

LOGGER = logging.getLogger("retrainer.metrics")
# Labels come by the hour at the earliest, and each span's record is a read.
_LABEL_SECONDS = 900.0


@dataclass(frozen=True)
class Part:
    """A part of the store.

    Attributes:
        read: Reads its metrics.
        seconds: How old they may be before they are read again.
    """

    read: Callable[[], Iterable[Metric]]
    seconds: float = 0.0


class _Fixed(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def parts_of(store: str, label_delay_seconds: float | None) -> dict[str, Part]:
    """Return what can be read of a store, by name.

    Args:
        store: URI of the store.
        label_delay_seconds: How long after a prediction its label is expected; None if that is not known.
    """
    return {
        "champion": Part(partial(champion_metrics, store)),
        "serving": Part(partial(serving_metrics, store)),
        "runs": Part(RunHistory(store).metrics),
        "signals": Part(partial(signal_metrics, store)),
        "incidents": Part(partial(incident_metrics, store)),
        "labels": Part(partial(label_metrics, store, label_delay_seconds), _LABEL_SECONDS),
    }


class LoopMetrics:
    """The metrics of one project, read again each time that they are asked for."""

    def __init__(self, project: str, parts: Mapping[str, Part]) -> None:
        """Name the project and what to read.

        Args:
            project: A label of every metric, since one Prometheus may scrape several projects.
            parts: What to read, by name.
        """
        self._project = project
        self._parts = parts
        self._known: dict[str, tuple[float, list[Metric]]] = {}

    def render(self) -> bytes:
        """Read all parts and return the text that Prometheus scrapes."""
        started = time.monotonic()
        failed = {name: float(not self._read(name)) for name in self._parts}
        took = time.monotonic() - started
        own = [
            gauge(
                "metrics_read_failed",
                "1 for a part of the store that could not be read.",
                ("part",),
                [((name,), value) for name, value in failed.items()],
            ),
            gauge(
                "metrics_read_timestamp_seconds",
                "When the store was read.",
                (),
                [((), time.time())],
            ),
            gauge("metrics_read_seconds", "How long reading the store took.", (), [((), took)]),
        ]
        return _write(self._project, [*chain(*(one[1] for one in self._known.values())), *own])

    def _read(self, name: str) -> bool:
        """Read a part if it is due; return whether its metrics are known."""
        known = self._known.get(name)
        part = self._parts[name]
        if known and time.monotonic() - known[0] < part.seconds:
            return True
        try:
            self._known[name] = time.monotonic(), list(part.read())
        except (RetrainerError, OSError, ValueError, KeyError, TypeError) as error:
            # Alerts on the other parts must still work, and there is one on this.
            self._known.pop(name, None)
            LOGGER.warning("the metrics of %s can't be read: %s", name, error)
            return False
        return True


def _write(project: str, metrics: Sequence[Metric]) -> bytes:
    for metric in metrics:
        for sample in metric.samples:
            sample.labels["project"] = project
    registry = CollectorRegistry()
    registry.register(_Fixed(metrics))
    return generate_latest(registry)
