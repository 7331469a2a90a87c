"""Records of runs."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest
from rich.console import Console

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli.show_runs import print_run
from retrainer.pipelines.runs import heartbeat
from retrainer.pipelines.runs.heartbeat import Heartbeat
from retrainer.pipelines.runs.lock import RunLock, find_holder
from retrainer.pipelines.runs.record_store import (
    list_runs,
    load_run,
    lock_path,
    run_exists,
    save_run,
)
from retrainer.pipelines.runs.records import (
    ArtifactRecord,
    RunRecord,
    RunState,
    TaskRecord,
    TaskState,
)
from retrainer.pipelines.runs.run_words import describe_failure


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def make_record(
    store: str, run_id: str, started: str = "2024-06-01T00:00:00.000+00:00"
) -> RunRecord:
    task = TaskRecord(
        name="train-model",
        title="train_model",
        state=TaskState.SUCCEEDED,
        started=started,
        seconds=1.5,
        peak_memory=1 << 20,
        attempts=1,
        inputs={"steps": 3, "names": ["a"], "share": 0.5},
        outputs={"verdict": "good"},
        input_artifacts={"data": ArtifactRecord("system.Dataset", "/d", "ab", {"rows": 3})},
        output_artifacts={"model": ArtifactRecord("system.Model", "/m", "cd")},
        metrics={"auc": 0.5},
        reports=["reports/train-model.html"],
        log="logs/train-model.log",
        key="ef",
    )
    return RunRecord(
        run_id,
        "flights",
        store,
        RunState.SUCCEEDED,
        started=started,
        seconds=2.0,
        parameters={"span": "latest"},
        tasks={"train-model": task},
        spec_digest="12",
        pipeline_root="/root",
    )


def test_a_record_comes_back_as_it_was(store):
    record = make_record(store, "june")
    save_run(record)
    assert load_run(store, "june") == record
    assert run_exists(store, "june")
    assert not run_exists(store, "july")


def test_a_store_that_has_moved_keeps_its_runs(store, tmp_path):
    save_run(make_record(store, "june"))
    moved = tmp_path / "elsewhere"
    Path(store).rename(moved)
    record = load_run(str(moved), "june")
    assert record.locate("logs/x.log") == f"{moved}/runs/june/logs/x.log"
    assert record.locate("/var/log/x.log") == "/var/log/x.log"


def test_runs_are_listed_newest_first(store):
    assert list_runs(store) == []
    for month in ("03", "01", "02"):
        save_run(make_record(store, f"m{month}", f"2024-{month}-01T00:00:00.000+00:00"))
    assert [record.run_id for record in list_runs(store)] == ["m03", "m02", "m01"]


def test_foreign_and_damaged_folders_do_no_harm(store):
    save_run(make_record(store, "june"))
    runs = Path(store, "runs")
    (runs / "foreign").mkdir()
    (runs / "notes.txt").write_text("mine")
    june = json.loads((runs / "june" / "run.json").read_text())
    for name, content in {
        "half": '{"run_id": "ha',
        "list": "[1]",
        "other": '{"tasks": 3}',
        "late": json.dumps({**june, "started": "soon"}),
        "long": json.dumps({**june, "seconds": []}),
        "nameless": json.dumps({**june, "run_id": 7}),
    }.items():
        (runs / name).mkdir()
        (runs / name / "run.json").write_text(content)
    records = list_runs(store)
    assert records[0].run_id == "june"
    assert {record.run_id: record.state for record in records[1:]} == dict.fromkeys(
        ("half", "list", "other", "late", "long", "nameless"), "unreadable"
    )
    with pytest.raises(RetrainerError, match=r"list/run\.json"):
        load_run(store, "list")


def test_what_a_later_version_adds_is_passed_over(store):
    save_run(make_record(store, "june"))
    path = Path(store, "runs", "june", "run.json")
    content = json.loads(path.read_text())
    content["invented"] = 1
    content["tasks"]["train-model"]["invented"] = 1
    content["tasks"]["train-model"]["output_artifacts"]["model"]["invented"] = 1
    path.write_text(json.dumps(content))
    assert load_run(store, "june") == make_record(store, "june")


def test_a_missing_run_names_the_newest(store):
    with pytest.raises(RetrainerError, match=r"no run 'june' in .*; the newest are: none"):
        load_run(store, "june")


def test_a_run_without_a_process_has_died(store):
    record = make_record(store, "june")
    record.state = RunState.RUNNING
    record.tasks["train-model"].state = TaskState.RUNNING
    save_run(record)
    with RunLock(lock_path(store, "/root"), "june"):
        assert load_run(store, "june").state == RunState.RUNNING
    dead = load_run(store, "june")
    assert dead.state == RunState.DIED
    assert dead.tasks["train-model"].state == TaskState.INTERRUPTED
    assert "Resume" in describe_failure(dead)
    with RunLock(lock_path(store, "/root"), "july"):
        assert load_run(store, "june").state == RunState.DIED


@pytest.fixture
def bucket():
    """A store that is no folder of this machine, and the age of what was last written there, in minutes."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    record = make_record("memory://bucket/store", "june")
    record.state, record.host = RunState.RUNNING, "elsewhere"

    def heard(minutes: float, beats: bool) -> RunState:
        # What an earlier heartbeat left would be taken for this one's.
        files.store.clear()
        record.beats = beats
        save_run(record)
        if beats:
            with Heartbeat(record.uri):
                deadline = time.monotonic() + 60
                while len(files.store) < 2 and time.monotonic() < deadline:
                    time.sleep(0.01)
        for file in files.store.values():
            file.modified = datetime.now(UTC) - timedelta(minutes=minutes)
        return load_run(record.store, "june").state

    yield heard
    files.store.clear()


def test_a_run_of_another_machine_that_was_silent_for_long_has_died(bucket):
    assert bucket(1, beats=True) == RunState.RUNNING
    assert bucket(11, beats=True) == RunState.DIED


def test_clocks_that_differ_do_not_kill_a_run(bucket):
    assert bucket(-30, beats=True) == RunState.RUNNING


def test_a_run_that_gives_no_signs_of_life_has_a_day_for_a_task(bucket):
    assert bucket(11, beats=False) == RunState.RUNNING
    assert bucket(25 * 60, beats=False) == RunState.DIED


def test_a_dead_run_says_how_to_resume_it(store):
    record = make_record(store, "june")
    record.state = RunState.RUNNING
    save_run(record)
    error = load_run(store, "june").error
    assert "ended without recording how" in error
    assert error.endswith("retrainer run --resume june")


def test_one_run_at_a_time(store):
    path = lock_path(store, "/root")
    assert find_holder(path) is None
    with RunLock(path, "june"):
        holder = find_holder(path)
        assert holder is not None
        assert holder.run_id == "june"
        with (
            pytest.raises(RetrainerError, match=r"run 'june' \(process \d+\) is running"),
            RunLock(path, "july"),
        ):
            pass
    assert find_holder(path) is None
    with RunLock(path, "july"):
        assert find_holder(path) is not None


def test_a_bucket_is_locked_through_the_pipeline_root(tmp_path):
    assert lock_path("memory://bucket/store", str(tmp_path)) == f"{tmp_path}/.lock"


def test_failures_are_described_with_the_logs_end_and_its_place(store):
    record = make_record(store, "june")
    task = record.tasks["train-model"]
    task.state, task.error, task.log_tail = TaskState.FAILED, "ValueError: bad", ["one", "two"]
    assert describe_failure(record).splitlines() == [
        "train_model: ValueError: bad",
        "  | one",
        "  | two",
        f"  log: {store}/runs/june/logs/train-model.log",
    ]
    assert task.verdict == "ValueError: bad"


def test_a_tasks_warnings_are_shown_and_not_among_its_outputs(capsys):
    record = RunRecord("june", "flights", "/store", started="2024-06-01T00:00:00+00:00")
    outputs = {"verdict": "no errors, 1 warning", "warnings": ["distance: drift in span 2013-03"]}
    record.tasks["validate"] = TaskRecord("validate", outputs={**outputs, "rows": 3})
    print_run(record, Console(width=200))
    shown = capsys.readouterr().out
    assert "  warning: distance: drift in span 2013-03" in shown
    assert "warnings:" not in shown
    assert "rows: 3" in shown


def test_a_sign_of_life_that_failed_in_whatever_way_is_followed_by_the_next(tmp_path, monkeypatch):
    tried = []

    def fail(uri, text):
        tried.append(uri)
        raise RuntimeError("the session is closed")

    monkeypatch.setattr(heartbeat, "write_atomic", fail)
    with Heartbeat(str(tmp_path), 0.001):
        deadline = time.monotonic() + 60
        while len(tried) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(tried) > 1
