"""Files of logs: which count, in folders, by patterns and on a bucket."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import fsspec.config
import pytest
from servers.log_project import INPUTS, line, row, save_model
from servers.storage import StorageServer

from retrainer.components.ingest_predictions.ingest import ingest
from retrainer.components.ingest_predictions.log_files import list_logs
from retrainer.components.ingest_predictions.moments import to_microseconds
from retrainer.components.ingest_predictions.task import parse_settings
from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.predictions.prediction_table import read_predictions
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.uris import write_atomic


def test_files_that_are_written_aside_are_no_logs(tmp_path: Path) -> None:
    names = [
        "b.jsonl", "2026/11/a.jsonl.gz", "c.json", ".hidden.jsonl", "_tmp/d.jsonl", "e.jsonl.tmp", "f.parquet",
        "README.md",
    ]  # fmt: skip
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "empty.jsonl").write_text("")
    found, others = list_logs(str(tmp_path), (".jsonl", ".json"))
    assert others == ["README.md", "f.parquet"]
    assert [one.name for one in found] == ["2026/11/a.jsonl.gz", "b.jsonl", "c.json"]
    assert found[0].modified is not None
    by_pattern, _ = list_logs(f"{tmp_path}/*.parquet", (".jsonl",))
    assert [one.name for one in by_pattern] == ["f.parquet"]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> object:
    with StorageServer() as server:
        options = {"token": "anon", "endpoint_url": server.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        yield server


def test_a_log_and_a_store_on_a_bucket(bucket: object, tmp_path: Path) -> None:
    store = "gs://acme/store"
    registry = Registry(f"{store}/models")
    path = save_model(tmp_path / "model", INPUTS)
    version = registry.add(path, digest_folder(path), {}).version
    registry.move_alias(CHAMPION, version, None, {})
    now = datetime.now(UTC)
    asked = (now - timedelta(days=2)).replace(hour=12)
    records = [line("r1", [row()], [0.5], asked.isoformat())]
    ahead = (now + timedelta(days=5)).isoformat()
    for name, lines in (("a", records), ("b", [line("r2", [row()], [0.5], ahead)])):
        text = "".join(json.dumps(one) + "\n" for one in lines)
        write_atomic(f"gs://acme/logs/{name}.jsonl.gz", gzip.compress(text.encode()))
    settings = parse_settings({"uri": "gs://acme/logs"})
    ingested = ingest(store, settings, now=now + timedelta(days=3))
    # What says that it came after its object was written has a clock that is wrong.
    spans = [asked.date().isoformat(), now.date().isoformat()]
    assert [one.span for one in ingested.made] == spans
    (batch,) = read_predictions(ingested.made[0])
    assert batch.column("request_id").to_pylist() == ["r1"]
    moment = batch.column("occurred_at")[0].as_py()
    assert to_microseconds(moment) == to_microseconds(asked)
    assert ingest(store, settings, now=now + timedelta(days=3)).made == ()
