"""Runs and schedules: what a target is asked for, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class RunRequest:
    """A run to start.

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
    """A run as the service accepted it.

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
    """The state of a run, or of a task, on a service."""

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
        state: Its state.
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
        state: Its state.
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
        state: Its state.
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
    """A schedule to create: one concurrent run, and the newest span when each run starts.

    Attributes:
        name: Its name; a schedule of that name is changed.
        cron: Five fields: minute, hour, day of the month, month, day of the week.
        time_zone: Name in the IANA database, such as `Europe/Berlin`.
        parameters: The pipeline's parameters.
        catch_up: Whether runs missed in a pause or an outage are started later.
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
    """The state of a schedule."""

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
        state: Its state.
        next_run: When it starts a run next, if the service says.
        url: Its page in the service's console.
        updated: Whether `put_schedule` changed one that was there.
        catch_up: Whether missed runs are started later.
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
