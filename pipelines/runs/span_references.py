"""Which versions of spans the runs of a store refer to, on whatever target they ran."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ...components.lib.errors import RetrainerError
from ...components.lib.examples import Examples
from ...components.lib.registry.registry import CHAMPION, ModelVersion, Registry
from ...components.lib.runs.run_records import TaskState
from ...components.lib.runs.run_traces import INGEST, RunTrace, list_traces
from ...components.lib.store import Store
from .record_store import list_runs
from .records import ArtifactRecord, RunRecord, RunState

INGEST_TASK = "ingest-spans"
_EXAMPLES, _VERSIONS = "examples", "spans"
# A run that has not noted its spans for so long after it was submitted or began will not use any.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class SpanReferences:
    """What records of runs say about versions of spans.

    Attributes:
        versions: Span and version of everything that a run used.
        spans: Spans of which every version may be in use: those of a champion whose run left no record.
        unknown: What does not say which versions it used, in words.
    """

    versions: frozenset[tuple[str, str]]
    spans: frozenset[str]
    unknown: tuple[str, ...]


def find_references(store: str, since: datetime | None = None) -> SpanReferences:
    """Read which versions the runs of a store and its champion used.

    Args:
        store: URI of the store.
        since: Runs that ended before then count for nothing, but that of the champion's model; None to count all.
    """
    champion = Registry(Store(store).models_uri).resolve(CHAMPION)
    serving = champion.info.get("run") if champion else None
    versions: set[tuple[str, str]] = set()
    spans: frozenset[str] = frozenset()
    unknown = []
    known_runs = set()
    records = list_runs(store)
    traces = list_traces(store)
    for record in records:
        known_runs.add(record.run_id)
        if since and record.run_id != serving and _ended(record) < since:
            continue
        used = _used_by(record)
        if used is None:
            unknown.append(f"run {record.run_id} does not say which versions it used")
        else:
            versions.update(used.items())
    for trace in traces:
        noted = trace.spans
        if since and trace.key.name != serving and _last_heard(trace) < since:
            continue
        if noted is not None:
            known_runs.add(trace.key.name)
            versions.update(noted.items())
        elif trace.key.name not in known_runs and _may_still_ingest(trace):
            unknown.append(f"run {trace.key.name} has not recorded yet which versions it uses")
    if champion and champion.info.get("run") not in known_runs:
        spans = _spans_of(champion)
        named = "its spans are kept whole" if spans else "its spans are not known"
        run = champion.info.get("run") or "unknown"
        unknown.append(f"champion {champion.version}: its run ({run}) left no record; {named}")
    return SpanReferences(frozenset(versions), spans, tuple(unknown))


def _ended(record: RunRecord) -> datetime:
    if record.state in (RunState.RUNNING, RunState.UNREADABLE) or not record.started:
        return datetime.max.replace(tzinfo=UTC)
    begin = datetime.fromisoformat(record.started)
    attempts = [datetime.fromisoformat(moment) for moment in record.resumed]
    return max([begin + timedelta(seconds=record.seconds_spent), *attempts])


def _last_heard(trace: RunTrace) -> datetime:
    if trace.ended:
        return datetime.fromisoformat(trace.ended)
    # One that was killed says no end, and one that trains is silent for long.
    moments = [trace.started, *(task.ended or task.started for task in trace.tasks.values())]
    known = [datetime.fromisoformat(moment) for moment in moments if moment]
    return max(known) + _PATIENCE if known else datetime.max.replace(tzinfo=UTC)


def _spans_of(champion: ModelVersion) -> frozenset[str]:
    info = champion.info
    return frozenset(
        str(span) for key in ("train_spans", "eval_spans") for span in info.get(key) or ()
    )


def _may_still_ingest(trace: RunTrace) -> bool:
    task = trace.tasks.get(INGEST)
    if task and task.state != TaskState.RUNNING:
        return False
    since = datetime.fromisoformat(trace.started) if trace.started else datetime.now(UTC)
    return datetime.now(UTC) - since < _PATIENCE


def _used_by(record: RunRecord) -> dict[str, str] | None:
    if record.state == RunState.UNREADABLE:
        return None
    task = record.tasks.get(INGEST_TASK)
    examples = task.output_artifacts.get(_EXAMPLES) if task else None
    # A run that stopped before it had examples used nothing.
    return _versions_of(examples) if examples else {}


def _versions_of(examples: ArtifactRecord) -> dict[str, str] | None:
    noted = examples.metadata.get(_VERSIONS)
    if noted:
        return dict(noted)
    # Runs of releases that did not note versions: the manifest has the folders, if it is still there.
    try:
        manifest = Examples.read(examples.uri)
    except RetrainerError:
        return None
    return {
        part.span: part.uri.rstrip("/").rpartition("/")[2]
        for parts in manifest.splits.values()
        for part in parts
    }
