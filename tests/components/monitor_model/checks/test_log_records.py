"""Records of a log that could not be used, and clocks that are wrong."""

from dataclasses import replace
from pathlib import Path

import pytest
from servers.log_project import NOW, Project, line, row

from retrainer.components.lib.monitoring.signals import Outcome, Signal
from retrainer.components.lib.predictions.prediction_sets import PREDICT_BATCH
from retrainer.components.monitor_model.checks.log_records import find_signals
from retrainer.components.monitor_model.look import Look


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.push()
    return made


def judge(project: Project, usable: int, faulty: int, ahead: int = 0) -> dict[str, Signal]:
    time = "2026-11-02T23:30:00Z"
    records = [line(f"r{n}", [row()], [0.5]) for n in range(usable)]
    records += [line(f"a{n}", [row()], [0.5], time) for n in range(ahead)]
    records += [line(f"f{n}", "no JSON", [0.5]) for n in range(faulty)]
    project.log("a.jsonl", records, at="2026-11-02T12:30:00Z")
    return signals(look_at(project))


def look_at(project: Project) -> Look:
    sets = project.ingest().sets
    version = project.registry.get(1)
    return Look(project.store, {"data": {"max_unusable": 0.1}}, NOW, sets, (), version, NOW)


def signals(look: Look) -> dict[str, Signal]:
    return {one.subject: one for one in find_signals(look)}


def test_more_faults_than_are_allowed_are_broken_data(project: Project) -> None:
    found = judge(project, 80, 20, ahead=5)
    unusable, clocks = found["unusable records"], found["clocks of requests"]
    assert (unusable.outcome, unusable.bound) == (Outcome.BREACHED, 0.1)
    assert unusable.value == pytest.approx(20 / 105)
    assert "its payload is no JSON (20)" in unusable.meaning
    assert unusable.evidence["reasons"] == {"its payload is no JSON": 20}
    assert (clocks.outcome, clocks.value) == (Outcome.OK, pytest.approx(5 / 85))


def test_a_few_faults_and_none_are_fine(project: Project) -> None:
    found = judge(project, 3, 2)
    assert {one.outcome for one in found.values()} == {Outcome.OK}
    assert "2 records of the log, 40 %" in found["unusable records"].meaning


def test_clocks_that_are_hours_ahead_are_broken_data(project: Project) -> None:
    clocks = judge(project, 10, 0, ahead=10)["clocks of requests"]
    assert (clocks.outcome, clocks.value) == (Outcome.BREACHED, 0.5)


def test_times_that_are_unreadable_are_named(project: Project) -> None:
    records = [line(f"r{n}", [row()], [0.5], "2.11.2026 14:05") for n in range(5)]
    project.log("a.jsonl", records, at="2026-11-02T12:30:00Z")
    clocks = signals(look_at(project))["clocks of requests"]
    assert clocks.outcome == Outcome.OK
    assert "5 without a readable time" in clocks.meaning


def test_batch_predictions_have_no_records(project: Project) -> None:
    judge(project, 3, 0)
    look = look_at(project)
    batch = tuple(replace(one, writer=PREDICT_BATCH) for one in look.current)
    assert signals(replace(look, current=batch)) == {}
