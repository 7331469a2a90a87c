"""The record of a run on this machine: made, filled with its tasks' results, and concluded."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...components.lib.uris import is_local, write_atomic
from ..runs.records import RunRecord, RunState, TaskRecord, TaskState, now
from .spec import Pipeline

REPORT_SUFFIXES = {"system.HTML": ".html", "system.Markdown": ".md"}


def new_record(
    pipeline: Pipeline,
    run_id: str,
    store: str,
    pipeline_root: str,
    parameters: dict[str, Any],
    earlier: RunRecord | None = None,
) -> RunRecord:
    """Create the record of a run, or of an attempt at it, that has not begun.

    Args:
        pipeline: What will run.
        run_id: The run's name.
        store: URI of the store.
        pipeline_root: Local folder of artifacts.
        parameters: The pipeline's parameters, defaults included.
        earlier: The record of the attempt that is resumed.

    Returns:
        A record with every task pending.
    """
    return RunRecord(
        run_id=run_id,
        pipeline=pipeline.name,
        store=store,
        started=earlier.started if earlier else now(),
        resumed=[*earlier.resumed, now()] if earlier else [],
        parameters=parameters,
        tasks={
            name: TaskRecord(name=name, title=task.title) for name, task in pipeline.tasks.items()
        },
        spec_digest=pipeline.digest,
        uid=(earlier.uid if earlier else "") or uuid.uuid4().hex,
        beats=not is_local(store),
        pipeline_root=os.path.abspath(pipeline_root),
    )


def keep_results(run: RunRecord, task: TaskRecord) -> None:
    """Note a finished task's metrics, and copy its reports into the run's folder.

    Args:
        run: The run's record.
        task: The task's record, with its output artifacts.

    Raises:
        OSError: If the disk is full or refuses.
    """
    task.metrics, task.reports = {}, []
    for name, artifact in task.output_artifacts.items():
        if artifact.type == "system.Metrics":
            task.metrics.update(artifact.metadata)
        _keep_report(run, task, name, artifact.type, artifact.uri)


def keep_reports_of_failure(
    run: RunRecord, task: TaskRecord, executor_input: Mapping[str, Any]
) -> None:
    """Copy the reports that a failed task had written: one that judges says there why it failed.

    Args:
        run: The run's record.
        task: The task's record.
        executor_input: What it was given, which says where it would write.

    Raises:
        OSError: If the disk is full or refuses.
    """
    task.reports = []
    for name, artifacts in executor_input["outputs"]["artifacts"].items():
        artifact = artifacts["artifacts"][0]
        _keep_report(run, task, name, artifact["type"]["schemaTitle"], artifact["uri"])


def conclude(pipeline: Pipeline, record: RunRecord) -> None:
    """Set a run's last state, error and outputs, now that no task goes on.

    Args:
        pipeline: What ran.
        record: The run's record; `interrupted` stays.
    """
    failed = [task for task in judged_tasks(pipeline, record) if task.state == TaskState.FAILED]
    if record.state == RunState.RUNNING:
        record.state = RunState.FAILED if failed else RunState.SUCCEEDED
    if failed:
        record.error = f"{failed[0].title}: {failed[0].error}"
    for name, source in pipeline.outputs.items():
        outputs = record.tasks[source.task].outputs
        if source.output in outputs:
            record.outputs[name] = outputs[source.output]


def judged_tasks(pipeline: Pipeline, record: RunRecord) -> list[TaskRecord]:
    """List the tasks that decide a run's state: all but exit tasks, which only report how the others ended."""
    return [task for name, task in record.tasks.items() if not pipeline.tasks[name].is_exit]


def _keep_report(run: RunRecord, task: TaskRecord, output: str, kind: str, uri: str) -> None:
    if kind not in REPORT_SUFFIXES or not os.path.isfile(uri):
        return
    stem = f"{task.name}-{output}" if task.reports else task.name
    name = f"reports/{stem}{REPORT_SUFFIXES[kind]}"
    write_atomic(run.locate(name), Path(uri).read_bytes())
    task.reports.append(name)
