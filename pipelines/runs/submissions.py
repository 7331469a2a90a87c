"""What is recorded in the store of a run when it is sent to a service.

The tasks of a run record what they use. This record is there before the first of them starts, and says where the run
is, who sent it and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Thread
from typing import Any

from ...components.lib.image import VERSION
from ...components.lib.runs.run_records import RunKey, note_submission
from ..project.config import LoadedConfig
from ..targets.interface import Target
from ..targets.types import RunRequest, Submission

PATIENCE_SECONDS = 15.0
"""How long a command waits for the store: the run has been submitted, and goes on without a record."""


@dataclass(frozen=True)
class SubmissionRecorder:
    """Records what is sent to a target.

    Attributes:
        loaded: The configuration.
        target: Where runs go.
    """

    loaded: LoadedConfig
    target: Target

    def record(
        self, request: RunRequest, submission: Submission, cause: str = "", by: str = ""
    ) -> None:
        """Record that a run was submitted. One that was there already is its submitter's to record.

        Args:
            request: What was asked for.
            submission: The run.
            cause: What asked for it, in words.
            by: Who asked for it.

        Raises:
            OSError: If the store refuses or can't be reached.
            RetrainerError: If the store can't be opened.
        """
        if not submission.existed:
            key = key_of(self.target.name, submission)
            note_submission(
                request.parameters.get("store") or self.loaded.config.store,
                key,
                self._describe(request, submission, cause, by),
            )

    def record_in_time(
        self,
        request: RunRequest,
        submission: Submission,
        cause: str = "",
        by: str = "",
    ) -> str:
        """Record that a run was submitted, unless the store takes too long.

        Args:
            request: What was asked for.
            submission: The run.
            cause: What asked for it, in words.
            by: Who asked for it.

        Returns:
            A sentence that says why it was not recorded; empty if it was.
        """
        problems: list[str] = []

        def work() -> None:
            try:
                self.record(request, submission, cause, by)
            # A store has errors of many libraries, and this thread's own would only be printed.
            except Exception as error:
                problems.append(str(error) or type(error).__name__)

        # Nobody waits for a bucket that does not answer.
        thread = Thread(target=work, name="record-submission", daemon=True)
        thread.start()
        thread.join(PATIENCE_SECONDS)
        if thread.is_alive():
            problems.append(f"the store did not answer within {PATIENCE_SECONDS:g} s.")
        if not problems:
            return ""
        return (
            f"run {submission.run_id} was submitted, and its submission is not recorded in the store: {problems[0]} "
            "The run's own tasks record it when they start."
        )

    def _describe(
        self, request: RunRequest, submission: Submission, cause: str, by: str
    ) -> Mapping[str, Any]:
        config = self.loaded.config
        return {
            "target": self.target.name,
            "place": dict(self.target.place),
            "pipeline": self.loaded.pipeline_name,
            "reference": submission.reference,
            "url": submission.url,
            "created_at": submission.created_at.isoformat(),
            "parameters": dict(request.parameters),
            "labels": dict(request.labels),
            "cause": cause,
            "by": by,
            "image": config.image or "",
            "retrainer": VERSION,
        }


def key_of(target: str, submission: Submission) -> RunKey:
    """Name the run of a submission by the key that its tasks will use.

    Args:
        target: The target's name.
        submission: The run.
    """
    reference = submission.reference
    key = (
        RunKey.of(submission.run_id, reference)
        if target == "vertex"
        else RunKey.of(submission.run_id, "", reference)
    )
    return key or RunKey(submission.run_id, reference)
