"""What the page of a store shows, read from the store: champions, incidents, signals, runs and spans."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...components.lib.monitoring.incident import Incident
from ...components.lib.monitoring.incident_records import IncidentRecords
from ...components.lib.monitoring.looks import Looks, StateRecord
from ...components.lib.registry.aliases import AliasMove
from ...components.lib.registry.evaluation_summary import EvaluationSummary
from ...components.lib.registry.model_versions import CARD_PAGE, ModelVersion
from ...components.lib.registry.registry import CHAMPION, Registry
from ...components.lib.runs.run_traces import VALIDATE, RunTrace, list_traces
from ...components.lib.spans.exclusions import Exclusion, read_exclusions
from ...components.lib.spans.stored_spans import SpanVersion, list_stored
from ...components.lib.store import Store
from ...components.lib.uris import exists, join
from ..runs.record_store import list_runs
from ..runs.records import RunRecord, RunState, TaskRecord
from ..runs.remote_lookup import is_local
from ..runs.remote_runs import RunElsewhere, combine
from ..runs.run_words import first_line, outcome

_VALIDATE_TASK = VALIDATE.replace("_", "-")


@dataclass(frozen=True)
class Run:
    """One run, wherever it ran.

    Attributes:
        run_id: Its name.
        pipeline: The pipeline's name; empty if unknown.
        where: `local`, `vertex` or `kubeflow`.
        started: When, in ISO 8601, UTC; empty if unknown.
        seconds: How long it took; None while it goes on or if unknown.
        state: As its runner or the store knows it.
        outcome: Its result in one sentence.
        link: Its page: a path within the store, or a URL; empty if it has none.
        reports: Title and path within the store of each of its reports.
    """

    run_id: str
    pipeline: str
    where: str
    started: str
    seconds: float | None
    state: str
    outcome: str
    link: str = ""
    reports: Sequence[tuple[str, str]] = ()

    @property
    def went_wrong(self) -> bool:
        """Whether it came to no proper end."""
        return self.state in (RunState.FAILED, RunState.DIED, RunState.UNREADABLE)


@dataclass(frozen=True)
class Champion:
    """A version that was put into service, once for each time.

    Attributes:
        move: The move of the alias that put it there.
        until: When another version replaced it, in ISO 8601, UTC; empty for the one in service.
        version: What the registry knows of it; None if it was deleted.
        evaluation: What the gate had measured.
        card: Path of its model card within the store; empty if it has none.
    """

    move: AliasMove
    until: str
    version: ModelVersion | None
    evaluation: EvaluationSummary
    card: str = ""


@dataclass(frozen=True)
class Finding:
    """What a run found in a span: the verdict of the data's validation.

    Attributes:
        run_id: The run.
        verdict: Its first line.
        passed: Whether the run went on.
        report: Path of the report within the store; empty if it has none there.
    """

    run_id: str
    verdict: str
    passed: bool
    report: str = ""


@dataclass(frozen=True)
class Span:
    """A span, as its newest version has it.

    Attributes:
        newest: Its newest version.
        versions: How many versions of it are kept.
        exclusion: Why it is excluded; None if it is not.
        findings: What runs found whose newest span it was, newest first.
    """

    newest: SpanVersion
    versions: int
    exclusion: Exclusion | None
    findings: Sequence[Finding] = ()


@dataclass(frozen=True)
class Contents:
    """What the page of a store shows.

    Attributes:
        champions: Newest first.
        served: Whether the first of them is in service now.
        incidents: Newest first.
        signals: Where the signals of monitoring stand.
        runs: Newest first.
        spans: Newest first.
    """

    champions: Sequence[Champion]
    served: bool
    incidents: Sequence[Incident]
    signals: StateRecord
    runs: Sequence[Run]
    spans: Sequence[Span]


def read_contents(store: str) -> Contents:
    """Read what the page shows. No service is asked: runs elsewhere have the state that the store knows.

    Args:
        store: URI of the store.

    Raises:
        RetrainerError: If a record of the registry or of the exclusions is damaged.
    """
    records = list_runs(store)
    traces = [trace for trace in list_traces(store) if not is_local(trace)]
    elsewhere = combine(traces, ())
    runs = [_local_run(store, record) for record in records]
    runs += [_remote_run(run) for run in elsewhere]
    champions, served = _champions(store)
    return Contents(
        champions,
        served,
        IncidentRecords(store).all()[::-1],
        Looks(store).states(),
        sorted(runs, key=lambda run: run.started, reverse=True),
        _spans(store, _findings(store, records, traces)),
    )


def _local_run(store: str, record: RunRecord) -> Run:
    page = join(record.uri, "index.html")
    return Run(
        record.run_id,
        record.pipeline,
        "local",
        record.started,
        record.seconds,
        str(record.state),
        first_line(outcome(record)),
        _within(store, page) if exists(page) else "",
        [
            (task.title or task.name, _within(store, record.locate(report)))
            for task in record.tasks.values()
            for report in task.reports
            if report.endswith(".html")
        ],
    )


def _remote_run(run: RunElsewhere) -> Run:
    return Run(
        run.run_id,
        run.pipeline,
        run.target,
        run.started,
        run.seconds,
        run.state,
        first_line(run.outcome),
        run.url,
    )


def _champions(store: str) -> tuple[list[Champion], bool]:
    registry = Registry(Store(store).models_uri)
    known = {version.version: version for version in registry.versions()}
    moves = registry.alias(CHAMPION).moves()
    ends = [*(move.at for move in moves[1:]), ""]
    found = []
    for move, until in zip(moves, ends, strict=False):
        if move.version is None:
            continue
        version = known.get(move.version)
        evaluation = registry.evaluation_summary(move.version) if version else EvaluationSummary()
        card = join(version.uri.rpartition("/")[0], CARD_PAGE) if version else ""
        there = _within(store, card) if card and exists(card) else ""
        found.append(Champion(move, until, version, evaluation, there))
    return found[::-1], bool(moves) and moves[-1].version is not None


def _spans(store: str, findings: Mapping[str, Sequence[Finding]]) -> list[Span]:
    excluded = read_exclusions(store)
    spans = [
        Span(versions[-1], len(versions), excluded.get(name), findings.get(name, ()))
        for name, versions in list_stored(store).items()
        if versions
    ]
    return spans[::-1]


def _findings(
    store: str, records: Sequence[RunRecord], traces: Sequence[RunTrace]
) -> dict[str, list[Finding]]:
    dated: dict[str, list[tuple[str, Finding]]] = {}
    for record in records:
        task = record.tasks.get(_VALIDATE_TASK)
        span = _newest_span(record)
        if task and span and task.verdict:
            report = next((one for one in task.reports if one.endswith(".html")), "")
            link = _within(store, record.locate(report)) if report else ""
            finding = Finding(record.run_id, first_line(task.verdict), not task.error, link)
            dated.setdefault(span, []).append((record.started, finding))
    for trace in traces:
        note = trace.tasks.get(VALIDATE)
        span = str(trace.noted("ingest_spans", "newest_span") or "")
        if note and span:
            words = first_line(note.error or note.verdict)
            finding = Finding(trace.key.name, words, not note.error)
            dated.setdefault(span, []).append((trace.started, finding))
    return {
        span: [finding for _, finding in sorted(found, key=lambda one: one[0], reverse=True)]
        for span, found in dated.items()
    }


def _newest_span(record: RunRecord) -> str:
    ingest: TaskRecord | None = record.tasks.get("ingest-spans")
    outputs: Mapping[str, Any] = ingest.outputs if ingest else {}
    return str(outputs.get("newest_span") or "")


def _within(store: str, uri: str) -> str:
    """Return a path relative to the store's root, with slashes; a place outside of it as it is."""
    root = store.rstrip("/") + "/"
    if uri.startswith(root):
        return uri[len(root) :]
    if "://" in uri:
        return uri
    return os.path.relpath(uri, store).replace(os.sep, "/")
