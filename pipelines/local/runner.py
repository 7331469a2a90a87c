"""Running a compiled pipeline on this machine."""

import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import Any

from ...components.lib.errors import RetrainerError
from ..runs.heartbeat import Heartbeat
from ..runs.lock import RunLock
from ..runs.record_store import create_run, load_run, lock_path, run_exists
from ..runs.records import DONE, RunRecord, RunState
from ..runs.run_ids import check_local_run_id
from .artifact_folder import claim_folder, release_folder
from .fork_client import TaskProcesses
from .observer import RunObserver
from .parameters import pipeline_parameters
from .preload import LIBRARIES
from .run import Run, RunSettings
from .run_record import new_record
from .spec import read_spec

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RunInterrupted(KeyboardInterrupt):
    """A run was stopped by a signal; its record is written and its processes are gone.

    Attributes:
        record: The run's record.
        signal_number: The signal; a command line exits with 128 plus it.
    """

    def __init__(self, record: RunRecord, signal_number: int) -> None:
        super().__init__(
            f"run '{record.run_id}' was interrupted; resume it from the task that it stopped at"
        )
        self.record = record
        self.signal_number = signal_number


class LocalRunner:
    """Runs compiled pipelines, each task in a process forked from one with the libraries loaded.

    As a context manager it serves several runs, and pays for the loading once::

        with LocalRunner() as runner:
            runner.warm_up()
            record = runner.run(
                compile_spec(loaded), store="store", pipeline_root="artifacts", run_id="june"
            )

    Args:
        libraries: Modules that tasks find loaded.
        workers: How many tasks run at once at most; the number of cores if not given.
        processes: What a caller has started already, with these libraries; the runner ends it.
    """

    def __init__(
        self,
        libraries: Sequence[str] = LIBRARIES,
        workers: int | None = None,
        processes: TaskProcesses | None = None,
    ) -> None:
        self._libraries = tuple(libraries)
        self._workers = workers or _cores()
        self._processes = processes

    def __enter__(self) -> "LocalRunner":
        """Return the runner itself; nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the runner's processes."""
        self.close()

    def warm_up(self) -> None:
        """Begin to load the libraries, in a process of its own; returns at once."""
        if self._processes and not self._processes.usable:
            self.close()
        if self._processes is None:
            self._processes = TaskProcesses(self._libraries)

    def close(self) -> None:
        """End the runner's processes."""
        if self._processes:
            self._processes.close()
            self._processes = None

    def run(
        self,
        spec: Mapping[str, Any],
        *,
        store: str,
        pipeline_root: str,
        run_id: str,
        parameters: Mapping[str, Any] | None = None,
        resume: bool = False,
        caching: bool | None = None,
        observer: RunObserver | None = None,
    ) -> RunRecord:
        """Run a compiled pipeline.

        Args:
            spec: The spec.
            store: URI of the store, which gets the record, and is locked while the run lasts.
            pipeline_root: Local folder of artifacts and the cache.
            run_id: The run's name. One that was used already is refused.
            parameters: The pipeline's parameters.
            resume: Whether to go on with the run of that name that failed or was interrupted: its
                finished tasks are taken over unless their code or inputs have changed.
            caching: False to have every task run; else as each task's caching option says.
            observer: Is called at each step.

        Returns:
            The record of the run, which succeeded or failed.

        Raises:
            RetrainerError: If nothing can be run: an unknown feature in the spec, a wrong
                parameter, a run id that is taken, another run on the same store; or if the record
                can't be written.
            RunInterrupted: On SIGINT, SIGTERM or SIGHUP, after every task was ended and the record
                written.
        """
        pipeline = read_spec(spec)
        values = pipeline_parameters(pipeline, parameters or {})
        check_local_run_id(run_id)
        self.warm_up()
        try:
            with RunLock(lock_path(store, pipeline_root), run_id):
                earlier = _earlier(store, run_id, resume)
                record = new_record(pipeline, run_id, store, pipeline_root, values, earlier)
                claim_folder(record.pipeline_root, run_id, record.uid, resumed=resume)
                if not resume:
                    _create(record)
                run = Run(
                    pipeline=pipeline,
                    record=record,
                    settings=RunSettings(
                        os.path.abspath(pipeline_root), self._workers, caching is not False, earlier
                    ),
                    processes=self._processes,  # type: ignore[arg-type]
                    observer=observer or RunObserver(),
                )
                with Heartbeat(record.uri) if record.beats else nullcontext():
                    self._execute(run)
        except BrokenPipeError:
            # Whoever read the observer's output went away; the command line knows what to do.
            raise
        except OSError as error:
            raise RetrainerError(_unwritable(store, run_id, error)) from error
        if run.stop_signal is not None:
            raise RunInterrupted(run.record, run.stop_signal)
        return run.record

    def _execute(self, run: Run) -> None:
        try:
            with _stopping_on_signals(run):
                run.execute()
        finally:
            # A request that the server still holds would start its task in the next run.
            if run.record.state not in (RunState.SUCCEEDED, RunState.FAILED):
                self.close()


def _earlier(store: str, run_id: str, resume: bool) -> RunRecord | None:
    """Return the record to resume from, or check that the name is free."""
    if resume:
        earlier = load_run(store, run_id)
        if earlier.state == RunState.SUCCEEDED:
            raise RetrainerError(
                f"run '{run_id}' has succeeded, so there is nothing to resume. Start a new run without --resume."
            )
        # On this machine the lock is ours by now, so whoever wrote that is gone.
        if earlier.state == RunState.RUNNING and earlier.host != socket.gethostname():
            raise RetrainerError(
                f"run '{run_id}' is running on '{earlier.host}' (process {earlier.pid}). Wait until it ends; if that "
                "machine is gone, start a new run without --resume."
            )
        return earlier
    if run_exists(store, run_id):
        raise _taken(store, run_id)
    return None


def _create(record: RunRecord) -> None:
    """Write a run's first record, or release the folder that was claimed for it."""
    created = False
    try:
        created = create_run(record)
    finally:
        if not created:
            with suppress(OSError):
                release_folder(record.pipeline_root, record.run_id)
    if not created:
        # On a bucket another machine may have been faster.
        raise _taken(record.store, record.run_id)


def _taken(store: str, run_id: str) -> RetrainerError:
    earlier = load_run(store, run_id)
    done = sum(task.state in DONE for task in earlier.tasks.values())
    advice = "Choose" if earlier.state == RunState.SUCCEEDED else "Resume it, or choose"
    return RetrainerError(
        f"run '{run_id}' exists already: {earlier.state}, "
        f"{done} of {len(earlier.tasks)} tasks done. {advice} another name."
    )


def _unwritable(store: str, run_id: str, error: OSError) -> str:
    try:
        then = f"resume it with --resume {run_id}" if run_exists(store, run_id) else "run again"
    except (OSError, RetrainerError):
        then = "run again"
    reason = f"{error.strerror}: '{error.filename}'" if error.filename else error
    return f"run '{run_id}' can't write its record, a log or its cache: {reason}. Fix that, then {then}."


def _cores() -> int:
    # A container may be given fewer than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _stopping_on_signals(run: Run) -> Iterator[None]:
    """Let signals stop a run cleanly; only the main thread has signal handlers in Python."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: FrameType | None) -> None:
        run.stop_at_once = run.stop_signal is not None
        run.stop_signal = run.stop_signal or number
        run.processes.wake()

    # A signal that is ignored stays ignored: nohup ignores SIGHUP, and a script's shell SIGINT for what it runs with &.
    heard = [number for number in STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
