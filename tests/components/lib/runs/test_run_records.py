"""What tasks note of runs, wherever they run."""

import json
import logging
from pathlib import Path

import pytest
from kfp import dsl

from retrainer.components import ingest_spans, validate_examples
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.runs import run_records
from retrainer.components.lib.runs.run_records import RunKey, TaskState, note_submission, recording
from retrainer.components.lib.runs.run_traces import (
    INGEST,
    PUSH,
    VALIDATE,
    Outcome,
    list_folders,
    list_traces,
    read_run,
    read_traces,
)

VERTEX = "projects/123/locations/europe-west1/pipelineJobs/orders-1"


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


def test_a_run_is_known_by_what_its_tasks_used_and_decided(store):
    with recording(store, INGEST, "orders-1", VERTEX, "77") as record:
        record.verdict = "nothing new"
        record.note(spans={"2024-05": "ab12"}, newest_span="2024-05")
    with recording(store, PUSH, "orders-1", VERTEX, "77") as record:
        record.verdict = "pushed as version 2"
        record.note(outcome="pushed", version=2)
    [trace] = read_traces(store, "orders-1")
    assert trace.key == RunKey("orders-1", "locations/europe-west1/pipelineJobs/orders-1")
    assert trace.spans == {"2024-05": "ab12"}
    assert trace.outcome == Outcome.PUSHED
    assert trace.sentence == "pushed as version 2"
    assert trace.noted(PUSH, "version") == 2
    assert trace.started <= trace.ended
    assert list_folders(store) == ["orders-1"]


def test_the_project_of_a_vertex_job_may_be_a_number_or_an_id(store):
    by_id = VERTEX.replace("projects/123", "projects/acme-ml")
    assert RunKey.of("orders-1", VERTEX) == RunKey.of("orders-1", by_id)


def test_a_run_that_is_stopped_says_why(store):
    def validate():
        with recording(store, VALIDATE, "r", "", "u") as record:
            record.note(statistics="gs://b/statistics")
            raise RetrainerError("distance: drift in span 2013-03")

    with pytest.raises(RetrainerError, match="drift"):
        validate()
    [trace] = read_traces(store, "r")
    assert trace.outcome == Outcome.STOPPED
    assert trace.sentence == "stopped at validate_examples: distance: drift in span 2013-03"
    assert trace.noted(VALIDATE, "statistics") == "gs://b/statistics"


def test_a_crash_is_no_stop(store):
    with pytest.raises(ZeroDivisionError), recording(store, VALIDATE, "r"):
        raise ZeroDivisionError("division by zero")
    [trace] = read_traces(store, "r")
    assert (trace.outcome, trace.failed.error) == (
        Outcome.FAILED,
        "ZeroDivisionError: division by zero",
    )


def test_a_task_that_runs_or_was_killed_is_open(store):
    with recording(store, INGEST, "r") as record:
        [trace] = read_traces(store, "r")
        assert trace.tasks[INGEST].state == TaskState.RUNNING
        assert (trace.outcome, trace.ended, trace.spans) == (Outcome.OPEN, "", None)
        record.verdict = "nothing new"


def test_a_retried_task_replaces_what_it_noted(store):
    with pytest.raises(OSError, match="away"), recording(store, INGEST, "r"):
        raise OSError("the bucket is away")
    with recording(store, INGEST, "r") as record:
        record.note(spans={})
    [trace] = read_traces(store, "r")
    assert (trace.failed, trace.spans) == (None, {})


def test_two_runs_of_one_name_do_not_overwrite_each_other(store):
    for uuid, span in (("u1", "1"), ("u2", "2")):
        with recording(store, INGEST, "Clone of orders (1)", "workflow", uuid) as record:
            record.note(spans={span: "v"})
    [folder] = list_folders(store)
    assert sorted(trace.spans.popitem()[0] for trace in read_traces(store, folder)) == ["1", "2"]
    found = read_run(store, RunKey("Clone of orders (1)", "u2"))
    assert found.spans == {"2": "v"}
    assert read_run(store, RunKey("Clone of orders (1)", "u3")) is None


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".", "é", " ", "x" * 300])
def test_a_name_that_can_be_no_folders_stays_below_runs(store, name):
    with recording(store, INGEST, name, "", "u"):
        pass
    [folder] = Path(store, "runs").iterdir()
    assert read_run(store, RunKey(name, "u")).key.name == name
    assert len(folder.name) <= 128


@pytest.mark.parametrize("run", ["", "{{$.pipeline_job_name}}"])
def test_a_task_without_a_run_keeps_no_record(store, run):
    with recording(store, INGEST, run) as record:
        record.note(spans={})
    assert not Path(store).exists()


def test_a_store_that_refuses_does_not_fail_the_task(store, tmp_path, caplog):
    Path(store).write_text("a file")
    with caplog.at_level(logging.WARNING), recording(store, INGEST, "r") as record:
        record.note(spans={})
    assert "ingest_spans did in run 'r' is not recorded" in caplog.text


def test_notes_that_json_does_not_know_become_text(store):
    with recording(store, INGEST, "r") as record:
        record.note(folder=Path("/a"))
    assert read_traces(store, "r")[0].noted(INGEST, "folder") == "/a"


def test_damaged_and_later_files_do_not_hide_the_others(store, caplog):
    with recording(store, INGEST, "r") as record:
        record.note(spans={})
    folder = Path(store, "runs", "r", "tasks")
    [file] = folder.iterdir()
    digest = file.name.split(".")[1]
    (folder / f"push_model.{digest}.json").write_text('{"format": 1, "ru')
    later = {**json.loads(file.read_text()), "format": 2}
    (folder / f"resolve_champion.{digest}.json").write_text(json.dumps(later))
    (folder / "notes.txt").write_text("mine")
    [trace] = read_traces(store, "r")
    assert list(trace.tasks) == [INGEST]
    assert "push_model" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        {"started": "soon"},
        {"state": None},
        {"started": "2026-04-01T06:00:00"},
        {"ended": 5},
        {"notes": ["spans"]},
        {"place": "here"},
    ],
)
def test_a_file_with_values_that_nobody_can_use_is_left_out(store, change):
    for run in ("june", "july"):
        with recording(store, INGEST, run) as record:
            record.note(spans={})
    [file] = Path(store, "runs", "june", "tasks").iterdir()
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    assert [trace.key.name for trace in list_traces(store)] == ["july"]


def test_an_outcome_that_is_no_word_is_none(store):
    with recording(store, PUSH, "june") as record:
        record.note(outcome=["pushed"])
    assert read_traces(store, "june")[0].outcome == Outcome.OPEN


def test_a_submission_stands_beside_the_tasks(store):
    key = RunKey.of("orders-1", VERTEX)
    note_submission(store, key, {"target": "vertex", "created_at": "2024-05-01T00:00:00+00:00"})
    [trace] = read_traces(store, "orders-1")
    assert (trace.submission["target"], trace.started, trace.outcome) == (
        "vertex",
        "2024-05-01T00:00:00+00:00",
        Outcome.OPEN,
    )
    assert trace.key == key


def test_a_folder_without_tasks_has_no_trace(store):
    Path(store, "runs", "june").mkdir(parents=True)
    assert read_traces(store, "june") == []
    assert list_folders("memory://nowhere/store") == []


def test_what_a_task_that_is_killed_wrote_is_whole(store, monkeypatch):
    with recording(store, INGEST, "r"):
        pass
    before = read_traces(store, "r")

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_records, "write_atomic", killed)
    with pytest.raises(KeyboardInterrupt), recording(store, INGEST, "r"):
        pass
    assert read_traces(store, "r") == before


@pytest.mark.parametrize(
    ("component", "settings", "says"),
    [
        (validate_examples, {"severity": {"drift": "eror"}}, "eror"),
        (
            ingest_spans,
            {"pattern": "in/{span}.csv", "label": "late", "csv": {"delimiter": ";;"}},
            "delimiter",
        ),
    ],
)
def test_a_setting_that_is_wrong_is_noted_as_why_the_task_stopped(
    store, tmp_path, component, settings, says
):
    names = component.component_spec.inputs | component.component_spec.outputs
    artifacts = {
        name: dsl.Artifact(name=name, uri=str(tmp_path / name))
        for name in ("statistics", "anomalies", "schema", "report", "examples")
        if name in names
    }
    with pytest.raises(RetrainerError, match=says):
        component.python_func(**artifacts, **settings, store=store, run="orders-1")
    [trace] = read_traces(store, "orders-1")
    assert trace.outcome == Outcome.STOPPED
    assert says in trace.sentence
