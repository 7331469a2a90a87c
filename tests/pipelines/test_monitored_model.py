"""A served model, from its log and its labels to signals and an incident: the whole pipeline on this machine."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from servers.reference_rows import calibrated_rows, export_model, sigmoid, write_span
from servers.small_project import MODEL

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_atomic
from retrainer.pipelines.cli.main import cli

SCHEMA = """
feature { name: "x" type: FLOAT presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "late" type: INT presence { min_fraction: 1.0 min_count: 1 } not_in_environment: "SERVING" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""
CONFIG = {
    "name": "orders",
    "data": {"pattern": "in/{span}.csv", "label": "late"},
    "evaluation": {"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]},
    "monitoring": {
        "predictions": {"uri": "logs", "format": "serve_log"},
        "labels": {"pattern": "labels/{span:%Y-%m-%d}.jsonl"},
    },
}
FIRST, ROWS = datetime(2026, 11, 1, tzinfo=UTC), 300


@pytest.fixture
def project(tmp_path):
    """A champion of October that serves in November."""
    import tensorflow as tf

    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "retrain.yaml").write_text(yaml.safe_dump(CONFIG))
    store = str(tmp_path / "store")
    model = export_model(tmp_path / "model", lambda x: tf.sigmoid(x)[:, None], x=tf.float32)
    spans = {
        name: write_span(store, name, {"all": calibrated_rows(3_000, number).drop(["weight"])})
        for number, name in enumerate(("2026-09", "2026-10"))
    }
    info = {"train_spans": ["2026-09"], "eval_spans": ["2026-10"], "span_versions": spans}
    registry = Registry(Store(store).models_uri)
    made = registry.add(model, digest_folder(model), info).version
    registry.move_alias(CHAMPION, made, None, {"at": FIRST.isoformat(), "action": "push"})
    write_atomic(f"{registry.version_uri(made)}/schema.pbtxt", SCHEMA)
    write_atomic(Store(store).schema_uri, SCHEMA)
    return tmp_path


def serve_day(project, number, constant=None, labelled=True):
    """Write the log of a day as `retrainer serve-log` does, and its labels."""
    rows = calibrated_rows(ROWS, 100 + number)
    x = rows["x"].to_numpy() if constant is None else np.full(ROWS, constant)
    day = FIRST + timedelta(days=number)
    lines, labels = [], []
    for place, (value, late) in enumerate(zip(x, rows["late"].to_pylist(), strict=True)):
        moment = day + timedelta(seconds=place * 86_400 // ROWS)
        request_id = f"{number}-{place}"
        line = {
            "request_id": request_id,
            "time": moment.isoformat(),
            "method": "POST",
            "path": "/v1/models/orders/versions/1:predict",
            "status": 200,
            "latency_ms": 2.5,
            "model_version": "1",
            "variant": "stable",
            "sample_rate": 1.0,
            "request": json.dumps({"instances": [{"x": float(value)}]}),
            "response": json.dumps({"predictions": [[float(sigmoid(value))]]}),
            "error": None,
        }
        lines.append(json.dumps(line))
        labels.append(json.dumps({"request_id": request_id, "row": 0, "late": late}))
    for folder in ("logs", "labels"):
        (project / folder).mkdir(exist_ok=True)
    with gzip.open(project / "logs" / f"{day:%Y-%m-%d}.jsonl.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")
    if labelled:
        (project / "labels" / f"{day:%Y-%m-%d}.jsonl").write_text("\n".join(labels) + "\n")


def monitor(project, *words):
    found = CliRunner().invoke(cli, ["monitor", *words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


@pytest.mark.slow
def test_from_a_log_and_labels_to_signals_and_an_incident(project):
    file = str(project / "retrain.yaml")
    for number in range(3):
        serve_day(project, number)
    run = monitor(project, "run", file, "--now", "2026-11-04T12:00", "--json")
    assert {name: one["state"] for name, one in run["tasks"].items()} == {
        "ingest-predictions": "succeeded",
        "join-labels": "succeeded",
        "monitor-model": "succeeded",
    }
    status = monitor(project, "status", "--file", file, "--json")
    assert (status["window"], status["look"], status["incidents"]) == ("2026-11-03", 3, [])
    assert status["labels"]["share"] == 1.0
    signals = {one["name"]: one for one in status["signals"]}
    assert {one["state"] for one in signals.values()} == {"ok"}
    assert {"data/x", "skew/x", "estimated_quality/auc"} <= set(signals)
    assert signals["data/number of requests"]["value"] == ROWS

    # The feed breaks, and its labels are late: an incident of the data, which asks for no run.
    serve_day(project, 3, constant=7.0, labelled=False)
    monitor(project, "run", file, "--now", "2026-11-05T12:00", "--json")
    status = monitor(project, "status", "--file", file, "--json")
    states = {one["name"]: one for one in status["signals"]}
    assert states["data/x"]["state"] == "detected"
    assert states["skew/x"]["outcome"] == "silent"
    assert [one["state"] for one in status["incidents"]] == ["data_broken"]
    assert status["labels"]["share"] == pytest.approx(0.75)
