"""Records of runs in the store: written as a run goes on, read, listed and found."""

import dataclasses
import json
import os
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.record_fields import known_fields
from ...components.lib.runs.run_failures import check_moment
from ...components.lib.runs.run_traces import list_folders
from ...components.lib.store import Store
from ...components.lib.uris import (
    create_exclusive,
    exists,
    filesystem,
    is_local,
    read_json,
    write_json,
)
from .heartbeat import SILENCE_SECONDS, last_heard
from .lock import find_holder
from .records import ArtifactRecord, RunRecord, RunState, TaskRecord, TaskState

LOCK_NAME = ".lock"
LAST = "last"
_READERS = 16
# For runs of releases without a heartbeat: their record changes with each task, and a task may take hours.
_LONGEST_SILENCE_SECONDS = 24 * 3600.0


def lock_path(store: str, pipeline_root: str) -> str:
    """Return the path of the lock that one run at a time holds.

    Args:
        store: URI of the store. A local one is locked itself.
        pipeline_root: Local folder, which is locked where the store is a bucket.

    Returns:
        A local path.
    """
    if is_local(store):
        return os.path.join(filesystem(Store(store).runs_uri)[1], LOCK_NAME)
    return os.path.join(os.path.abspath(pipeline_root), LOCK_NAME)


def save_run(record: RunRecord) -> None:
    """Write a record to its place in the store, atomically.

    Raises:
        OSError: If the disk is full or refuses; the former record still stands then.
    """
    write_json(record.record_uri, _to_json(record))


def create_run(record: RunRecord) -> bool:
    """Write the first record of a run, unless a run of that name has one, on this or another machine.

    Args:
        record: The record; its `uid` distinguishes it from others.

    Returns:
        Whether the name is this run's now.

    Raises:
        OSError: If the disk is full or refuses.
    """
    uri = record.record_uri
    text = json.dumps(_to_json(record), indent=2, ensure_ascii=False) + "\n"
    # A request whose reply was lost is sent again, and finds what it wrote itself.
    return create_exclusive(uri, text) or bool(read_json(uri).get("uid") == record.uid)


def _to_json(record: RunRecord) -> dict[str, Any]:
    content = dataclasses.asdict(record)
    # Said by where the record lies, and wrong as soon as the store has moved.
    del content["store"]
    return content


def run_exists(store: str, run_id: str) -> bool:
    """Return whether a run of that name was ever started on the store."""
    return exists(Store(store).run_record_uri(run_id))


def load_run(store: str, run_id: str) -> RunRecord:
    """Read the record of a run.

    Args:
        store: URI of the store.
        run_id: The run.

    Returns:
        The record. If it says `running` and the process is gone, the state is `died`.

    Raises:
        RetrainerError: If there is no such run, or its record is damaged.
    """
    record = _read(store, run_id)
    if record is None:
        known = ", ".join(f"'{record.run_id}'" for record in list_runs(store)[:3]) or "none"
        raise RetrainerError(f"there is no run '{run_id}' in '{store}'; the newest are: {known}.")
    return record


def list_runs(store: str, folders: Sequence[str] | None = None) -> list[RunRecord]:
    """Read the records of all runs on this and other machines that run without a service.

    Args:
        store: URI of the store.
        folders: Only the runs in these folders of `list_folders`; all if None.

    Returns:
        The records, newest first. A damaged one is listed last with the state `unreadable`; a
        folder without a record is none of them.
    """

    def read(run_id: str) -> RunRecord | None:
        try:
            return _read(store, run_id)
        except RetrainerError as error:
            return RunRecord(run_id, "", store, RunState.UNREADABLE, error=str(error))

    # On a bucket each record costs a round trip, and they can wait together.
    with ThreadPoolExecutor(_READERS) as pool:
        names = list_folders(store) if folders is None else folders
        records = [record for record in pool.map(read, names) if record]
    return sorted(records, key=lambda record: (record.started, record.run_id), reverse=True)


def _read(store: str, run_id: str) -> RunRecord | None:
    uri = Store(store).run_record_uri(run_id)
    try:
        record = _from_json(store, read_json(uri))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RetrainerError(
            f"'{uri}' is not a record that retrainer wrote ({error}). "
            "Restore it, or delete its folder."
        ) from error
    if record.state == RunState.RUNNING and not _alive(record):
        _mark_dead(record)
    return record


def _alive(record: RunRecord) -> bool:
    if not is_local(record.store) and record.host != socket.gethostname():
        silence = datetime.now(UTC) - last_heard(record.uri, record.record_uri)
        most = SILENCE_SECONDS if record.beats else _LONGEST_SILENCE_SECONDS
        return silence.total_seconds() < most
    holder = find_holder(lock_path(record.store, record.pipeline_root))
    return holder is not None and (holder.run_id, holder.pid) == (record.run_id, record.pid)


def _mark_dead(record: RunRecord) -> None:
    record.state = RunState.DIED
    record.error = (
        f"process {record.pid} on {record.host} ended without recording how. Resume the run: retrainer run --resume "
        f"{record.run_id}"
    )
    for task in record.tasks.values():
        if task.state == TaskState.RUNNING:
            task.state = TaskState.INTERRUPTED


def _artifacts(content: Mapping[str, Any]) -> dict[str, ArtifactRecord]:
    return {
        name: ArtifactRecord(**known_fields(ArtifactRecord, value))
        for name, value in content.items()
    }


def _task_from_json(content: Mapping[str, Any]) -> TaskRecord:
    task = TaskRecord(**known_fields(TaskRecord, content))
    task.state = TaskState(task.state)
    check_moment(task.started)
    task.input_artifacts = _artifacts(content.get("input_artifacts", {}))
    task.output_artifacts = _artifacts(content.get("output_artifacts", {}))
    return task


def _from_json(store: str, content: Mapping[str, Any]) -> RunRecord:
    record = RunRecord(**{**known_fields(RunRecord, content), "store": store})
    record.state = RunState(record.state)
    for moment in (record.started, *record.resumed):
        check_moment(moment)
    record.tasks = {name: _task_from_json(task) for name, task in content.get("tasks", {}).items()}
    return record


def find_run(store: str, run_id: str, pipeline: str = "") -> RunRecord:
    """Find a run's record.

    Args:
        store: URI of the store.
        run_id: The run's name, or `last` for the newest.
        pipeline: Name of the pipeline that it is a run of; empty for any.

    Returns:
        The record.

    Raises:
        RetrainerError: If there is none, or it is another pipeline's.
    """
    if run_id != LAST:
        record = load_run(store, run_id)
        if pipeline and record.pipeline != pipeline:
            raise RetrainerError(
                f"run '{run_id}' is one of the pipeline '{record.pipeline}', not of '{pipeline}'. Name its pipeline "
                "with --pipeline."
            )
        return record
    records = [
        record
        for record in list_runs(store)
        if record.state != RunState.UNREADABLE and pipeline in ("", record.pipeline)
    ]
    if not records:
        of = f" of the pipeline '{pipeline}'" if pipeline else ""
        raise RetrainerError(f"there are no runs{of} in '{store}' yet.")
    return records[0]
