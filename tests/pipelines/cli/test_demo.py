"""The demo as a newcomer runs it: four retrains on all flights, then weeks of serving and one more."""

import json
import re

import pytest

from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.lib.monitoring.looks import Looks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shown(tmp_path_factory, warm_retrainer):
    folder = tmp_path_factory.mktemp("demo")
    done = warm_retrainer("demo", "--dir", folder / "flights-demo", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "flights-demo", done.stdout


def _record(folder, run):
    return json.loads((folder / "store" / "runs" / run / "run.json").read_text())


def _rows(folder, run):
    counts = json.loads(
        (
            folder / "store" / "pipeline_root" / run / "ingest-spans" / "examples" / "manifest.json"
        ).read_text()
    )["counts"]
    return sum(count["read"] for count in counts.values())


def _champions(folder):
    moves = sorted((folder / "store/models/aliases/champion").glob("*.json"))
    return [json.loads(move.read_text())["version"] for move in moves]


def test_all_flights_of_the_year_are_there(shown):
    folder, text = shown
    assert "336,776 flights of 2013" in text
    lines = sum(
        len(file.read_bytes().splitlines()) - 1 for file in (folder / "data").glob("*-2013-*.csv")
    )
    assert lines == 336_776


def test_the_first_model_is_pushed_without_a_champion(shown):
    folder, text = shown
    assert "pushed as version 1: auc 0." in text
    tasks = _record(folder, "1-first-retrain")["tasks"]
    assert tasks["resolve-champion"]["outputs"]["verdict"] == "no champion yet"
    assert _rows(folder, "1-first-retrain") > 80_000


def test_a_new_month_is_the_only_one_ingested_and_sketched(shown):
    folder, _ = shown
    tasks = _record(folder, "2-new-month")["tasks"]
    assert tasks["ingest-spans"]["outputs"]["verdict"].startswith("1 ingested (2013-11), 2 reused")
    assert "1 sketched now, 2 reused" in tasks["compute-statistics"]["outputs"]["verdict"]
    assert "champion version 1" in tasks["evaluate-model"]["outputs"]["verdict"]
    assert {"auc", "champion_auc"} <= set(tasks["evaluate-model"]["metrics"])


def test_a_broken_month_stops_the_run_before_training(shown):
    folder, _ = shown
    record = _record(folder, "3-broken-month")
    assert record["state"] == "failed"
    error = record["tasks"]["validate-examples"]["error"]
    for column in ("dep_delay", "carrier", "distance"):
        assert column in error
    assert record["tasks"]["train-model"]["state"] == "skipped"
    assert (folder / "store/runs/3-broken-month/reports/validate-examples.html").exists()


def test_a_worse_model_is_refused_and_the_champion_stays(shown):
    folder, text = shown
    verdict = _record(folder, "4-worse-model")["tasks"]["push-model"]["outputs"]["verdict"]
    assert verdict.startswith("refused, version ")
    before = _champions(folder)[-2]
    assert f"version {before} still serves" in verdict
    assert re.search(r"^4-worse-model +refused, version \d", text, re.MULTILINE)


def test_a_broken_feed_is_reported_and_starts_no_run(shown):
    folder, _ = shown
    (broken,) = [one for one in IncidentRecords(str(folder / "store")).all() if one.group == "data"]
    assert [one.name for one in broken.detections] == ["data/dep_delay"]
    assert broken.state == "resolved"
    assert broken.run == ""


def test_estimated_quality_falls_before_labels_come_and_one_retrain_clears_it(shown):
    folder, _ = shown
    store = str(folder / "store")
    (moved,) = [one for one in IncidentRecords(store).all() if one.group == "model"]
    assert "estimated_quality/accuracy" in [one.name for one in moved.detections]
    states = [one.state for one in moved.changes]
    assert states.index("needs_a_person") < states.index("retraining")
    assert moved.state == "resolved"
    assert moved.pushed == _champions(folder)[-1]
    runs = [one.name for one in (folder / "store/runs").iterdir() if "-v" in one.name]
    assert runs == [moved.run]
    verdict = _record(folder, moved.run)["tasks"]["evaluate-model"]["outputs"]["verdict"]
    assert verdict.startswith("blessed")
    states = Looks(store).states()
    assert states.champion == moved.pushed
    assert states.detected() == []


def test_one_page_shows_all_of_it(shown):
    folder, text = shown
    assert "store/index.html" in text
    page = (folder / "store/index.html").read_text()
    for part in ("v2-data-1", "v2-model-1", "4-worse-model", "2014-03"):
        assert part in page


def test_a_folder_that_the_demo_did_not_write_stays_as_it_is(tmp_path, warm_retrainer):
    (tmp_path / "mine.txt").write_text("mine")
    done = warm_retrainer("demo", "--dir", tmp_path)
    assert done.returncode == 1
    assert "was not written by the demo" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"
