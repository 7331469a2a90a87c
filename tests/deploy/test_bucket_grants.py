"""What Terraform grants the trigger service on the store's bucket is what the service asks of it, and no more."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import fsspec.config
import pytest
from servers.memory_target import MemoryTarget
from servers.small_project import MODEL
from servers.storage import StorageServer
from servers.trigger_process import storage_message

from retrainer.components.lib.monitoring.incident import Detection, Group, IncidentState
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.runs.submissions import SubmissionRecorder
from retrainer.pipelines.triggers.dispatch import make_dispatcher
from retrainer.pipelines.triggers.incidents import IncidentHandler, incident_message
from retrainer.pipelines.triggers.types import Message, Result

pytest.importorskip("gcsfs", reason="gcsfs is not installed")

GRANTS = Path(__file__).resolve().parents[2] / "docs/deploy/terraform/iam-trigger.tf"
# cloud.google.com/storage/docs/access-control/iam-roles, as far as objects go.
ROLES = {
    "roles/storage.objectCreator": {"storage.objects.create"},
    "roles/storage.objectViewer": {"storage.objects.get", "storage.objects.list"},
    "roles/storage.legacyBucketReader": {"storage.objects.list"},
}
NAMES = {
    "${var.store_bucket}": "acme",
    "${local.claims}": "store/claims",
    "${local.incidents}": "store/monitoring/incidents",
    "${local.runs}": "store/runs",
}
# When the message of a file was published.
NOON = datetime(2026, 11, 21, 10, tzinfo=UTC)
YAML = """\
name: orders
store: gs://acme/store
data: {pattern: "gs://acme-ml-data/day={span}/*.csv", label: returned}
evaluation: {metrics_specs: [{metrics: [{class_name: AUC}]}]}
triggers:
  files: {kind: storage, pattern: "gs://acme-ml-data/files/{span}/*.csv", coalesce_seconds: 60}
  asked: {kind: request, cool_down_seconds: 3600, daily_limit: 3}
retraining: {}
trigger_service: {claims: "gs://acme/store/claims"}
"""


def granted() -> list[tuple[str, str]]:
    """The permissions of the grants on the store's bucket, each with what the names of its resources begin with."""
    found = []
    grants = re.findall(
        r'^resource "google_storage_bucket_iam_member" .*?^}', GRANTS.read_text(), re.M | re.S
    )
    for grant in grants:
        condition = re.search(r'startsWith\(\\"(.*?)\\"\)', grant)
        prefix = condition[1] if condition else "projects/_/buckets/${var.store_bucket}"
        for name, value in NAMES.items():
            prefix = prefix.replace(name, value)
        for role in re.findall(r'"(roles/[\w.]+)"', grant):
            found += [(permission, prefix) for permission in ROLES[role]]
    return found


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[StorageServer]:
    with StorageServer() as server:
        options = {"token": "anon", "endpoint_url": server.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        yield server


@pytest.mark.parametrize("names_runs", [True, False], ids=["names runs", "runs are claimed"])
def test_the_service_does_its_work_with_them(
    bucket: StorageServer, tmp_path: Path, names_runs: bool
) -> None:
    incidents = IncidentRecords("gs://acme/store")
    worse = Detection("estimated_quality/auc", "1", "AUC is 0.71, below 0.78.")
    incident = incidents.open(Group.MODEL, 3, [worse], NOON)
    assert incident
    incidents.change(
        incident.id,
        lambda one: replace(one.changed(IncidentState.OPEN, NOON, "asked"), wants_run=True),
    )
    rights, used = granted(), set()

    def has(permission: str, resource: str) -> bool:
        own = {one for one in rights if one[0] == permission and resource.startswith(one[1])}
        used.update(own)
        return bool(own)

    bucket.grants = has
    now = NOON
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "retrain.yaml").write_text(YAML)
    loaded = load_config(tmp_path)
    target = MemoryTarget(names_runs, lambda: now.timestamp())
    recorder = SubmissionRecorder(loaded, cast(Any, target))
    dispatcher = make_dispatcher(loaded, target, lambda: now.timestamp(), on_submit=recorder.record)
    handler = IncidentHandler(dispatcher, "gs://acme/store")

    def handle(number: int, data: bytes, attributes: dict[str, str]) -> Result:
        return handler.handle(Message(str(number), data, attributes, now)).result

    addressed = {"retrainer-trigger": "asked"}
    assert handle(1, json.dumps({"id": "a"}).encode(), addressed) == Result.STARTED
    assert handle(2, json.dumps({"id": "b"}).encode(), addressed) == Result.DEFERRED
    file = storage_message("files/5/a.csv")
    assert handle(3, *file) == Result.DEFERRED
    now += timedelta(minutes=5)
    assert handle(3, *file) == Result.STARTED
    assert [outcome.result for _, outcome in handler.start_open()] == [Result.STARTED]
    assert handler.handle(incident_message(incident.id)).result == Result.DUPLICATE
    assert len({name for _, name in bucket.objects if name.startswith("store/runs/")}) == 3
    assert bucket.denied == []
    # Those that list beside the right on the bucket go without saying.
    assert {one for one in rights if "list" not in one[0]} <= used
