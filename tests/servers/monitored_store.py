"""A store with a champion, runs, looks of monitoring and incidents, made in milliseconds."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retrainer.components.lib.monitoring.incident import Detection
from retrainer.components.lib.monitoring.incident_judgement import NewRows
from retrainer.components.lib.monitoring.incidents import Seen, follow_incidents
from retrainer.components.lib.monitoring.looks import LookRecord, Looks, StateRecord
from retrainer.components.lib.monitoring.retraining_settings import RetrainingSettings
from retrainer.components.lib.monitoring.signals import Signal
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.runs.run_records import recording
from retrainer.components.lib.store import Store


class MonitoredStore:
    """Writes what the loop writes.

    Attributes:
        uri: The store.
    """

    def __init__(self, folder: Path) -> None:
        self.uri = str(folder / "store")
        self._model = folder / "model"
        self._model.mkdir(parents=True)

    def put_into_service(self, at: str, **info: Any) -> int:
        """Push a model that becomes the champion; return its version."""
        registry = Registry(Store(self.uri).models_uri)
        number = len(registry.versions()) + 1
        (self._model / "saved_model.pb").write_text(f"graph {number}")
        version = registry.add(str(self._model), f"digest {number}", info)
        registry.move_alias(CHAMPION, version.version, registry.version_of(CHAMPION), {"at": at})
        return version.version

    def run(self, name: str, task: str, error: Exception | None = None, **notes: Any) -> None:
        """Record a run that ended with this task, or with its error."""
        with recording(self.uri, task, name, f"projects/1/locations/x/pipelineJobs/{name}") as one:
            one.note(**notes)
            if error:
                raise error

    def look(
        self, *signals: Signal, window: str = "2026-11-25", errors: tuple[str, ...] = ()
    ) -> StateRecord:
        """Look, and return the states after it."""
        looks = Looks(self.uri)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        looks.add(LookRecord(window, window, 1, at, signals, errors=errors))
        return looks.fold({})

    def open_incident(self, name: str) -> None:
        """Open an incident of a signal, which waits for a person."""
        seen = Seen(1, 1, (Detection(name, "1", f"{name} is detected."),))
        follow_incidents(self.uri, seen, RetrainingSettings(), "a look", lambda _: NewRows(0))
