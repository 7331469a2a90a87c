"""What every target can do.

A target is a service that runs compiled pipelines. A person's command, a schedule and a message all start their runs
through one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..definitions.compiled import Pipeline
from ..project.config import LoadedConfig
from ..project.sections.section import Section
from .types import (
    RemoteRun,
    RunRequest,
    RunStatus,
    Schedule,
    ScheduleRequest,
    Submission,
)

SUBMIT_SECONDS = 20.0
"""The most that a call of a target takes, retries included. Claims of runs and the end of the trigger
service rely on it."""


class Starter(Protocol):
    """Where runs can be started and looked up, which is all that triggers need."""

    name: str
    """`vertex`, `kubeflow` or `local`."""
    names_runs: bool
    """Whether the service refuses a second run of the same id. Where it does not, the caller claims the id first."""

    def submit(self, request: RunRequest) -> Submission:
        """Start a run, or return the one that already has this id.

        A request whose outcome is not known (a timeout, a lost reply) is looked up before it is sent again.
        """

    def find(self, run_id: str) -> Submission | None:
        """Look a run up by its id."""


class Target(Starter, Protocol):
    """A service that runs compiled pipelines.

    Every method raises UnavailableError if the service can't be reached or can't answer now, and RefusedError if it
    refuses for good. Each may be called from several threads at once.
    """

    place: Mapping[str, str]
    """Where on the service runs go, for records: project and region, or host, namespace and experiment."""

    def describe(self, request: RunRequest) -> dict[str, Any]:
        """Describe the request that `submit` would send, and where, without sending it."""

    def status(self, submission: Submission) -> RunStatus:
        """Return the status of a run."""

    def list_runs(self, most: int) -> list[RemoteRun]:
        """List this pipeline's newest runs, whoever started them, newest first."""

    def cancel(self, submission: Submission) -> RunStatus:
        """Ask the service to end a run, and return its state then. One that has ended stays as it is.

        A service may take minutes to end what runs.
        """

    def describe_schedule(self, request: ScheduleRequest) -> dict[str, Any]:
        """Describe the request that `put_schedule` would send, and where, without sending it."""

    def put_schedule(self, request: ScheduleRequest) -> Schedule:
        """Create a schedule, or change the one of that name."""

    def list_schedules(self) -> list[Schedule]:
        """List this pipeline's schedules, by name."""

    def pause_schedule(self, name: str) -> Schedule:
        """Start no more runs until it is resumed. RefusedError if it does not exist."""

    def resume_schedule(self, name: str, catch_up: bool = False) -> Schedule:
        """Start runs again. RefusedError if it does not exist."""

    def delete_schedule(self, name: str) -> None:
        """Delete a schedule; its runs stay. RefusedError if it does not exist."""


class OpenTarget(Protocol):
    """Opens a target."""

    def __call__(
        self,
        loaded: LoadedConfig,
        settings: Any,
        pipeline: Pipeline,
        *,
        deadline_seconds: float,
        starts_runs: bool,
    ) -> Target:
        """Open it, without a request.

        Args:
            loaded: The configuration.
            settings: The target's section, with flags and environment variables applied.
            pipeline: The pipeline of its runs.
            deadline_seconds: The most that a call may take, retries included.
            starts_runs: Whether runs will be started, which need an image that the target can pull and a folder for
                their artifacts.

        Raises:
            RetrainerError: If a setting is missing or wrong.
        """


def _no_problems(_: Any) -> Iterator[tuple[str, str]]:
    return iter(())


def _unchanged(_: LoadedConfig, settings: Any) -> Any:
    return settings


@dataclass(frozen=True)
class TargetKind:
    """Describes a target before it is opened; the module that has one as TARGET is named in the list TARGETS.

    Attributes:
        title: The service's name for people.
        section: Its section of retrain.yaml, under `targets`.
        open: Opens it.
        is_configured: Whether its settings name a service to ask for runs.
        wrong_values: Yields the key of each value that the service would refuse, and why.
        with_defaults: Returns the settings, completed from the rest of the configuration.
        takes_templates: Whether it runs templates that were pushed to a registry.
        keeps_limits: Whether a schedule's end and number of runs can't be removed again.
    """

    title: str
    section: type[Section]
    open: OpenTarget
    is_configured: Callable[[Any], bool]
    wrong_values: Callable[[Any], Iterator[tuple[str, str]]] = _no_problems
    with_defaults: Callable[[LoadedConfig, Any], Any] = _unchanged
    takes_templates: bool = False
    keeps_limits: bool = False
