"""Runs of many spans, oldest first."""

import json
from pathlib import Path

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.runs.run_records import recording
from retrainer.components.lib.spans.exclusions import exclude
from retrainer.components.lib.store import Store
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project
from retrainer.pipelines.runs.backfill import plan, run_steps
from retrainer.pipelines.runs.record_store import save_run
from retrainer.pipelines.runs.records import RunRecord, TaskRecord


@pytest.fixture
def loaded(tmp_path):
    """A project with the spans 2026-01-01 to 2026-01-05, none of which was run."""
    init_project(tmp_path / "project")
    return load_config(tmp_path / "project" / "retrain.yaml")


@pytest.fixture
def record(loaded):
    """A function that makes the record of a run of a span."""

    def make(span, state="succeeded", run_id="earlier"):
        task = TaskRecord("ingest-spans", outputs={"newest_span": span})
        made = RunRecord(run_id, "orders", loaded.config.store, state, tasks={task.name: task})
        made.finished = "2026-02-01T00:00:00+00:00"
        save_run(made)
        return made

    return make


def days(steps, word="01-0"):
    return [step.span.rpartition(word)[2] for step in steps]


def test_spans_come_oldest_first_without_those_that_are_done_or_excluded(loaded, record):
    exclude(loaded.config.store, "2026-01-04", "a bad day", "me")
    record("2026-01-03")
    record("2026-01-02", "failed", "broken")
    steps = plan(loaded, "2026-01-02", "latest", again=False, allow_older=False)
    assert days(steps) == ["2", "3", "5"]
    assert [step.done_by for step in steps] == ["", "earlier", ""]
    steps = plan(loaded, "2026-01-02", "2026-01-03", again=True, allow_older=False)
    assert [(step.span, step.done_by) for step in steps] == [("2026-01-02", ""), ("2026-01-03", "")]


def test_a_span_that_a_run_elsewhere_has_done_is_done(loaded):
    for run, outcome in (("on-vertex", "refused"), ("broken", None)):
        day = "2026-01-03" if outcome else "2026-01-04"
        with recording(loaded.config.store, "ingest_spans", run, "", f"uuid of {run}") as noted:
            noted.note(spans={day: "v"}, newest_span=day)
        with recording(loaded.config.store, "push_model", run, "", f"uuid of {run}") as noted:
            noted.note(outcome=outcome)
    steps = plan(loaded, "2026-01-03", "latest", again=False, allow_older=False)
    assert [step.done_by for step in steps] == ["on-vertex", "", ""]


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2026-01-07", "latest", "has no complete span '2026-01-07'.* Did you mean"),
        ("2026-01-04", "2026-01-02", "--from 2026-01-04 is newer than --to 2026-01-02"),
    ],
)
def test_a_range_that_is_wrong_is_refused(loaded, first, last, words):
    with pytest.raises(RetrainerError, match=words):
        plan(loaded, first, last, again=False, allow_older=False)


def test_a_champion_that_has_seen_newer_spans_is_named_before_anything_runs(loaded, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(b"graph")
    registry = Registry(Store(loaded.config.store).models_uri)
    registry.add(str(model), "d1", {"span": "2026-01-04"})
    registry.move_alias(CHAMPION, 1, None, {})
    with pytest.raises(
        RetrainerError, match=r"01-02 is older than 2026-01-04.*models retire.*--allow-older"
    ):
        plan(loaded, "2026-01-02", "latest", again=False, allow_older=False)
    assert days(plan(loaded, "2026-01-04", "latest", again=False, allow_older=False)) == ["4", "5"]
    assert len(plan(loaded, "2026-01-02", "latest", again=False, allow_older=True)) == 4


def test_the_first_failure_stops_it_and_the_same_command_goes_on_there(loaded, record):
    steps = plan(loaded, "2026-01-02", "latest", again=False, allow_older=False)
    lines = []

    def run(span):
        return record(span, "failed" if span == "2026-01-03" else "succeeded", f"run-{span}")

    assert not run_steps(steps, loaded.config, run, lines.append)
    assert lines == ["1 of 4: span 2026-01-02", "2 of 4: span 2026-01-03"]
    assert [step.to_json()["state"] for step in steps] == [
        "succeeded",
        "failed",
        "not run",
        "not run",
    ]
    steps = plan(loaded, "2026-01-02", "latest", again=False, allow_older=False)
    assert [step.done_by for step in steps] == ["run-2026-01-02", "", "", ""]


@pytest.mark.slow
def test_two_spans_are_run_and_then_skipped(warm_retrainer, loaded):
    folder = str(Path(loaded.config.store).parent)
    command = ("backfill", "--from", "2026-01-03", "--to", "2026-01-04", "--json")
    done = warm_retrainer(*command, cwd=folder)
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)
    assert [step["span"] for step in steps] == ["2026-01-03", "2026-01-04"]
    assert [step["state"] for step in steps] == ["succeeded", "succeeded"]
    assert steps[0]["outcome"].startswith("pushed as version 1")
    assert steps[1]["champion"] in (1, 2)
    again = warm_retrainer(*command[:-1], cwd=folder)
    assert again.returncode == 0
    assert again.stdout.count("skipped: done by run") == 2
