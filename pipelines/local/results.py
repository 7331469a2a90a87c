"""What a run keeps of its tasks' artifacts: metrics in the record, reports beside it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...components.lib.uris import write_atomic
from ..runs.records import RunRecord, TaskRecord

REPORT_SUFFIXES = {"system.HTML": ".html", "system.Markdown": ".md"}


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


def _keep_report(run: RunRecord, task: TaskRecord, output: str, kind: str, uri: str) -> None:
    if kind not in REPORT_SUFFIXES or not os.path.isfile(uri):
        return
    stem = f"{task.name}-{output}" if task.reports else task.name
    name = f"reports/{stem}{REPORT_SUFFIXES[kind]}"
    write_atomic(run.locate(name), Path(uri).read_bytes())
    task.reports.append(name)
