"""Vertex AI Pipelines as a target.

The clients of the API itself are used and not the SDK over them: its PipelineJob looks at buckets and projects first,
which the submitting account may not see, and its schedules have dropped labels, credentials and locations.
"""

from collections.abc import Mapping
from datetime import UTC
from itertools import islice
from typing import TYPE_CHECKING, Any

from ....components.lib.network import certificates
from ....components.lib.vertex_api import Options
from ...definitions.compiled import Pipeline
from ...project.sections.targets import VertexConfig
from ..errors import RefusedError
from ..interface import SUBMIT_SECONDS
from ..types import ENDED, RemoteRun, RunRequest, RunStatus, Schedule, ScheduleRequest, Submission
from .api import VertexCaller, VertexClients, is_undone
from .requests import PIPELINE_LABEL, VertexRequests, label_of
from .schedules import VertexSchedules, check_schedule
from .settings import check_vertex, console_url, is_emulator, parent

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud import aiplatform_v1

DEADLINE_SECONDS = SUBMIT_SECONDS
_PAGE_SIZE = 100


class VertexTarget:
    """Runs and schedules on Vertex AI; the methods are described at `interface.Target`.

    Args:
        config: Where, as whom and with what.
        pipeline: What is submitted.
        credentials: Credentials to call the service with. If not given: none for an emulator on this machine, else
            Google's application default ones.
        deadline_seconds: How long a call may take, its repetitions included.
        starts_runs: Whether runs will be started, which need a folder for their artifacts.

    Raises:
        RetrainerError: If a setting is missing or wrong.
    """

    name = "vertex"
    names_runs = True

    def __init__(
        self,
        config: VertexConfig,
        pipeline: Pipeline,
        credentials: "Credentials | None" = None,
        deadline_seconds: float = DEADLINE_SECONDS,
        starts_runs: bool = True,
    ) -> None:
        check_vertex(config, starts_runs)
        if not is_emulator(config):
            # A file that is missing would be an error of the library's, which does not name the variable.
            certificates()
        self.place: Mapping[str, str] = {
            "project": config.project or "",
            "region": config.region or "",
        }
        self._config = config
        self._pipeline = pipeline
        self._requests = VertexRequests(config, pipeline)
        self._clients = VertexClients(config, credentials)
        self._caller = VertexCaller(config, deadline_seconds)
        self._schedules = VertexSchedules(
            self._clients.schedules, self._caller, config, label_of(pipeline.name)
        )

    def describe(self, request: RunRequest) -> dict[str, Any]:
        """Describe the request that `submit` would send: `method`, `url` and `body`."""
        return self._requests.describe_run(request)

    def submit(self, request: RunRequest) -> Submission:
        """Start a run, or return the one that already has this id.

        The id makes it safe to send a request again whose outcome is not known. A run that is found then is taken for
        our own: `existed` is false, though a twin may have been quicker.
        """
        from google.api_core.exceptions import Conflict, NotFound

        post = self._requests.run(request)
        unknown: list[Exception] = []

        def attempt(options: Options) -> tuple["aiplatform_v1.PipelineJob", bool]:
            try:
                return self._clients.create_job(post, options()["timeout"]), False
            except Conflict as conflict:
                name = self._reference(request.run_id)
                try:
                    job = self._clients.pipelines().get_pipeline_job(name=name, **options())
                except NotFound:
                    # The conflict was another one, which passes.
                    raise conflict from None
                return job, not unknown

        def note(error: Exception) -> None:
            if not is_undone(error):
                unknown.append(error)

        job, existed = self._caller.call(f"run {request.run_id}", attempt, on_retry=note)
        return self._to_submission(job, existed)

    def find(self, run_id: str) -> Submission | None:
        """Look a run up by its id."""
        from google.api_core.exceptions import NotFound

        def attempt(options: Options) -> "aiplatform_v1.PipelineJob | None":
            try:
                return self._clients.pipelines().get_pipeline_job(
                    name=self._reference(run_id), **options()
                )
            except NotFound:
                return None

        job = self._caller.call(f"run {run_id}", attempt)
        return None if job is None else self._to_submission(job, existed=True)

    def status(self, submission: Submission) -> RunStatus:
        """Return the status of a run."""
        from .status import to_status

        job = self._caller.call(
            f"run {submission.run_id}",
            lambda options: self._clients.pipelines().get_pipeline_job(
                name=submission.reference, **options()
            ),
        )
        return to_status(job, self._config, self._pipeline.spec)

    def list_runs(self, most: int) -> list[RemoteRun]:
        """List this pipeline's newest runs, whoever started them, newest first."""
        from google.protobuf.field_mask_pb2 import FieldMask

        from .status import LISTED_FIELDS, to_remote_run

        request = {
            "parent": parent(self._config),
            "filter": f'labels.{PIPELINE_LABEL}="{label_of(self._pipeline.name)}"',
            "order_by": "create_time desc",
            "page_size": min(most, _PAGE_SIZE),
            "read_mask": FieldMask(paths=LISTED_FIELDS),
        }

        def attempt(options: Options) -> list["aiplatform_v1.PipelineJob"]:
            jobs = self._clients.pipelines().list_pipeline_jobs(request=request, **options())
            return list(islice(jobs, most))

        jobs = self._caller.call(f"the runs of {self._pipeline.name}", attempt)
        return [to_remote_run(job, self._to_submission(job, existed=True)) for job in jobs]

    def cancel(self, submission: Submission) -> RunStatus:
        """Ask the service to end a run; one that has ended stays as it is.

        The service refuses to cancel what has ended (FAILED_PRECONDITION, "is in state ... and cannot be canceled").
        """
        status = self.status(submission)
        if status.state in ENDED:
            return status
        try:
            self._caller.call(
                f"run {submission.run_id}",
                lambda options: self._clients.pipelines().cancel_pipeline_job(
                    name=submission.reference, **options()
                ),
            )
        except RefusedError:
            status = self.status(submission)
            if status.state in ENDED:
                return status
            raise
        return self.status(submission)

    def describe_schedule(self, request: ScheduleRequest) -> dict[str, Any]:
        """Describe the request that would create the schedule: `method`, `url` and `body`.

        Where there is one of that name, the same body goes to it as a PATCH; only the service knows.
        """
        check_schedule(request)
        return self._requests.describe_schedule(request)

    def put_schedule(self, request: ScheduleRequest) -> Schedule:
        """Create a schedule, or change the one of that name."""
        check_schedule(request)
        return self._schedules.put(self._requests.schedule(request))

    def list_schedules(self) -> list[Schedule]:
        """List this pipeline's schedules, by name."""
        return self._schedules.list_own()

    def pause_schedule(self, name: str) -> Schedule:
        """Start no more runs until it is resumed."""
        return self._schedules.pause(name)

    def resume_schedule(self, name: str, catch_up: bool = False) -> Schedule:
        """Start runs again."""
        return self._schedules.resume(name, catch_up)

    def delete_schedule(self, name: str) -> None:
        """Delete a schedule; its runs stay."""
        self._schedules.delete(name)

    def _reference(self, run_id: str) -> str:
        return f"{parent(self._config)}/pipelineJobs/{run_id}"

    def _to_submission(self, job: "aiplatform_v1.PipelineJob", existed: bool) -> Submission:
        run_id = job.name.rpartition("/")[2]
        return Submission(
            run_id=run_id,
            reference=job.name,
            url=console_url(self._config, "runs", run_id),
            created_at=type(job).pb(job).create_time.ToDatetime(tzinfo=UTC),
            existed=existed,
        )
