"""What the face calls: settings as a pipeline hands them over, and the record of the run."""

from collections.abc import Mapping
from typing import Any

from ..lib.moments import parse_now
from ..lib.runs.run_records import recording
from ..lib.whole_numbers import whole_numbers
from .ingest import Ingested, ingest
from .log_mapping import parse_mapping
from .settings import LogSettings

_LISTS = ("key", "columns", "drop", "hash")


def run_task(
    store: str,
    settings: Mapping[str, Any],
    schema_uri: str,
    now: str,
    artifact: str,
    run: tuple[str, str, str],
) -> Ingested:
    """Ingest what is new in a log.

    Args:
        store: URI of the store.
        settings: The fields of `LogSettings`, as JSON values.
        schema_uri: As `ingest` takes it.
        now: When it is, in ISO 8601; empty for the clock's time.
        artifact: Folder for `predictions.json`.
        run: Name, resource name and id of the run.

    Raises:
        RetrainerError: As `ingest` does.
    """
    with recording(store, "ingest_predictions", *run) as record:
        ingested = ingest(
            store,
            parse_settings(settings),
            schema_uri=schema_uri,
            now=parse_now(now),
            artifact=artifact,
        )
        record.verdict = ingested.verdict
        record.note(
            newest_span=ingested.newest_span,
            spans={prediction_set.span: prediction_set.version for prediction_set in ingested.made},
        )
    return ingested


def parse_settings(settings: Mapping[str, Any]) -> LogSettings:
    """Read settings that went through a pipeline's parameters."""
    lists = {name: tuple(settings.get(name) or ()) for name in _LISTS}
    return LogSettings(
        **{
            **settings,
            **lists,
            "mapping": parse_mapping(settings.get("mapping") or {}),
            "versions": whole_numbers(settings.get("versions") or {}),
        }
    )
