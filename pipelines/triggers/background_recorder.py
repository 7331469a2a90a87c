"""Recording what the trigger service submits, without making a message wait for it."""

import logging
from queue import Full, Queue
from threading import Thread
from typing import Protocol

from ..targets.types import RunRequest, Submission

_MAX_WAITING = 1000
_log = logging.getLogger(__name__)


class Recorder(Protocol):
    """What records a submission, as `submissions.SubmissionRecorder` does."""

    def record(
        self, request: RunRequest, submission: Submission, cause: str = "", by: str = ""
    ) -> None:
        """Record that a run was submitted; raises what goes wrong."""


class BackgroundRecorder:
    """Records submissions one after the other on a thread of its own.

    A message is answered when its run is submitted; the record is an extra. One that can't be written is left out, and
    the first such failure is logged: an account that may only claim runs would log each of them.

    Args:
        recorder: What records one.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._waiting: Queue[tuple[RunRequest, Submission]] = Queue(_MAX_WAITING)
        self._warned = False
        # What waits when the service ends is left out: the run's own tasks record it, too.
        Thread(target=self._work, name="record-submissions", daemon=True).start()

    def __call__(self, request: RunRequest, submission: Submission) -> None:
        """Record a submission soon. Returns at once."""
        try:
            self._waiting.put_nowait((request, submission))
        except Full:
            self._warn("more runs are submitted than the store can record")

    def join(self) -> None:
        """Wait until everything that was submitted is recorded or left out."""
        self._waiting.join()

    def _work(self) -> None:
        while True:
            request, submission = self._waiting.get()
            try:
                self._recorder.record(request, submission, by="trigger service")
            # A store has errors of many libraries, and none of them may end this thread.
            except Exception as error:
                self._warn(f"run '{submission.run_id}': {error}")
            finally:
                self._waiting.task_done()

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "submissions are not recorded in the store (%s). 'retrainer runs' still lists these runs, from the "
                "service and from what their tasks record. To record them, grant the service's account the creation of "
                "objects below 'runs/' in the store. This is logged once.",
                why,
            )
