"""What every target can do, and what it is told and tells.

A target is a service that runs compiled pipelines. Everything that is sent goes through one, whether a person, a
schedule or a message asked for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from ...components.lib.errors import RetrainerError

SUBMIT_SECONDS = 20.0
"""How long a call of a target takes at the most, its repetitions included. Claims of runs and the end of the trigger
service rely on it."""


class UnavailableError(RetrainerError):
    """The service can't be reached, is overloaded or broken: the same request may work later."""


class RefusedError(RetrainerError):
    """The service refuses the request, and would again: what was sent must change first."""


class UnauthenticatedError(RefusedError):
    """The service does not take the caller's credentials, which may be renewed meanwhile.

    Attributes:
        renewable: Whether this process can come by other credentials: a token file is read again, a variable is not.
    """

    def __init__(self, message: str, renewable: bool = True) -> None:
        super().__init__(message)
        self.renewable = renewable


@dataclass(frozen=True)
class RunRequest:
    """What a run shall be.

    Attributes:
        run_id: Its name, derived from what asked for it.
        parameters: The pipeline's parameters; what is not named keeps its default.
        labels: Labels besides the target's own, such as the trigger.
    """

    run_id: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Submission:
    """A run as the service has taken it.

    Attributes:
        run_id: The name that was asked for.
        reference: What the service calls it: Vertex's resource name, Kubeflow's run id.
        url: Its page in the service's console.
        created_at: When it was created, by the service's clock.
        existed: Whether it was there already.
    """

    run_id: str
    reference: str
    url: str
    created_at: datetime
    existed: bool = False


class RemoteState(StrEnum):
    """Where a run or a task of it stands on a service."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"


ENDED = frozenset({RemoteState.SUCCEEDED, RemoteState.FAILED, RemoteState.CANCELLED})
"""States that a run does not leave."""


@dataclass(frozen=True)
class TaskStatus:
    """A task of a run on a service.

    Attributes:
        name: Its name in the spec, as `train-model`.
        state: Where it stands.
        started: When it began.
        ended: When it ended.
        error: Why it failed, as the service says.
        url: Its logs in the service's console.
    """

    name: str
    state: RemoteState
    started: datetime | None = None
    ended: datetime | None = None
    error: str = ""
    url: str = ""


@dataclass(frozen=True)
class RunStatus:
    """A run on a service.

    Attributes:
        state: Where it stands.
        tasks: Those of its tasks that the service knows of yet, in order of their start.
        error: Why it failed, as the service says.
    """

    state: RemoteState
    tasks: Sequence[TaskStatus] = ()
    error: str = ""


@dataclass(frozen=True)
class RemoteRun:
    """A run in a service's list of runs.

    Attributes:
        submission: The run.
        state: Where it stands.
        ended: When it ended; None while it goes on.
        error: Why it failed, as the service says.
        labels: Labels that it was submitted with.
        schedule: What the service calls the schedule that started it; empty if none did.
    """

    submission: Submission
    state: RemoteState
    ended: datetime | None = None
    error: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    schedule: str = ""


@dataclass(frozen=True)
class ScheduleRequest:
    """What a schedule shall be: one concurrent run, and the newest span when each run starts.

    Attributes:
        name: Its name; a schedule of that name is changed.
        cron: Five fields: minute, hour, day of the month, month, day of the week.
        time_zone: Name in the IANA database, such as `Europe/Berlin`.
        parameters: The pipeline's parameters.
        catch_up: Whether runs that a pause or an outage kept from starting are made up for.
        start: No run starts before.
        end: No run starts after.
        max_runs: It ends after so many runs.
        digest: Stands for the pipeline and the settings that its runs have, for comparison.
        applied: Whether retrain.yaml asks for it, and not somebody by a command.
    """

    name: str
    cron: str
    time_zone: str = "UTC"
    parameters: Mapping[str, str] = field(default_factory=dict)
    catch_up: bool = False
    start: datetime | None = None
    end: datetime | None = None
    max_runs: int | None = None
    digest: str = ""
    applied: bool = False


class ScheduleState(StrEnum):
    """Where a schedule stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True)
class Schedule:
    """A schedule as the service has it.

    Attributes:
        name: Its name.
        reference: What the service calls it.
        cron: Five fields.
        time_zone: Name in the IANA database.
        state: Where it stands.
        next_run: When it starts a run next, if the service says.
        url: Its page in the service's console.
        updated: Whether `put_schedule` changed one that was there.
        catch_up: Whether runs that were kept from starting are made up for.
        start: No run starts before, if the service says.
        end: No run starts after.
        max_runs: It ends after so many runs.
        runs: How many it has started, if the service says.
        digest: That of the request that made it.
        applied: Whether retrain.yaml asked for it.
    """

    name: str
    reference: str
    cron: str
    time_zone: str
    state: ScheduleState
    next_run: datetime | None = None
    url: str = ""
    updated: bool = False
    catch_up: bool = False
    start: datetime | None = None
    end: datetime | None = None
    max_runs: int | None = None
    runs: int | None = None
    digest: str = ""
    applied: bool = False


class Target(Protocol):
    """A service that runs compiled pipelines.

    Every method raises UnavailableError if the service can't be reached or can't answer now, and RefusedError if it
    refuses for good. Each may be called from several threads at once.
    """

    name: str
    """`vertex` or `kubeflow`."""
    names_runs: bool
    """Whether the service refuses a second run of the same id. Where it does not, the caller claims the id first."""
    place: Mapping[str, str]
    """Where on the service runs go, for records: project and region, or host, namespace and experiment."""

    def describe(self, request: RunRequest) -> dict[str, Any]:
        """Give the request that `submit` would send, and where, without sending it."""

    def submit(self, request: RunRequest) -> Submission:
        """Start a run, unless there is one of that id, which is then given.

        A request whose outcome is not known (a timeout, a lost reply) is looked up before it is sent again.
        """

    def find(self, run_id: str) -> Submission | None:
        """Look a run up by its id."""

    def status(self, submission: Submission) -> RunStatus:
        """Ask where a run stands."""

    def list_runs(self, most: int) -> list[RemoteRun]:
        """List this pipeline's newest runs, whoever started them, newest first."""

    def cancel(self, submission: Submission) -> RunStatus:
        """Ask the service to end a run, and return its state then. One that has ended stays as it is.

        A service may take minutes to end what runs.
        """

    def describe_schedule(self, request: ScheduleRequest) -> dict[str, Any]:
        """Give the request that `put_schedule` would send, and where, without sending it."""

    def put_schedule(self, request: ScheduleRequest) -> Schedule:
        """Create a schedule, or change the one of that name."""

    def list_schedules(self) -> list[Schedule]:
        """List this pipeline's schedules, by name."""

    def pause_schedule(self, name: str) -> Schedule:
        """Start no more runs until it is resumed. RefusedError if there is no such schedule."""

    def resume_schedule(self, name: str, catch_up: bool = False) -> Schedule:
        """Start runs again. RefusedError if there is no such schedule."""

    def delete_schedule(self, name: str) -> None:
        """Delete a schedule; its runs stay. RefusedError if there is no such schedule."""
