"""Metrics of the model in service."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from ....components.lib.registry.registry import CHAMPION, Registry
from ....components.lib.spans.span_periods import span_periods
from ....components.lib.store import Store
from .families import gauge, timestamp


def champion_metrics(store: str) -> Iterator[Metric]:
    """Yield what is known of the champion; its ages are left out where nothing serves.

    Args:
        store: URI of the store.
    """
    registry = Registry(Store(store).models_uri)
    move = registry.alias(CHAMPION).newest()
    number = move.version if move else None
    yield gauge(
        "champion_version",
        "Version of the model in service; 0 if none is.",
        (),
        [((), number or 0)],
    )
    version = registry.find(number) if number is not None else None
    moments = {
        "in_service": timestamp(move.at) if move and number is not None else None,
        "pushed": timestamp(str(version.info.get("pushed_at") or "")) if version else None,
        "newest_span_end": _end_of(version.newest_span) if version else None,
    }
    texts = {
        "in_service": "When the champion came into service.",
        "pushed": "When the champion was pushed to the registry.",
        "newest_span_end": "End of the newest span that the champion was trained or evaluated on.",
    }
    for name, moment in moments.items():
        if moment is not None:
            yield gauge(f"champion_{name}_timestamp_seconds", texts[name], (), [((), moment)])


def _end_of(span: str) -> float | None:
    periods = span_periods([span]) if span else {}
    return timestamp(periods[span].end.isoformat()) if periods else None
