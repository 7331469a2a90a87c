"""Runs of this machine as a dispatcher starts them."""

from collections.abc import Callable
from datetime import UTC, datetime

from ..runs.record_store import load_run, run_exists
from ..runs.records import RunRecord
from ..targets.types import RunRequest, Submission


class LocalRuns:
    """Starts runs on this machine, one after the other; a name is a run's for ever.

    Args:
        store: URI of the store.
        run: Runs the pipeline under a name to its end, and returns its record.
    """

    name = "local"
    names_runs = True

    def __init__(self, store: str, run: Callable[[str], RunRecord]) -> None:
        self._store, self._run = store, run

    def submit(self, request: RunRequest) -> Submission:
        """Run the pipeline to its end, however it ends, or return the run that has this name already.

        Raises:
            RetrainerError: If it can't start, as while another run goes on.
        """
        return self.find(request.run_id) or _submission(self._run(request.run_id), existed=False)

    def find(self, run_id: str) -> Submission | None:
        """Look a run up by its name."""
        if not run_exists(self._store, run_id):
            return None
        return _submission(load_run(self._store, run_id), existed=True)


def _submission(record: RunRecord, existed: bool) -> Submission:
    started = datetime.fromisoformat(record.started) if record.started else datetime.now(UTC)
    return Submission(record.run_id, record.run_id, record.uri, started, existed)
