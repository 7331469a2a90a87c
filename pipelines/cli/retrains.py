"""Starting the runs of incidents from a command: on this machine, or on a service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from ...components.lib.monitoring.incident import Incident, IncidentState
from ...components.lib.monitoring.incident_records import IncidentRecords
from ...components.lib.monitoring.incidents import (
    follow_incidents,
    incident_of_run,
    note_run,
)
from ...components.lib.monitoring.look_signals import read_seen
from ...components.lib.monitoring.retraining_settings import RetrainingSettings
from ..local.observer import RunObserver
from ..local.run_start import RunStart
from ..local.runner import LocalRunner
from ..project.config import LoadedConfig, load_config
from ..runs.record_store import load_run, run_exists
from ..runs.records import RunRecord, RunState
from ..runs.submissions import SubmissionRecorder
from ..targets.catalog import open_target
from ..targets.types import RunRequest, Submission
from ..triggers.dispatch import make_dispatcher
from ..triggers.incidents import IncidentHandler, incident_run_id
from ..triggers.local_runs import LocalRuns
from ..triggers.types import Outcome, Result
from .prepare import prepare
from .progress import make_observer
from .run import run_locally
from .users import this_user
from .warm import warm_runner

_STOPPED = (RunState.DIED, RunState.INTERRUPTED)


@dataclass(frozen=True)
class Retrain:
    """The result for an incident that asked for a run.

    Attributes:
        incident: The incident's id.
        result: As of a trigger's message: `started`, `duplicate`, `ignored`, `deferred`, `failed`, `invalid`; or
            `resumed`, of a run that was interrupted.
        reason: Why, if it did not start; else empty.
        run: Name of the run; empty if there is none.
        url: Its page or folder.
        now: The incident's state afterwards, and why.
    """

    incident: str
    result: str
    reason: str = ""
    run: str = ""
    url: str = ""
    now: str = ""

    @classmethod
    def of(cls, incident: Incident, outcome: Outcome) -> "Retrain":
        """Make one of an outcome."""
        return cls(
            incident.id,
            str(outcome.result),
            outcome.reason,
            next(iter(outcome.run_ids), ""),
            next(iter(outcome.urls), ""),
        )

    @property
    def words(self) -> str:
        """The same in a line."""
        run = f" run {self.run}" if self.run else ""
        reason = f": {self.reason}" if self.reason else ""
        now = f"; now {self.now}" if self.now else ""
        return f"incident {self.incident}: {self.result}{run}{reason}{now}"


def retrain_here(file: Path, *, quiet: bool = False, verbose: bool = False) -> list[Retrain]:
    """Run the pipeline on this machine for each incident that asks for a run, one after the other.

    A run that a signal or a crash of this machine ended is resumed.

    Args:
        file: The retrain.yaml.
        quiet: Whether to show nothing of the runs.
        verbose: Whether to show what tasks print.

    Returns:
        The result for each incident; nothing without the section `retraining`.

    Raises:
        RetrainerError: If the file is wrong, or the incidents can't be read.
        RunInterrupted: On SIGINT, SIGTERM or SIGHUP.
    """
    loaded = load_config(file)
    if loaded.config.retraining is None:
        return []
    found: list[Retrain] = []
    store = loaded.config.store
    if _stopped(store) or any(one.wants_run for one in IncidentRecords(store).all()):
        with warm_runner() as local:

            def observe() -> RunObserver:
                return RunObserver() if quiet else make_observer(verbose=verbose)

            found = start_retrains(local, loaded, observe)
    follow(loaded)
    return _with_states(store, found)


def start_retrains(
    local: LocalRunner, loaded: LoadedConfig, observe: Callable[[], RunObserver]
) -> list[Retrain]:
    """Run the pipeline for each incident that asks for a run, and resume what was interrupted.

    Args:
        local: The runner.
        loaded: The configuration.
        observe: Returns what is called at each step of a run.

    Returns:
        What came of each incident.

    Raises:
        RetrainerError: If the incidents can't be read or written.
        RunInterrupted: On SIGINT, SIGTERM or SIGHUP.
    """
    store = loaded.config.store

    def run(run_id: str, resume: str | None = None) -> RunRecord:
        noting = RunStart(observe(), lambda name: _note(loaded, name))
        return run_locally(local, loaded, noting, run_id=run_id, resume=resume)

    found: list[Retrain] = []
    for incident in _stopped(store):
        run(incident.run, resume=incident.run)
        found.append(Retrain(incident.id, "resumed", run=incident.run))
    dispatcher = make_dispatcher(loaded, LocalRuns(store, run))
    return found + _start(IncidentHandler(dispatcher, store, this_user()))


def retrain_on(
    kind: str,
    file: Path,
    image: str | None,
    options: dict[str, Any],
    opened: Callable[..., Any] = open_target,
) -> list[Retrain]:
    """Submit a run to a service for each incident that asks for one.

    Args:
        kind: The service, `vertex` or `kubeflow`.
        file: The retrain.yaml.
        image: Image in place of the file's.
        options: The target's flags, as `take_flags` returns them.
        opened: Opens the target.

    Returns:
        The result for each incident; nothing without the section `retraining`.

    Raises:
        RetrainerError: If the file is wrong, or the incidents can't be read.
    """
    config = load_config(file).config
    if config.retraining is None:
        return []
    found: list[Retrain] = []
    if any(one.wants_run for one in IncidentRecords(config.store).all()):
        loaded, compiled = prepare(file, image, kind, {}, "")
        target = opened(kind, loaded, compiled, options)
        recorder = SubmissionRecorder(loaded, target)

        def record(request: RunRequest, submission: Submission) -> None:
            incident = incident_of_run(config.store, request.run_id)
            cause = f"incident {incident.id}" if incident else ""
            recorder.record_in_time(request, submission, cause, this_user())

        dispatcher = make_dispatcher(loaded, target, on_submit=record)
        found = _start(IncidentHandler(dispatcher, config.store, this_user()))
    follow(load_config(file))
    return _with_states(config.store, found)


def print_retrains(found: Sequence[Retrain], err: bool = False) -> int:
    """Print the results for incidents, a line each.

    Args:
        found: The results.
        err: Whether to print to standard error.

    Returns:
        The exit code: 1 if a run could not be started.
    """
    for one in found:
        click.echo(one.words, err=err)
    return int(any(one.result == Result.FAILED for one in found))


def follow(loaded: LoadedConfig) -> list[Incident]:
    """Bring every incident to the state that follows from how its run ended.

    Args:
        loaded: The configuration.

    Returns:
        The incidents that changed.

    Raises:
        RetrainerError: If the incidents can't be read or written.
    """
    config = loaded.config
    section = config.retraining
    settings = RetrainingSettings.of(section.model_dump(mode="json")) if section else None
    return follow_incidents(config.store, read_seen(config.store, settings), settings, this_user())


def _with_states(store: str, found: Sequence[Retrain]) -> list[Retrain]:
    """Add what each incident has come to."""
    records = IncidentRecords(store)
    known = {one.incident: records.find(one.incident) for one in found}
    return [
        replace(one, now=f"{now.state}: {now.reason}") if (now := known[one.incident]) else one
        for one in found
    ]


def _start(handler: IncidentHandler) -> list[Retrain]:
    return [Retrain.of(incident, outcome) for incident, outcome in handler.start_open()]


def _stopped(store: str) -> list[Incident]:
    """List the incidents whose run on this machine was interrupted."""
    going_on = [
        one for one in IncidentRecords(store).all() if one.state == IncidentState.RETRAINING
    ]
    return [one for one in going_on if _is_stopped(store, one)]


def _is_stopped(store: str, incident: Incident) -> bool:
    """Return whether an incident's run was one of this machine, and ended before its end."""
    if incident.pushed is not None or not run_exists(store, incident.run):
        return False
    return load_run(store, incident.run).state in _STOPPED


def _note(loaded: LoadedConfig, run: str) -> None:
    """Note a run that has begun in its incident."""
    store, pipeline = loaded.config.store, loaded.config.name
    for incident in IncidentRecords(store).all():
        if incident.wants_run and incident_run_id(pipeline, incident.id) == run:
            note_run(store, incident.id, run, this_user())
