import json

import pytest
import yaml
from servers.answers import Answers
from servers.deployments import in_child, memory, push, quick, registry, settings

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.registry import CHAMPION
from retrainer.pipelines.project.sections.deploy.deploy import DeployConfig
from retrainer.pipelines.project.starting import init_project

__all__ = ["in_child", "memory", "push", "quick", "registry", "settings"]


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "project" / "store")


@pytest.fixture
def answers(tmp_path):
    return Answers(tmp_path / "project" / "logs")


@pytest.fixture
def file(tmp_path, monkeypatch, settings):
    """A project whose champions are rolled out on the service in memory."""
    init_project(tmp_path / "project")
    path = tmp_path / "project" / "retrain.yaml"
    content = yaml.safe_load(path.read_text())
    content.setdefault("serving", {})["rollout"] = {
        "observations": "logs/*.parquet",
        "steps": [
            {"percent": percent, "hold_seconds": 0, "min_requests": 100} for percent in (10, 50)
        ],
    }
    content["serving"]["deploy"] = {"kserve": {"service": "orders"}}
    path.write_text(yaml.safe_dump(content))
    monkeypatch.setattr(DeployConfig, "services", lambda self: {"memory": settings})
    return str(path)


@pytest.fixture
def begun(retrainer, file, push):
    push()
    retrainer("deploy", "--file", file)
    retrainer("rollout", "watch", "--file", file)
    push()
    retrainer("deploy", "--file", file)


def test_before_the_first_rollout_status_says_so(retrainer, file):
    assert "no rollout yet" in retrainer("rollout", "status", "--file", file)
    assert json.loads(retrainer("rollout", "status", "--json", "--file", file))["state"] is None


def test_watch_goes_on_and_status_shows_what_was_observed(
    retrainer, file, begun, answers, memory, tmp_path
):
    answers.write("1.parquet", answers.rows(1, 900, 0.02), answers.rows(2, 100, 0.02))
    assert "version 2 has 50 % of the requests" in retrainer("rollout", "watch", "--file", file)
    assert memory.state["traffic"] == {"1": 50, "2": 50}
    shown = retrainer("rollout", "status", "--file", file)
    for words in (
        "version 2 has 50 % of the requests; version 1 served before",
        "0 of 100 requests observed",
        "error_rate",
        "version 2 became the champion",
        "passed at 10 %",
    ):
        assert words in shown
    page = tmp_path / "rollout.html"
    shown = retrainer("rollout", "status", "--json", "--report", page, "--file", file)
    found = json.loads(shown)
    assert (found["state"], found["version"], found["before"]) == ("canary", 2, 1)
    for words in ("Rollout of version 2", "error_rate", "0 of 100", "passed at 10 %", " UTC<"):
        assert words in page.read_text()
    (guard,) = found["guards"]
    assert guard["rows"] == 100
    assert guard["aborts_at"] == pytest.approx(20)


def test_abort_takes_services_and_registry_back(retrainer, file, begun, memory, registry):
    shown = retrainer("rollout", "abort", "--why", "complaints", "--file", file)
    assert shown == "version 2 was rolled back\n"
    assert memory.state["traffic"] == {"1": 100}
    move = registry.alias(CHAMPION).newest()
    assert (move.version, move.held[0].version, move.held[0].why) == (1, 2, "complaints")
    with pytest.raises(RetrainerError, match="no rollout is going on"):
        retrainer("rollout", "abort", "--file", file)


def test_promote_takes_it_a_stage_on_or_to_the_end(retrainer, file, begun, memory):
    assert "50 %" in retrainer("rollout", "promote", "--file", file)
    assert memory.state["traffic"] == {"1": 50, "2": 50}
    found = json.loads(retrainer("rollout", "promote", "--all", "--json", "--file", file))
    assert found["state"] == "serving"
    assert memory.state["traffic"] == {"2": 100}


def test_compare_shows_the_difference_by_slice(retrainer, file, begun, answers):
    answers.write("1.parquet", answers.rows(1, 2000, 0.02), answers.rows(2, 2000, 0.3))
    shown = retrainer("rollout", "compare", "1", "2", "--slice", "carrier", "--file", file)
    assert "share of failed requests" in shown
    assert "carrier = A" in shown
    assert "worse" in shown


def test_compare_names_a_difference_that_changed(retrainer, file, begun, answers):
    answers.write("1.parquet", answers.rows(1, 2000, 0.2), answers.rows(2, 2000, 0.0))
    later = [answers.rows(1, 4000, 0.2, after=60), answers.rows(2, 4000, 0.5, after=60)]
    answers.write("2.parquet", *later)
    shown = retrainer("rollout", "compare", "1", "2", "--file", file)
    assert "changed over time" in shown


def test_without_the_section_the_commands_say_what_is_missing(retrainer, tmp_path):
    init_project(tmp_path / "plain")
    file = str(tmp_path / "plain" / "retrain.yaml")
    for command in (("watch",), ("abort",), ("promote",), ("compare", "1", "2")):
        with pytest.raises(RetrainerError, match=r"no serving\.rollout"):
            retrainer("rollout", *command, "--file", file)
