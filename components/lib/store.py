"""The layout of the store, the one folder or bucket that outlives runs."""

from dataclasses import dataclass

from .uris import join

# Beside a span's rows: those that were quarantined, if there are any.
UNLABELLED_FILE = "unlabelled.parquet"
UNWEIGHTED_FILE = "unweighted.parquet"
UNREADABLE_FILE = "unreadable.jsonl"
DUPLICATE_FILE = "duplicate.parquet"


@dataclass(frozen=True)
class Store:
    """URIs within a store; nothing else joins its paths.

    Attributes:
        uri: The store's root: a local folder or any URI that fsspec knows.
    """

    uri: str

    @property
    def spans_uri(self) -> str:
        """Ingested spans: `spans/<span>/<version>/`."""
        return join(self.uri, "spans")

    def span_uri(self, span: str) -> str:
        """The ingested versions of one span."""
        return join(self.spans_uri, span_folder(span))

    def version_uri(self, span: str, version: str) -> str:
        """One version of a span."""
        return join(self.span_uri(span), version)

    def seen_uri(self, span: str, fingerprint: str) -> str:
        """Where it is noted which version a span's sources became, by the fingerprint of their sizes and times."""
        return join(self.span_uri(span), "seen", fingerprint)

    @property
    def exclusions_uri(self) -> str:
        """Which spans are excluded, and why: `exclusions/<n>.json`."""
        return join(self.uri, "exclusions")

    @property
    def schema_uri(self) -> str:
        """The frozen schema."""
        return join(self.uri, "schema", "schema.pbtxt")

    @property
    def schema_history_uri(self) -> str:
        """What the frozen schema was before it changed: `schema/history/<n>.pbtxt`."""
        return join(self.uri, "schema", "history")

    @property
    def models_uri(self) -> str:
        """The registry: `models/versions/` and `models/aliases/`."""
        return join(self.uri, "models")

    def deployments_uri(self, service: str) -> str:
        """What was last asked of a service, and what came of it: `models/deployments/<service>/<n>.json`."""
        return join(self.models_uri, "deployments", service)

    def deployment_lock_uri(self, service: str) -> str:
        """Who deploys to a service: `models/deployments/<service>/lock/<n>.json`."""
        return join(self.deployments_uri(service), "lock")

    @property
    def predictions_uri(self) -> str:
        """Tables of predictions: `predictions/<span>/<version>/`."""
        return join(self.uri, "predictions")

    def predictions_of_span_uri(self, span: str) -> str:
        """Tables of predictions of one span."""
        return join(self.predictions_uri, span_folder(span))

    def seen_logs_uri(self, log: str) -> str:
        """What was found in the files of a log: `predictions/.logs/<log>.json`; a shortcut, which can be made again."""
        return join(self.predictions_uri, ".logs", f"{log}.json")

    @property
    def joined_uri(self) -> str:
        """Predictions with their labels: `joined/<span>/<version>/`."""
        return join(self.uri, "joined")

    def joined_of_span_uri(self, span: str) -> str:
        """Predictions of one span with their labels."""
        return join(self.joined_uri, span_folder(span))

    @property
    def looks_uri(self) -> str:
        """What looks of monitoring found: `monitoring/looks/<n>.json`."""
        return join(self.uri, "monitoring", "looks")

    @property
    def signal_states_uri(self) -> str:
        """State of each signal after a look: `monitoring/state/<n>.json`."""
        return join(self.uri, "monitoring", "state")

    @property
    def incidents_uri(self) -> str:
        """Incidents: `monitoring/incidents/<id>/<n>.json`."""
        return join(self.uri, "monitoring", "incidents")

    def incident_uri(self, incident: str) -> str:
        """The life of one incident: `monitoring/incidents/<id>/<n>.json`."""
        return join(self.incidents_uri, incident)

    @property
    def references_uri(self) -> str:
        """Predictions of versions on their evaluation rows: `monitoring/references/<version>/`."""
        return join(self.uri, "monitoring", "references")

    def error_stream_uri(self, version: int) -> str:
        """States of the change detectors of a version: `monitoring/errors/<version>.json`."""
        return join(self.uri, "monitoring", "errors", f"{version:06d}.json")

    def reference_uri(self, version: int) -> str:
        """Predictions of one version on its evaluation rows."""
        return join(self.references_uri, f"{version:06d}")

    @property
    def quality_uri(self) -> str:
        """Tests of the realised quality of champions: `monitoring/quality/<champion>/<n>.json`."""
        return join(self.uri, "monitoring", "quality")

    @property
    def newest_join_uri(self) -> str:
        """What the newest join read and gave, by which equal inputs are found again: `joins/newest.json`."""
        return join(self.uri, "joins", "newest.json")

    @property
    def rollouts_uri(self) -> str:
        """States of rollouts, the newest counts: `models/rollouts/<n>.json`."""
        return join(self.models_uri, "rollouts")

    @property
    def runs_uri(self) -> str:
        """Records of runs, a folder each."""
        return join(self.uri, "runs")

    def run_record_uri(self, folder: str) -> str:
        """Record of a run of the local runner: `runs/<run>/run.json`."""
        return join(self.runs_uri, folder, "run.json")

    def run_tasks_uri(self, folder: str) -> str:
        """What the tasks of a run noted: `runs/<run>/tasks/<task>.<job>.json`."""
        return join(self.runs_uri, folder, "tasks")

    @property
    def failures_uri(self) -> str:
        """Why tasks failed that know no run: `failures/<time>-<random>.json`."""
        return join(self.uri, "failures")

    @property
    def temporary_uri(self) -> str:
        """What tasks share with the workers of an engine while they run: `temporary/<component>-<random>/`."""
        return join(self.uri, "temporary")

    @property
    def claims_uri(self) -> str:
        """Who submits what: files that are created exclusively."""
        return join(self.uri, "claims")

    def reused_uri(self, component: str) -> str:
        """Results of a component's tasks, by what they were made of."""
        return join(self.uri, "reused", component)


def span_folder(span: str) -> str:
    """Return the name of a span's folder: a span of several path parts gets one."""
    return span.replace("/", "-")
