"""Asking services for the runs that the store may or may not know."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from queue import Empty, Queue
from threading import Thread
from time import monotonic

from ...components.lib.errors import RetrainerError
from ...components.lib.runs.run_records import RunKey
from ...components.lib.runs.run_traces import RunTrace, list_traces, read_traces
from ..project.config import LoadedConfig
from ..project.pipelines import configured_pipelines
from ..project.sections.targets import TARGETS
from ..targets.catalog import find_kind, list_services, open_for_reading
from ..targets.interface import Target
from ..targets.types import ENDED, RemoteRun, RunStatus, Submission
from .remote_runs import RunElsewhere, combine, to_run
from .submissions import key_of

ASK_SECONDS = 10.0
"""How long a service has to list its runs."""


@dataclass(frozen=True)
class Answers:
    """What services said of their runs.

    Attributes:
        runs: Their runs, with the target's name.
        problems: A sentence for each service that could not be asked.
    """

    runs: Sequence[tuple[str, RemoteRun]] = ()
    problems: Sequence[str] = ()


def list_elsewhere(
    loaded: LoadedConfig, kinds: Iterable[str], asked: Iterable[str], most: int
) -> tuple[list[RunElsewhere], Sequence[str]]:
    """List the runs on services, newest first.

    Args:
        loaded: The configuration.
        kinds: The services whose runs to list.
        asked: Those of them to ask.
        most: How many runs to ask each of them for.

    Returns:
        The runs, and a sentence for each service that could not be asked.
    """
    traces = [trace for trace in list_traces(loaded.config.store) if not is_local(trace)]
    answers = ask(loaded, asked, most)
    wanted = set(kinds)
    return [run for run in combine(traces, answers.runs) if run.target in wanted], answers.problems


def is_local(trace: RunTrace) -> bool:
    """Return whether a run was a local run of this or another machine, which keeps a record of its own."""
    return trace.key.job == trace.key.name and not trace.submission


def ask(loaded: LoadedConfig, kinds: Iterable[str], most: int) -> Answers:
    """Ask services for their runs, all at once, for a bounded time.

    Args:
        loaded: The configuration.
        kinds: The services.
        most: How many runs to ask each of them for.
    """
    answered: Queue[tuple[str, list[RemoteRun] | str]] = Queue()
    waiting = set(kinds)

    def work(kind: str) -> None:
        try:
            answered.put((kind, _list_runs(kind, loaded, most)))
        except RetrainerError as error:
            answered.put((kind, str(error)))
        # Whoever waits must hear of a mistake, too.
        except Exception as error:
            answered.put((kind, f"{type(error).__name__}: {error}"))

    for kind in waiting:
        # A service that does not answer must not keep the program from ending.
        Thread(target=work, args=(kind,), name=f"ask-{kind}", daemon=True).start()
    runs: list[tuple[str, RemoteRun]] = []
    problems: dict[str, str] = {}
    # Its library takes seconds to load, which are not the service's.
    deadline = monotonic() + 2 * ASK_SECONDS
    while waiting:
        try:
            kind, answer = answered.get(timeout=max(deadline - monotonic(), 0.01))
        except Empty:
            problems |= dict.fromkeys(waiting, f"no answer within {2 * ASK_SECONDS:g} s.")
            break
        waiting.discard(kind)
        if isinstance(answer, str):
            problems[kind] = answer
        else:
            runs += [(str(kind), run) for run in answer]
    return Answers(
        runs,
        [
            f"{find_kind(kind).title} could not be asked, so the states of its runs are the last ones recorded: {why}"
            for kind, why in sorted(problems.items())
        ],
    )


def _list_runs(kind: str, loaded: LoadedConfig, most: int) -> list[RemoteRun]:
    """List the newest runs of all pipelines."""
    targets = [
        open_for_reading(kind, loaded.of(pipeline), ASK_SECONDS)
        for pipeline in configured_pipelines(loaded.config)
    ]
    # Pipelines that share an experiment of Kubeflow list the same runs.
    runs = {run.submission.reference: run for target in targets for run in target.list_runs(most)}
    newest = sorted(runs.values(), key=lambda run: run.submission.created_at, reverse=True)
    return _name_schedules(targets, newest[:most])


def _name_schedules(targets: Sequence[Target], runs: list[RemoteRun]) -> list[RemoteRun]:
    """Put the names of schedules in place of what the service calls them; a deleted one keeps that."""
    if not any(run.schedule for run in runs):
        return runs
    try:
        schedules = [one for target in targets for one in target.list_schedules()]
    except RetrainerError:
        return runs
    # Vertex AI has the project's number in one place and its id in another.
    names = {one.reference.rpartition("/")[2]: one.name for one in schedules}
    return [
        replace(run, schedule=names.get(run.schedule.rpartition("/")[2], run.schedule))
        for run in runs
    ]


@dataclass(frozen=True)
class Found:
    """A run on a service, and how to talk to the service about it.

    Attributes:
        run: What the store knows of it.
        kind: The service.
        submission: The run as the service knows it.
        target: The service; None if retrain.yaml here does not say how to reach it.
        problem: Why there is none.
    """

    run: RunElsewhere
    kind: str
    submission: Submission
    target: Target | None
    problem: str = ""

    def reach(self) -> Target:
        """Open the service.

        Raises:
            RetrainerError: If it is not known here.
        """
        if self.target is None:
            raise RetrainerError(self.problem)
        return self.target

    def look(self) -> tuple[RunElsewhere, RunStatus | None, str]:
        """Ask the service where the run stands.

        Returns:
            The run with its state, what the service said, and a sentence if it could not be asked.
        """
        try:
            status = self.reach().status(self.submission)
        except RetrainerError as error:
            why = f"{find_kind(self.kind).title} could not be asked, so the state is the last one recorded: {error}"
            return self.run, None, why
        ends = [task.ended for task in status.tasks if task.ended]
        ended = max(ends).isoformat(timespec="seconds") if ends and status.state in ENDED else ""
        now = replace(
            self.run,
            state=str(status.state),
            asked=True,
            ended=ended or self.run.ended,
            outcome=self.run.outcome or status.error,
        )
        return now, status, ""


def find_elsewhere(loaded: LoadedConfig, run_id: str, kinds: Collection[str] = ()) -> list[Found]:
    """Find a run by its name: in the store, and if nothing is noted there, at each service of the configuration.

    Args:
        loaded: The configuration.
        run_id: Its name.
        kinds: Only on these services; empty for any.

    Returns:
        The runs of that name, newest first; none if nobody knows it.

    Raises:
        RetrainerError: If nothing is noted of it, and a service that may have it can't be asked.
    """
    folder = RunKey(run_id, run_id).folder
    traces = [one for one in read_traces(loaded.config.store, folder) if not is_local(one)]
    found = _open_all(loaded, traces, kinds)
    problems = []
    for kind in list_services(loaded) if not found else ():
        if kinds and kind not in kinds:
            continue
        try:
            found += _look_up(loaded, kind, run_id)
        except RetrainerError as error:
            problems.append(f"{find_kind(kind).title} could not be asked: {error}")
    if problems and not found:
        raise RetrainerError(
            f"nothing is recorded of a run '{run_id}' in '{loaded.config.store}', and {' '.join(problems)}"
        )
    return sorted(found, key=lambda one: one.run.started, reverse=True)


def _look_up(loaded: LoadedConfig, kind: str, run_id: str) -> list[Found]:
    for pipeline in configured_pipelines(loaded.config):
        target = open_for_reading(kind, loaded.of(pipeline), ASK_SECONDS)
        if submission := target.find(run_id):
            run = replace(
                to_run(kind, None, RunTrace(key_of(kind, submission), {})),
                started=submission.created_at.isoformat(timespec="seconds"),
                url=submission.url,
                reference=submission.reference,
                place=target.place,
            )
            return [Found(run, kind, submission, target)]
    return []


def newest_elsewhere(loaded: LoadedConfig, kinds: Collection[str] = ()) -> list[Found]:
    """Find the newest run that the store knows of.

    Args:
        loaded: The configuration.
        kinds: Only on these services; empty for any.

    Returns:
        The run; none if the store knows of no run on a service.
    """
    traces = [trace for trace in list_traces(loaded.config.store) if not is_local(trace)]
    traces = [trace for trace in traces if not kinds or to_run("", None, trace).target in kinds]
    newest = max(traces, key=lambda trace: trace.started, default=None)
    return _open_all(loaded, [newest] if newest else [])


def _open_all(
    loaded: LoadedConfig, traces: Iterable[RunTrace], kinds: Collection[str] = ()
) -> list[Found]:
    found = [_open(loaded, trace) for trace in traces]
    return [one for one in found if not kinds or one.kind in kinds]


def _open(loaded: LoadedConfig, trace: RunTrace) -> Found:
    run = to_run("", None, trace)
    if run.target not in TARGETS:
        raise RetrainerError(
            f"run '{run.run_id}' was submitted to '{run.target}', which this release of retrainer does not know."
        )
    kind = run.target
    target, problem = None, ""
    try:
        target = open_for_reading(kind, loaded, ASK_SECONDS, run.place)
    except RetrainerError as error:
        # What the store knows of the run can be shown all the same.
        problem = str(error)
    reference = run.reference or trace.key.job
    if target and reference.startswith("locations/"):
        reference = f"projects/{target.place['project']}/{reference}"
    created = datetime.fromisoformat(run.started) if run.started else datetime.now(UTC)
    submission = Submission(run.run_id, reference, run.url, created, existed=True)
    return Found(run, kind, submission, target, problem)
