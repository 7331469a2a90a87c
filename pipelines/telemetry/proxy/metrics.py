"""What the proxy counts, in Prometheus's form."""

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest

from ..log_files.metrics import LogCollector
from ..log_files.writer import LogWriter

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ProxyMetrics:
    """Requests by status, their latency, and the state of the log."""

    def __init__(self, log: LogWriter) -> None:
        """Make them for a log."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "retrainer_proxy_requests",
            "Requests by status of their answer.",
            ["status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "retrainer_proxy_request_seconds",
            "Seconds until an answer was complete.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._registry.register(LogCollector(log))
        ProcessCollector(registry=self._registry)
        self._by_status: dict[int, Counter] = {}

    def count(self, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            status: Status of its answer.
            seconds: How long it took.
        """
        counter = self._by_status.get(status)
        if counter is None:
            # Looking a label up costs as much as all the rest. Statuses are three digits, so there are few.
            counter = self._by_status[status] = self._requests.labels(str(status))
        counter.inc()
        self._seconds.observe(seconds)

    def render(self) -> bytes:
        """Return all of it as the text that Prometheus scrapes."""
        return generate_latest(self._registry)
