"""Labels that come later, from files to the realised quality, by the pipeline `monitoring`."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from servers.reference_rows import calibrated_rows, export_model, write_span
from servers.served_predictions import write_predictions
from servers.small_project import MODEL

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.monitoring.looks import Looks
from retrainer.components.lib.predictions.joined_sets import newest_joined
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_atomic
from retrainer.pipelines.cli.main import cli

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
SCHEMA = """
feature { name: "x" type: FLOAT presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "late" type: INT presence { min_fraction: 1.0 min_count: 1 } not_in_environment: "SERVING" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""


@pytest.fixture
def project(tmp_path):
    """A champion that returns sigmoid(x), judged on the rows of February."""
    import tensorflow as tf

    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "labels").mkdir()
    content = {
        "name": "flights",
        "data": {"pattern": "in/{span}.csv", "label": "late"},
        "evaluation": {"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]},
        "monitoring": {"labels": {"pattern": "labels/{span:%Y-%m-%d}.jsonl", "labelled_at": "at"}},
    }
    (tmp_path / "retrain.yaml").write_text(yaml.safe_dump(content))
    store = str(tmp_path / "store")
    rows = {"2026-01": calibrated_rows(3_000, 1), "2026-02": calibrated_rows(3_000, 2)}
    versions = {span: write_span(store, span, {"all": one}) for span, one in rows.items()}
    info = {"train_spans": ["2026-01"], "eval_spans": ["2026-02"], "span_versions": versions}
    model = export_model(tmp_path / "model", lambda x: tf.sigmoid(x)[:, None], x=tf.float32)
    registry = Registry(Store(store).models_uri)
    version = registry.add(model, digest_folder(model), info)
    write_atomic(f"{registry.version_uri(version.version)}/schema.pbtxt", SCHEMA)
    registry.move_alias(CHAMPION, version.version, None, {"at": SINCE.isoformat()})
    return tmp_path


def serve(project, day, moved):
    """Write a day of predictions, and the labels that come the day after."""
    moment = SINCE + timedelta(days=day)
    span = f"{moment:%Y-%m-%d}"
    rows = calibrated_rows(500, 10 + day, moved=moved)
    x = rows["x"].to_numpy()
    write_predictions(str(project / "store"), span, {"x": x}, 1 / (1 + np.exp(-x)))
    at = (moment + timedelta(days=1, hours=9)).isoformat()
    lines = [
        {"request_id": f"{span}-1-stable", "row": row, "late": late, "at": at}
        for row, late in enumerate(rows["late"].to_pylist())
    ]
    name = f"{moment + timedelta(days=1):%Y-%m-%d}.jsonl"
    (project / "labels" / name).write_text("".join(json.dumps(one) + "\n" for one in lines))


def monitor(project, day):
    """Monitor at noon of a day; the states of signals by name."""
    now = SINCE + timedelta(days=day, hours=12)
    file = str(project / "retrain.yaml")
    found = CliRunner().invoke(cli, ["monitor", "run", file, "--now", now.isoformat()])
    assert found.exit_code == 0, found.output
    status = CliRunner().invoke(cli, ["monitor", "status", "--file", file, "--json"])
    return {one["name"]: one for one in json.loads(status.stdout)["signals"]}


@pytest.mark.slow
def test_labels_that_can_t_be_read_fail_the_run_after_the_rest_was_judged(project):
    for day in range(2):
        serve(project, day, 0.0)
    (project / "labels" / "2026-03-02.jsonl").write_text(
        '{"request_id": "a", "lat": 1, "at": ""}\n'
    )
    file = str(project / "retrain.yaml")
    now = (SINCE + timedelta(days=2, hours=12)).isoformat()
    found = CliRunner().invoke(cli, ["monitor", "run", file, "--now", now, "--run-id", "broken"])
    assert found.exit_code == 1, found.output
    assert "new labels were not joined" in found.output
    assert "no column 'late'" in found.output
    assert Looks(str(project / "store")).states().states["data/feed of requests"].last.outcome
    shown = CliRunner().invoke(cli, ["runs", "show", "broken", "--file", file])
    assert "no column 'late'" in shown.output
    (project / "labels" / "2026-03-02.jsonl").unlink()
    assert monitor(project, 2)["data/share of labels"]["state"]


@pytest.mark.slow
def test_labels_that_come_a_day_later_show_that_the_model_decays(project):
    for day in range(3):
        serve(project, day, 0.0)
    found = monitor(project, 3)
    assert found["realised_quality/log_loss"]["state"] == "ok"
    assert found["data/share of labels"]["state"] == "ok"
    assert [one.rows for one in newest_joined(str(project / "store"))] == [500] * 3
    for day in range(3, 11):
        serve(project, day, 4.0)
    found = monitor(project, 11)
    assert found["realised_quality/zero_one"]["state"] == "detected"
    assert found["realised_quality/zero_one"]["evidence"]["rows"] == 3_500
