"""`retrainer monitor`: the pipeline, and what it found."""

import json
import re
from datetime import UTC, datetime

import pytest
import yaml
from click.testing import CliRunner
from servers.served_predictions import make_columns, push_version, write_predictions
from servers.small_project import MODEL

from retrainer.components.lib.monitoring.looks import LookRecord, Looks
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal
from retrainer.components.monitor_model.monitor import monitor
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.cli.show_monitoring import print_status


@pytest.fixture
def project(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    content = {
        "name": "orders",
        "data": {"pattern": "in/{span}.csv", "label": "returned"},
        "evaluation": {"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]},
        "monitoring": {"window": {"spans": 1}},
    }
    (tmp_path / "retrain.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def run(project, *words):
    found = CliRunner().invoke(cli, ["monitor", *words, "--file", str(project / "retrain.yaml")])
    assert found.exit_code == 0, found.output
    return found.output


def test_status_counts_what_was_not_judged_apart_and_never_hides_a_detection(capsys):
    def signal(name, state, outcome):
        one = {"name": name, "state": state, "outcome": outcome, "since": "2026-11-05T02:00:00Z"}
        return {**one, "meaning": "-"}

    found = {
        "look": 3, "at": "2026-11-05T02:00:00Z", "window": "2026-11-04", "champion": 1, "labels": None,
        "champion_now": 2,
        "errors": [],
        "incidents": [{
            "id": "v1-model-1", "state": "open", "since": "2026-11-04T02:00:00Z", "reason": "tips moved",
            "signals": ["drift/tip", "drift/tax"],
        }],
        "signals": [
            signal("drift/fare", "ok", "ok"), signal("drift/tip", "ok", "silent"),
            signal("drift/tax", "detected", "silent"),
        ],
    }  # fmt: skip
    print_status(found)
    output = capsys.readouterr().out
    assert "span 2026-11-04: 1 detected, 1 ok, 1 not judged" in output
    assert "version 2 is champion now, and no look has judged it yet" in output
    assert "detected" in next(line for line in output.splitlines() if "drift/tax" in line)
    assert "tips moved; detected now: drift/tax" in " ".join(output.split())


def test_status_without_a_look(project):
    assert "no look yet" in run(project, "status")
    assert json.loads(run(project, "status", "--json"))["look"] is None


def test_status_shows_what_is_not_ok_with_its_meaning(project):
    store = str(project / "store")
    push_version(store, project, since=datetime(2026, 11, 1, tzinfo=UTC))
    for day in range(1, 5):
        write_predictions(store, f"2026-11-0{day}", make_columns(50, day), failed=10 * (day == 4))
    monitor(store, {}, clock=lambda: datetime(2026, 11, 5, 12, tzinfo=UTC))
    output = run(project, "status")
    assert "version 1, span 2026-11-04: 1 detected" in output
    assert "10 of 50 requests failed, 20%" in output.replace("20 %", "20%")
    assert "data/carrier" not in output
    assert "data/carrier" in run(project, "status", "--all")
    found = json.loads(run(project, "status", "--json"))
    (detected,) = [one for one in found["signals"] if one["state"] == "detected"]
    assert detected["name"] == "data/failed requests"
    assert [one["after"] for one in found["changes"]] == ["detected"]
    (incident,) = found["incidents"]
    assert found["champion_now"] == 1
    assert "is champion now" not in output
    assert (incident["id"], incident["signals"]) == ("v1-data-1", ["data/failed requests"])
    assert "incident v1-data-1, data broken since" in output
    assert found["labels"] is None


def test_what_could_not_be_judged_fits_on_a_screen(project):
    signals = tuple(
        Signal(Kind.DRIFT, f"column {number:02d}", Outcome.SILENT, "too few spans")
        for number in range(30)
    )
    looks = Looks(str(project / "store"))
    looks.add(LookRecord("key", "2026-11-01", 1, "2026-11-02T00:00:00+00:00", signals))
    looks.fold({})
    output = run(project, "status")
    assert output.count("too few spans") == 10
    assert "and 20 more signals, 20 of them not judged (--all)" in output
    assert run(project, "status", "--all").count("too few spans") == 30


def test_submit_and_schedules_are_of_the_pipeline_monitoring(project):
    vertex = ["--to", "vertex", "--project", "acme-ml", "--region", "europe-west4"]
    content = yaml.safe_load((project / "retrain.yaml").read_text())
    content |= {
        "store": "gs://acme/store",
        "image": "europe-docker.pkg.dev/acme/r/r@sha256:" + "0" * 64,
    }
    content["data"]["pattern"] = "gs://acme/{span}.csv"
    (project / "retrain.yaml").write_text(yaml.safe_dump(content))
    file = str(project / "retrain.yaml")
    found = CliRunner().invoke(cli, ["monitor", "submit", file, *vertex, "--dry-run"])
    assert found.exit_code == 0, found.output
    assert "orders-monitoring" in found.stdout
    kubeflow = ["--to", "kubeflow", "--host", "http://127.0.0.1:9", "-p", "now=2026-11-01"]
    found = CliRunner().invoke(cli, ["monitor", "submit", file, *kubeflow, "--dry-run"])
    assert found.exit_code == 0, found.output
    assert "2026-11-01" in found.stdout
    words = ["monitor", "schedule", "create", file, *vertex, "--cron", "@hourly", "--dry-run"]
    found = CliRunner().invoke(cli, words)
    assert found.exit_code == 0, found.output
    assert "orders-monitoring" in found.stdout


def test_a_time_that_is_none_is_named_before_anything_runs(project):
    file = str(project / "retrain.yaml")
    found = CliRunner().invoke(cli, ["monitor", "run", file, "--now", "yesterday"])
    assert found.exit_code == 1
    assert "now is 'yesterday'" in str(found.exception)


@pytest.mark.slow
def test_a_run_judges_as_of_its_time_and_fails_where_a_baseline_is_missing(project):
    store = str(project / "store")
    push_version(store, project, since=datetime(2026, 11, 1, tzinfo=UTC))
    for day in range(1, 4):
        write_predictions(store, f"2026-11-0{day}", make_columns(50, day))
    file = str(project / "retrain.yaml")
    words = ["monitor", "run", file, "--now", "2026-11-03T06:00", "--json"]
    found = CliRunner().invoke(cli, words)
    assert found.exit_code == 1
    record = json.loads(found.stdout)
    assert re.search(r"spans (that )?it was", record["tasks"]["monitor-model"]["error"])
    status = json.loads(run(project, "status", "--json"))
    assert (status["window"], status["look"]) == ("2026-11-02", 2)
    assert "data/number of requests" in {one["name"] for one in status["signals"]}
    assert status["errors"]
    (task,) = (project / "store" / "pipeline_root").rglob("report*")
    assert "Could not be judged" in task.read_text()
