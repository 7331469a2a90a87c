"""Kubeflow Pipelines as a target: runs by its v2beta1 API."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import kfp_server_api
import yaml

from ....components.lib.consoles import kubeflow_run_page
from ...definitions.compiled import Pipeline
from ...project.sections.targets import KubeflowConfig
from ..errors import RefusedError
from ..spec_tasks import task_names
from ..types import (
    ENDED,
    RemoteRun,
    RemoteState,
    RunRequest,
    RunStatus,
    Schedule,
    ScheduleRequest,
    Submission,
    TaskStatus,
)
from .api import DEADLINE_SECONDS, Calls, KubeflowClient
from .experiment import Experiment
from .schedules import KubeflowSchedules
from .settings import check_kubeflow
from .versions import VersionCheck

_STATES = {
    "PENDING": RemoteState.PENDING,
    "RUNNING": RemoteState.RUNNING,
    "SUCCEEDED": RemoteState.SUCCEEDED,
    "CACHED": RemoteState.CACHED,
    "SKIPPED": RemoteState.SKIPPED,
    "FAILED": RemoteState.FAILED,
    "CANCELING": RemoteState.RUNNING,
    "CANCELED": RemoteState.CANCELLED,
    "PAUSED": RemoteState.PAUSED,
}
# What the service gives for a time that has not come.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_DESCRIPTION = "retrainer"
_PAGE_SIZE = 100


class KubeflowTarget:
    """Kubeflow Pipelines; implements `Target`, and several threads may call it at once.

    Its API takes no id for a run from its caller and lets names repeat. So a run's id becomes its display name, which
    is looked up in the experiment before a run is created, and two callers at the same moment must agree first.
    """

    name = "kubeflow"
    names_runs = False

    def __init__(
        self,
        config: KubeflowConfig,
        pipeline: Pipeline,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """Prepare, without a request.

        Args:
            config: Where, and as whom.
            pipeline: What is run.
            deadline_seconds: How long a method may take in all, repeated attempts included.

        Raises:
            RetrainerError: If the host is missing, a setting is wrong, or the certificate file is missing.
        """
        check_kubeflow(config)
        self._config = config
        self._pipeline = pipeline
        self._client = KubeflowClient(config, deadline_seconds)
        self._experiment = Experiment(
            self._client, config.experiment or pipeline.name, config.namespace or ""
        )
        self.place: Mapping[str, str] = {
            "host": config.host or "",
            "namespace": config.namespace or "",
            "experiment": self._experiment.name,
        }

    def describe(self, request: RunRequest) -> dict[str, Any]:
        """Describe the request that `submit` would send, and where, without sending it.

        The experiment's id is known once something was sent; before, its name stands there in angle brackets.
        """
        experiment = self._experiment.known_id or f"<id of experiment '{self._experiment.name}'>"
        return {
            "method": "POST",
            "url": f"{self._client.host}/apis/v2beta1/runs",
            "body": self._client.to_json(self._to_run(request, experiment)),
        }

    def submit(self, request: RunRequest) -> Submission:
        """Start a run, or return the one that already has this name.

        Raises:
            UnavailableError: If the service was not available until the deadline. It may have started the run, which
                the next `submit` or `find` sees.
            RefusedError: If it refuses.
        """
        sent = False

        def look_and_create(calls: Calls) -> Submission:
            nonlocal sent
            self._versions.check(calls)
            experiment = self._experiment.ensure(calls)
            if found := self._look_up(calls, request.run_id):
                return self._to_submission(found, existed=not sent)
            sent = True
            run = self._to_run(request, experiment)
            return self._to_submission(calls.write(self._client.runs.run_service_create_run, run))

        return self._experiment.persist(look_and_create)

    def find(self, run_id: str) -> Submission | None:
        """Look a run up by its name; the oldest, if several have it."""
        found = self._experiment.persist(lambda calls: self._look_up(calls, run_id))
        return self._to_submission(found, existed=True) if found else None

    def status(self, submission: Submission) -> RunStatus:
        """Return the status of a run.

        An API that lists no tasks reports the state alone. Kubeflow calls a task that was taken from the cache
        succeeded, as any other.
        """
        run = self._client.persist(
            lambda calls: calls.read(self._client.runs.run_service_get_run, submission.reference)
        )
        details = run.run_details.task_details if run.run_details else None
        return RunStatus(
            state=_to_state(run.state),
            tasks=_to_tasks(details or [], self._tasks_of(run)),
            error=_to_error(run),
        )

    def list_runs(self, most: int) -> list[RemoteRun]:
        """List the newest runs of the experiment, whoever started them, newest first."""

        def attempt(calls: Calls) -> list[Any]:
            experiment = self._experiment.find(calls)
            if not experiment:
                return []
            runs: list[Any] = []
            token = ""
            while len(runs) < most:
                page = calls.read(
                    self._client.runs.run_service_list_runs,
                    experiment_id=experiment,
                    page_size=min(most, _PAGE_SIZE),
                    page_token=token,
                    sort_by="created_at desc",
                )
                runs += page.runs or []
                token = page.next_page_token
                if not token:
                    break
            return runs[:most]

        runs = self._experiment.persist(attempt)
        return [
            RemoteRun(
                self._to_submission(run, existed=True),
                _to_state(run.state),
                _to_time(run.finished_at),
                _to_error(run),
                _to_labels(run.description or ""),
                run.recurring_run_id or "",
            )
            for run in runs
        ]

    def cancel(self, submission: Submission) -> RunStatus:
        """Ask the service to end a run; one that has ended stays as it is.

        Of a run that has ended or is ending already the service says that its row was not found, with status 400
        (kubeflow/pipelines, backend/src/apiserver/storage/run_store.go, TerminateRun).
        """
        status = self.status(submission)
        if status.state in ENDED:
            return status
        try:
            self._client.persist(
                lambda calls: calls.write(
                    self._client.runs.run_service_terminate_run, submission.reference
                )
            )
        except RefusedError:
            run = self._client.persist(
                lambda calls: calls.read(
                    self._client.runs.run_service_get_run, submission.reference
                )
            )
            if _to_state(run.state) not in ENDED and run.state != "CANCELING":
                raise
        return self.status(submission)

    def describe_schedule(self, request: ScheduleRequest) -> dict[str, Any]:
        """Describe the request that `put_schedule` would send for a new schedule, and where, without sending it."""
        return self._schedules.describe(request)

    def put_schedule(self, request: ScheduleRequest) -> Schedule:
        """Create a schedule, or replace the one of that name; a paused one stays paused."""
        return self._schedules.put(request)

    def list_schedules(self) -> list[Schedule]:
        """List this pipeline's schedules in the experiment, by name."""
        return self._schedules.list_all()

    def pause_schedule(self, name: str) -> Schedule:
        """Start no more runs until it is resumed."""
        return self._schedules.pause(name)

    def resume_schedule(self, name: str, catch_up: bool = False) -> Schedule:
        """Start runs again."""
        return self._schedules.resume(name, catch_up)

    def delete_schedule(self, name: str) -> None:
        """Delete a schedule; its runs stay."""
        self._schedules.delete(name)

    @cached_property
    def _versions(self) -> VersionCheck:
        return VersionCheck(self._client, self._spec.get("platform_spec"))

    @cached_property
    def _schedules(self) -> KubeflowSchedules:
        return KubeflowSchedules(
            self._client,
            self._experiment,
            self._config,
            self._pipeline.name,
            self._spec,
            self._versions,
        )

    @cached_property
    def _spec(self) -> dict[str, Any]:
        """The pipeline in the form of the API: Kubernetes' own settings beside it, where there are some."""
        if not self._pipeline.text:
            # It was opened to look at runs, and nothing will be sent.
            return dict(self._pipeline.spec)
        spec, *platform = yaml.load_all(self._pipeline.text, Loader=yaml.CSafeLoader)
        return {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec

    def _look_up(self, calls: Calls, run_id: str) -> Any:
        runs = self._experiment.named(
            calls, self._client.runs.run_service_list_runs, "runs", run_id
        )
        return runs[0] if runs else None

    def _to_run(self, request: RunRequest, experiment: str) -> kfp_server_api.V2beta1Run:
        return kfp_server_api.V2beta1Run(
            display_name=request.run_id,
            description=_to_description(request.labels),
            experiment_id=experiment,
            pipeline_spec=self._spec,
            runtime_config=kfp_server_api.V2beta1RuntimeConfig(
                parameters=dict(request.parameters),
                pipeline_root=self._config.pipeline_root or None,
            ),
            service_account=self._config.service_account or None,
        )

    def _to_submission(self, run: Any, existed: bool = False) -> Submission:
        return Submission(
            run_id=run.display_name,
            reference=run.run_id,
            url=kubeflow_run_page(self._client.host, run.run_id),
            created_at=run.created_at.astimezone(UTC),
            existed=existed,
        )

    def _tasks_of(self, run: Any) -> set[str]:
        """Return the names of the pipeline's tasks, of the run's own spec if the service returns it."""
        own = run.pipeline_spec or {}
        return task_names(own.get("pipeline_spec", own) or self._pipeline.spec)


def _to_tasks(details: list[Any], names: set[str]) -> list[TaskStatus]:
    """Pick the pipeline's own tasks of what the service lists: its drivers, executors and groups are left out."""
    tasks = [
        TaskStatus(
            name=its.display_name,
            state=_to_state(its.state),
            started=_to_time(its.start_time),
            ended=_to_time(its.end_time),
            error=_to_error(its),
        )
        for its in details
        if its.display_name in names
    ]
    future = datetime.max.replace(tzinfo=UTC)
    return sorted(tasks, key=lambda task: (task.started or future, task.name))


def _to_description(labels: Mapping[str, str]) -> str:
    """Put labels where Kubeflow has room for them: its runs have none."""
    pairs = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return f"{_DESCRIPTION}: {pairs}" if pairs else _DESCRIPTION


def _to_labels(description: str) -> dict[str, str]:
    """Read the labels that `_to_description` wrote; a description by anybody else has none."""
    head, _, pairs = description.partition(": ")
    if head != _DESCRIPTION:
        return {}
    return dict(pair.split("=", 1) for pair in pairs.split(", ") if "=" in pair)


def _to_state(state: str | None) -> RemoteState:
    return _STATES.get(state or "", RemoteState.PENDING)


def _to_time(time: datetime | None) -> datetime | None:
    return time.astimezone(UTC) if time and time > _NEVER else None


def _to_error(thing: Any) -> str:
    return (thing.error.message or "") if thing.error else ""
