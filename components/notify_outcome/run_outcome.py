"""The outcome of a run, from the records of its tasks in the store."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..lib.monitoring.incidents import incident_of_run
from ..lib.runs.run_records import RunKey, TaskState
from ..lib.runs.run_traces import (
    CHAMPION,
    DEPLOY,
    DONE_OUTCOMES,
    INGEST,
    MONITOR,
    PREDICT,
    PUSH,
    RECORDED,
    VALIDATE,
    WATCH,
    Outcome,
    RunTrace,
    read_run,
)
from ..lib.store import Store
from ..lib.uris import join, read_json
from .notification import Notification
from .run_page import RunPage

_RECORDED = (INGEST, CHAMPION, VALIDATE, PUSH)
_EVALUATE, _SELF = "evaluate_model", "notify_outcome"
_LOOKS = frozenset({WATCH, MONITOR, "ingest_predictions", "join_labels"})
_MOST_METRICS = 5
_VARYING = re.compile(r"[0-9a-f-]{8,}|\d+")


@dataclass(frozen=True)
class _LocalTask:
    """A task in the local runner's record.

    Attributes:
        name: Its component's name.
        state: Its state.
        error: Why it failed.
        reports: Its reports, relative to the run's folder.
        metrics: Its metrics by name.
    """

    name: str
    state: str
    error: str = ""
    reports: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)


def read_notification(store: str, pipeline: str, key: RunKey, page: RunPage) -> Notification:
    """Read the outcome of a run that is ending.

    Args:
        store: URI of the store.
        pipeline: Name of the pipeline.
        key: The run.
        page: Where people look at it.

    Returns:
        The notification. A store that can't be read makes it a failed run, since its tasks could not read it either.
    """
    try:
        trace = read_run(store, key) or RunTrace(key, {})
        here = _read_local(store, key) if page.is_local(key) else {}
    # Each file system has errors of its own.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        trace, here = RunTrace(key, {}), {}
        unread = f"the run's outcome can't be read from the store: {reason}"
    else:
        unread = ""
    outcome, task, reason = _judge(trace, here)
    repeated = _repeated(pipeline, outcome, task, reason) if _is_look(trace, here) else ""
    if repeated:
        reason = f"{reason.rstrip('.')}. This is sent once a day (UTC), however many looks end so."
    # A model that was pushed is the champion, also if it could not be deployed.
    pushed = outcome == Outcome.PUSHED or (
        task == DEPLOY and trace.noted(PUSH, "outcome") == Outcome.PUSHED
    )
    version = (
        trace.noted(PUSH, "version")
        if pushed
        else trace.noted(PREDICT, "version") or trace.noted(WATCH, "version")
    )
    champion = (
        version if pushed else trace.noted(PUSH, "champion") or trace.noted(CHAMPION, "champion")
    )
    incident = incident_of_run(store, key.name)
    return Notification(
        pipeline=pipeline,
        run=key.name,
        job=key.job,
        outcome=str(outcome),
        reason=unread or reason,
        task=task,
        span=str(
            next(
                (
                    span
                    for task in (PUSH, INGEST, PREDICT)
                    if (span := trace.noted(task, "newest_span"))
                ),
                "",
            )
        ),
        model_version=_whole(version),
        champion_version=_whole(champion),
        metrics=_metrics(here),
        run_link=page.link(store, key) or str(trace.submission.get("url") or ""),
        report_link=_report(store, key, here, task),
        subject=repeated,
        incident=incident.id if incident else "",
    )


def _is_look(trace: RunTrace, here: Mapping[str, _LocalTask]) -> bool:
    """Return whether a run is one of a schedule that looks again soon, such as every ten minutes."""
    names = {*trace.tasks, *(task.name for task in here.values())}
    return bool(names & _LOOKS)


def _repeated(pipeline: str, outcome: Outcome, task: str, reason: str) -> str:
    """Name what is sent once a day although each look of a service that is down for hours fails; empty for the rest."""
    if outcome not in (Outcome.FAILED, Outcome.STOPPED):
        return ""
    # Times, ids and counts differ in each look.
    same = _VARYING.sub("#", reason.lower())
    digest = hashlib.sha256(same.encode()).hexdigest()[:8]
    return f"{pipeline} {task} {datetime.now(UTC):%Y-%m-%d} {digest}"


def _judge(trace: RunTrace, here: Mapping[str, _LocalTask]) -> tuple[Outcome, str, str]:
    """Return the outcome, the task that decided it, and the reason."""
    for task in here.values():
        # The record of an attempt that was resumed may say that another task failed.
        if task.state == "failed":
            noted = trace.tasks.get(task.name)
            rule = noted and noted.state == TaskState.FAILED and noted.known
            known = rule and task.name in RECORDED
            outcome = Outcome.STOPPED if known else Outcome.FAILED
            prefix = "" if task.name == DEPLOY and rule else f"{task.name}: "
            return outcome, task.name, f"{prefix}{task.error}"
    for task in here.values():
        if task.state == "interrupted":
            return Outcome.FAILED, task.name, f"the run was interrupted while {task.name} ran"
    for task in here.values():
        if task.state == "pending" and task.name != _SELF:
            return Outcome.FAILED, "", f"the run was interrupted before {task.name} began"
    if trace.failed and not here:
        own = trace.failed.task == DEPLOY and trace.failed.known
        prefix = "" if own else f"{trace.failed.task}: "
        return trace.outcome, trace.failed.task, f"{prefix}{trace.failed.error}"
    if trace.outcome == Outcome.PREDICTED:
        return Outcome.PREDICTED, PREDICT, trace.sentence
    if trace.outcome in (Outcome.ROLLED_BACK, Outcome.WATCHED):
        return trace.outcome, WATCH, trace.sentence
    if trace.outcome == Outcome.MONITORED:
        return trace.outcome, MONITOR, trace.sentence
    push, deployment = trace.tasks.get(PUSH), trace.tasks.get(DEPLOY)
    if push and deployment and deployment.state == TaskState.RUNNING:
        return Outcome.FAILED, DEPLOY, f"{push.verdict}; {_unknown(trace)}"
    if push and push.state == TaskState.SUCCEEDED and trace.noted(PUSH, "outcome") in DONE_OUTCOMES:
        return Outcome(trace.noted(PUSH, "outcome")), PUSH, push.verdict
    return Outcome.FAILED, "", _unknown(trace)


def _unknown(trace: RunTrace) -> str:
    """Describe a run that stopped in a task without a record, or was killed."""
    running = [name for name, task in trace.tasks.items() if task.state == TaskState.RUNNING]
    if running:
        return (
            f"{running[0]} ended without a reason: the run was cancelled, the machine was lost, or the task ran out of "
            "memory. See its log."
        )
    done = [name for name in _RECORDED if name in trace.tasks]
    if not done:
        return "the run ended before its first task wrote a record to the store; see its log."
    missing = [name for name in _RECORDED if name not in trace.tasks]
    before = f" and before {missing[0]}" if missing else ""
    return f"the run ended after {done[-1]}{before}: see the log of the task that failed."


def _read_local(store: str, key: RunKey) -> dict[str, _LocalTask]:
    """Read the local runner's record of the run that goes on; empty if there is none."""
    try:
        tasks = read_json(Store(store).run_record_uri(key.folder))["tasks"]
    except FileNotFoundError:
        return {}
    return {
        name: _LocalTask(
            # kfp numbers further tasks of a component: push-model-2.
            re.sub(r"-\d+$", "", name).replace("-", "_"),
            str(task.get("state")),
            str(task.get("error") or ""),
            tuple(task.get("reports") or ()),
            task.get("metrics") or {},
        )
        for name, task in tasks.items()
    }


def _metrics(here: Mapping[str, _LocalTask]) -> dict[str, float]:
    # Of a model that was judged again, those of the last time.
    judged = [task.metrics for task in here.values() if task.name == _EVALUATE and task.metrics]
    # JSON has no NaN, as a metric is of a class that no row has.
    numbers = {
        name: value
        for name, value in (judged or [{}])[-1].items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
    return dict(list(numbers.items())[:_MOST_METRICS])


def _report(store: str, key: RunKey, here: Mapping[str, _LocalTask], task: str) -> str:
    """Return the report that shows why: that of the task which decided, or else the evaluation's."""
    reports = {one.name: one.reports[0] for one in here.values() if one.reports}
    name = reports.get(task) or reports.get(_EVALUATE)
    return join(Store(store).runs_uri, key.folder, name) if name else ""


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None
