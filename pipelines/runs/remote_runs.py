"""Runs on Vertex AI and Kubeflow: what the store and the services know of them, put together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ...components.lib.runs.run_traces import (
    CHAMPION,
    DONE_OUTCOMES,
    INGEST,
    PREDICT,
    PUSH,
    Outcome,
    RunTrace,
)
from ..project.formats.names import TRIGGER_KEY
from ..project.reach import KUBEFLOW, VERTEX
from ..targets.types import RemoteRun
from .submissions import key_of

UNKNOWN = "unknown"
# A run that has recorded nothing for so long does not go on.
_SILENCE = timedelta(days=2)


@dataclass(frozen=True)
class RunElsewhere:
    """A run on a service.

    Attributes:
        run_id: Its name.
        target: `vertex` or `kubeflow`; empty where nobody says.
        state: As the service says; or what the store knows last, see `asked`.
        asked: Whether the service said the state.
        started: When it was submitted or began, in ISO 8601, UTC.
        ended: When it ended; empty while it goes on or if unknown.
        outcome: What there is to say of it: push_model's verdict, or where and why it stopped.
        cause: What started it, in words; empty if unknown.
        by: Who submitted it; empty if nobody did or it is unknown.
        url: Its page in the service's console.
        reference: What the service calls it.
        place: Where on the service.
        pipeline: The pipeline's name.
        parameters: What it was submitted with.
        newest_span: The newest span that it used.
        spans: The version of each span that it used.
        champion: The champion that it found.
        version: The model that it pushed.
        image: The image of its tasks.
        retrainer: The version of retrainer that submitted it.
    """

    run_id: str
    target: str
    state: str
    asked: bool
    started: str = ""
    ended: str = ""
    outcome: str = ""
    cause: str = ""
    by: str = ""
    url: str = ""
    reference: str = ""
    place: Mapping[str, str] = field(default_factory=dict)
    pipeline: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    newest_span: str = ""
    spans: Mapping[str, str] = field(default_factory=dict)
    champion: int | None = None
    version: int | None = None
    image: str = ""
    retrainer: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it goes on."""
        if not self.started or not self.ended:
            return None
        took = datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.started)
        return max(took.total_seconds(), 0.0)

    def to_json(self) -> dict[str, Any]:
        """Describe it in plain values."""
        return {**asdict(self), "seconds": self.seconds}


def combine(
    traces: Iterable[RunTrace], answers: Sequence[tuple[str, RemoteRun]]
) -> list[RunElsewhere]:
    """Put together what the store and the services know.

    Args:
        traces: What is noted in the store.
        answers: What the services said: each run with its target's name.

    Returns:
        The runs, newest first.
    """
    noted = {trace.key.job: trace for trace in traces}
    runs = []
    for target, run in answers:
        key = key_of(target, run.submission)
        runs.append(to_run(target, run, noted.pop(key.job, RunTrace(key, {}))))
    runs += [to_run("", None, trace) for trace in noted.values()]
    return sorted(runs, key=lambda run: (run.started, run.run_id), reverse=True)


def to_run(target: str, run: RemoteRun | None, trace: RunTrace) -> RunElsewhere:
    """Put together what is known of one run.

    Args:
        target: Which service said so.
        run: What it said; None if nobody did.
        trace: What is noted in the store.
    """
    submitted = trace.submission
    labels = {**(submitted.get("labels") or {}), **(run.labels if run else {})}
    schedule = run.schedule if run else ""
    return RunElsewhere(
        run_id=trace.key.name,
        target=target or str(submitted.get("target") or _guess(trace)),
        state=str(run.state) if run else _last_state(trace),
        asked=run is not None,
        started=run.submission.created_at.isoformat(timespec="seconds") if run else trace.started,
        ended=(run.ended.isoformat(timespec="seconds") if run.ended else "")
        if run
        else (trace.ended if trace.outcome != Outcome.OPEN else ""),
        outcome=trace.sentence or (run.error if run else ""),
        cause=_cause(labels, schedule, submitted),
        by=str(submitted.get("by") or ""),
        url=run.submission.url if run else str(submitted.get("url") or ""),
        reference=run.submission.reference if run else str(submitted.get("reference") or ""),
        place=dict(submitted.get("place") or {}),
        pipeline=str(submitted.get("pipeline") or ""),
        parameters=dict(submitted.get("parameters") or {}),
        newest_span=str(
            trace.noted(INGEST, "newest_span") or trace.noted(PREDICT, "newest_span") or ""
        ),
        spans=trace.spans or {},
        champion=trace.noted(CHAMPION, "champion"),
        version=trace.noted(PUSH, "version"),
        image=str(submitted.get("image") or ""),
        retrainer=str(submitted.get("retrainer") or ""),
    )


def _guess(trace: RunTrace) -> str:
    return VERTEX if "/pipelineJobs/" in trace.key.job else KUBEFLOW


def _cause(labels: Mapping[str, str], schedule: str, submitted: Mapping[str, Any]) -> str:
    if submitted.get("cause"):
        return str(submitted["cause"])
    if labels.get(TRIGGER_KEY):
        return f"trigger {labels[TRIGGER_KEY]}"
    return f"schedule {schedule.rpartition('/')[2]}" if schedule else ""


def _last_state(trace: RunTrace) -> str:
    if trace.outcome in DONE_OUTCOMES:
        return "succeeded"
    if trace.failed:
        return "failed"
    moments = [trace.started, *(task.ended or task.started for task in trace.tasks.values())]
    newest = max((moment for moment in moments if moment), default="")
    if newest and datetime.now(UTC) - datetime.fromisoformat(newest) < _SILENCE:
        return "running"
    return UNKNOWN
