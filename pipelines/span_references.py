"""Which versions of spans the runs of a store refer to."""

from dataclasses import dataclass

from ..components.lib.errors import RetrainerError
from ..components.lib.examples import Examples
from ..components.lib.registry import CHAMPION, Registry
from ..components.lib.store import Store
from .runs import ArtifactRecord, RunRecord, RunState, list_runs

INGEST_TASK = "ingest-spans"
_EXAMPLES, _VERSIONS = "examples", "spans"


@dataclass(frozen=True)
class SpanReferences:
    """What records of runs say about versions of spans.

    Attributes:
        versions: Span and version of everything that a run used.
        unknown: What does not tell which versions it used, in words.
    """

    versions: frozenset[tuple[str, str]]
    unknown: tuple[str, ...]


def find_references(store: str) -> SpanReferences:
    """Read which versions the runs of a store and its champion used.

    Runs on Vertex AI or Kubeflow leave no record in the store, so theirs are not known.

    Args:
        store: URI of the store.
    """
    versions: set[tuple[str, str]] = set()
    unknown = []
    records = list_runs(store)
    for record in records:
        used = _used_by(record)
        if used is None:
            unknown.append(f"run {record.run_id}")
        else:
            versions.update(used.items())
    champion = Registry(Store(store).models_uri).resolve(CHAMPION)
    if champion and champion.info.get("run") not in {record.run_id for record in records}:
        unknown.append(f"champion {champion.version} (run {champion.info.get('run')})")
    return SpanReferences(frozenset(versions), tuple(unknown))


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
    # Runs of before versions were noted: the manifest has the folders, if it is still there.
    try:
        manifest = Examples.read(examples.uri)
    except RetrainerError:
        return None
    return {
        part.span: part.uri.rstrip("/").rpartition("/")[2]
        for parts in manifest.splits.values()
        for part in parts
    }
