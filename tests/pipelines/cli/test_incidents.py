"""`retrainer monitor incidents`, `resolve` and `retrain`."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.incident import Detection, Group, IncidentState
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.pipelines.cli import retrains
from retrainer.pipelines.cli.main import cli

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
YAML = """\
name: orders
data: {pattern: "data/{span}.csv", label: returned}
evaluation: {metrics_specs: [{metrics: [{class_name: AUC}]}]}
retraining: {}
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "retrain.yaml").write_text(YAML)
    (tmp_path / "model.py").write_text(MODEL)
    return tmp_path


@pytest.fixture
def records(project):
    records = IncidentRecords(str(project / "store"))
    for name in ("drift/dep_delay", "data/weather"):
        found = Detection(name, "7", f"{name} is not what it was.")
        records.open(Group.of(found.kind), 3, [found], NOON, "look-1")
    return records


@pytest.fixture
def run(project, records):
    def run(*words, file=True):
        place = ["--file", str(project / "retrain.yaml")] if file else []
        found = CliRunner().invoke(cli, ["monitor", *words, *place], obj=False)
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found

    return run


def test_incidents_are_listed_and_shown_with_every_change(run):
    listed = run("incidents").output
    assert "v3-model-1" in listed
    assert "data_broken" in listed
    shown = run("incidents", "v3-model-1").output
    assert "open by look-1: drift/dep_delay is not what it was" in shown
    assert json.loads(run("incidents", "v3-model-1", "--json").output)["state"] == "open"
    assert len(json.loads(run("incidents", "--json").output)) == 2


def test_an_incident_that_is_resolved_by_hand_goes_from_the_list(run, records):
    assert "is resolved" in run("resolve", "v3-model-1", "--why", "a holiday").output
    assert records.find("v3-model-1").reason == "a holiday"
    assert "v3-model-1" not in run("incidents").output
    assert "v3-model-1" in run("incidents", "--all").output
    assert "was already resolved" in run("resolve", "v3-model-1", "--why", "again").output


def test_an_unknown_incident_is_named_with_its_neighbour(run):
    with pytest.raises(RetrainerError, match=r"no incident 'v3-model-2'.*v3-model-1"):
        run("incidents", "v3-model-2")


def test_a_person_asks_for_a_run(run, records, project, monkeypatch):
    seen = []

    def retrain_here(file, verbose):
        seen.append(records.find("v3-model-1").wants_run)
        return []

    monkeypatch.setattr(retrains, "retrain_here", retrain_here)
    words = ["retrain", str(project / "retrain.yaml"), "--incident", "v3-model-1"]
    assert run(*words, file=False).exit_code == 2
    shown = run(*words, "--why", "we know why", file=False)
    assert "incident v3-model-1 asks for a run" in shown.output
    assert seen == [True]
    with pytest.raises(RetrainerError, match="is broken data"):
        run(*[*words[:3], "v3-data-1"], "--why", "please", file=False)
    assert records.find("v3-data-1").state == IncidentState.DATA_BROKEN


def test_without_the_section_it_says_what_to_add(run, project):
    (project / "retrain.yaml").write_text(YAML.replace("retraining: {}\n", ""))
    with pytest.raises(RetrainerError, match=r"add 'retraining: \{\}'"):
        run("retrain", str(project / "retrain.yaml"), file=False)
