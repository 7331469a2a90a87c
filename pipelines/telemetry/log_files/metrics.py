"""What a log counts, in Prometheus's form."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .writer import LogWriter


class LogCollector(Collector):
    """Reads the state of a log whenever it is scraped."""

    def __init__(self, log: LogWriter) -> None:
        """Take the log."""
        self._log = log

    def collect(self) -> Iterator[Metric]:
        """Yield the log's metrics."""
        state = self._log.state
        rows = CounterMetricFamily(
            "retrainer_log_rows", "Rows of the log by result.", labels=["result"]
        )
        rows.add_metric(["written"], state.written)
        rows.add_metric(["dropped"], state.dropped)
        yield rows
        yield CounterMetricFamily("retrainer_log_files", "Files written.", state.files)
        yield CounterMetricFamily(
            "retrainer_log_write_failures", "Attempts to write a file that failed.", state.failures
        )
        yield GaugeMetricFamily(
            "retrainer_log_waiting_rows", "Rows in memory, not written yet.", state.waiting
        )
        yield GaugeMetricFamily(
            "retrainer_log_waiting_bytes", "Memory that they take.", state.waiting_bytes
        )
        yield GaugeMetricFamily(
            "retrainer_log_last_write_timestamp_seconds",
            "When a file was written last; 0 if none was.",
            state.written_at or 0.0,
        )
