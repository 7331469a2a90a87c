"""`retrainer runs`: runs on this machine, on Vertex AI and on Kubeflow, side by side."""

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.runs.run_records import RunKey, note_submission, recording
from retrainer.pipelines.runs import cancelling, remote_lookup
from retrainer.pipelines.runs.cancelling import cancel_here
from retrainer.pipelines.runs.lock import Holder, RunLock
from retrainer.pipelines.runs.record_store import lock_path, save_run
from retrainer.pipelines.runs.records import RunRecord, RunState, TaskRecord

STORE = "gs://acme-ml/store"


@pytest.fixture
def runs(retrainer, project):
    def call(*arguments, code=0):
        return retrainer("runs", *arguments, "--file", project / "retrain.yaml", code=code)

    return call


@pytest.fixture
def rows(runs):
    """What `runs list` says of each run, by its name."""

    def read(*arguments):
        return {one["run_id"]: one for one in json.loads(runs("list", "--json", *arguments))}

    return read


def submit(retrainer, project, kind, run_id, *more):
    retrainer("submit", project, "--to", kind, "--run-id", run_id, *more)


def work(server_run, uuid="", **notes):
    """What the tasks of a run note, as the service fills in the placeholders."""
    with recording(STORE, "ingest_spans", server_run, uuid, uuid) as record:
        record.note(spans={"2026-04": "ab12"}, newest_span="2026-04")
    with recording(STORE, "push_model", server_run, uuid, uuid) as record:
        record.verdict = "pushed as version 3: auc 0.8"
        record.note(outcome="pushed", version=3)


def test_a_submitted_run_is_recorded_with_who_and_where(retrainer, project, vertex, rows):
    submit(retrainer, project, "vertex", "orders-1", "--span", "2026-04")
    run = rows("--offline")["orders-1"]
    assert (run["target"], run["state"], run["asked"]) == ("vertex", "running", False)
    assert run["place"] == {"project": "acme-ml", "region": "europe-west1"}
    assert run["parameters"] == {"span": "2026-04"}
    assert run["by"].endswith(f"@{socket.gethostname()}")
    assert run["image"].startswith("europe-west1-docker.pkg.dev/acme-ml/images/retrainer@sha256:")
    assert run["url"].startswith("https://console.cloud.google.com/vertex-ai/")


def test_a_second_submit_does_not_take_over_the_record(
    retrainer, project, vertex, rows, monkeypatch
):
    submit(retrainer, project, "vertex", "orders-1", "--span", "2026-04")
    submit(retrainer, project, "vertex", "orders-1", "--span", "2026-05")
    assert rows("--offline")["orders-1"]["parameters"] == {"span": "2026-04"}


def test_a_store_that_can_not_be_written_is_a_warning(
    retrainer, project, vertex, bucket, monkeypatch
):
    monkeypatch.setattr("retrainer.pipelines.runs.submissions.PATIENCE_SECONDS", 0.1)
    bucket.down = True
    submit(retrainer, project, "vertex", "orders-1")
    assert "orders-1" in vertex.jobs


def test_services_say_the_state_and_the_store_what_the_run_did(
    retrainer, project, vertex, kubeflow, runs, rows
):
    submit(retrainer, project, "vertex", "orders-1")
    submit(retrainer, project, "kubeflow", "orders-2")
    vertex.advance("orders-1", "SUCCEEDED")
    work("orders-1", vertex.jobs["orders-1"].name.replace("acme-ml", "123"))
    kubeflow.advance(kubeflow.runs[0], "FAILED", error="no node for ingest_spans")
    found = rows()
    assert set(found) == {"orders-1", "orders-2"}
    first, second = found["orders-1"], found["orders-2"]
    assert (first["state"], first["asked"], first["version"]) == ("succeeded", True, 3)
    assert first["spans"] == {"2026-04": "ab12"}
    assert (second["target"], second["state"]) == ("kubeflow", "failed")
    assert second["outcome"] == "no node for ingest_spans"
    table = runs("list")
    assert table.split("\n")[0].split() == [
        "run", "where", "cause", "state", "started", "took", "outcome",
    ]  # fmt: skip
    assert "pushed as version 3: auc 0.8" in table
    assert list(rows("--to", "kubeflow")) == ["orders-2"]
    assert rows("--to", "local") == {}


def test_a_run_that_a_schedule_or_a_trigger_started_is_listed_with_its_cause(
    retrainer, project, vertex, kubeflow, rows
):
    submit(retrainer, project, "vertex", "orders-1")
    job = vertex.jobs["orders-1"]
    vertex.jobs["orders-by-clock"] = type(job)()
    vertex.jobs["orders-by-clock"].CopyFrom(job)
    clock = vertex.jobs["orders-by-clock"]
    clock.name = job.name.replace("orders-1", "orders-by-clock")
    clock.schedule_name = "projects/1/locations/europe-west1/schedules/77"
    job.labels["retrainer-trigger"] = "nightly"
    found = rows()
    assert found["orders-1"]["cause"] == "trigger nightly"
    assert found["orders-by-clock"]["cause"] == "schedule 77"


@pytest.mark.parametrize("service", ["vertex", "kubeflow"])
def test_a_run_of_a_schedule_names_it(retrainer, project, vertex, kubeflow, rows, service):
    retrainer(
        "schedule", "create", project, "--to", service, "--name", "nightly", "--cron", "0 6 * * *"
    )  # fmt: skip
    if service == "kubeflow":
        kubeflow.fire(kubeflow.recurring_runs[0])
    else:
        submit(retrainer, project, "vertex", "orders-1")
        schedule = next(iter(vertex.schedules.values()))
        vertex.jobs["orders-1"].schedule_name = schedule.name.replace("acme-ml", "123")
    [run] = rows("--to", service).values()
    assert run["cause"] == "schedule nightly"


def test_a_service_that_can_not_be_asked_leaves_the_last_known_states(
    retrainer, project, vertex, runs, rows, monkeypatch
):
    submit(retrainer, project, "vertex", "orders-1")
    work("orders-1", vertex.jobs["orders-1"].name)
    vertex.down = True
    monkeypatch.setattr(remote_lookup, "ASK_SECONDS", 0.5)
    run = rows()["orders-1"]
    assert (run["state"], run["asked"]) == ("succeeded", False)
    assert "succeeded ?" in runs("list")


def test_a_run_of_which_nothing_was_heard_for_days_is_unknown(project, rows):
    long_ago = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    about = {"target": "kubeflow", "created_at": long_ago}
    note_submission(STORE, RunKey("orders-9", "u"), about)
    assert rows("--offline")["orders-9"]["state"] == "unknown"


def test_show_lists_tasks_outcome_spans_and_link(retrainer, project, vertex, runs):
    submit(retrainer, project, "vertex", "orders-1")
    work("orders-1", vertex.jobs["orders-1"].name)
    tasks = {"ingest-spans": "SUCCEEDED", "train-model": "FAILED"}
    vertex.advance("orders-1", "FAILED", tasks=tasks, error="out of memory")
    for name in ("orders-1", "last"):
        shown = runs("show", name)
        for text in (
            "orders-1  failed",
            "on vertex: project acme-ml, region europe-west1",
            "https://console.cloud.google.com/vertex-ai/",
            "2026-04: ab12",
            "model: version 3",
            "train_model  failed  30.0 s",
            "out of memory",
        ):
            assert text in shown
    described = json.loads(runs("show", "orders-1", "--json"))
    assert [task["name"] for task in described["tasks"]] == ["ingest-spans", "train-model"]


def test_a_run_that_has_recorded_nothing_is_found_at_its_service(
    retrainer, project, vertex, kubeflow, runs, bucket
):
    submit(retrainer, project, "kubeflow", "orders-1")
    bucket.objects.clear()
    assert runs("show", "orders-1").startswith("orders-1  pending")
    with pytest.raises(RetrainerError, match=r"no run 'orders-7' in 'gs://"):
        runs("show", "orders-7")
    vertex.fail_next(status=403)
    assert runs("show", "orders-1").startswith("orders-1  pending")
    vertex.fail_next(status=403)
    with pytest.raises(RetrainerError, match=r"'orders-7' in .* Vertex AI could not be asked"):
        runs("show", "orders-7")


def test_the_tasks_of_an_uploaded_pipelines_run_are_shown(retrainer, project, kubeflow, runs):
    submit(retrainer, project, "kubeflow", "orders-1")
    kubeflow.advance(kubeflow.runs[0], "RUNNING", {"train-model": "RUNNING"})
    del kubeflow.runs[0]["pipeline_spec"]
    assert "train_model  running" in runs("show", "orders-1")


def test_a_run_on_a_service_is_cancelled_once(retrainer, project, vertex, kubeflow, runs):
    submit(retrainer, project, "vertex", "orders-1")
    submit(retrainer, project, "kubeflow", "orders-2")
    assert "run orders-1 is being cancelled" in runs("cancel", "orders-1")
    vertex.advance("orders-1", "CANCELLED")
    assert "run orders-1 had already ended: cancelled" in runs("cancel", "orders-1")
    assert "run orders-2 is being cancelled" in runs("cancel", "orders-2")
    assert kubeflow.runs[0]["state"] == "CANCELING"
    assert "run orders-2 is being cancelled" in runs("cancel", "orders-2")


@pytest.mark.parametrize("run", ["orders-1", "last"])
def test_a_run_is_shown_where_nothing_says_how_to_reach_its_service(
    project, kubeflow, runs, monkeypatch, run
):
    work("orders-1", "2f6e0a4c-8a5e-4c53-9a3b-0f6f5b1f4f10")
    monkeypatch.delenv("RETRAINER_KUBEFLOW_HOST")
    shown = runs("show", run)
    assert "outcome: pushed as version 3: auc 0.8" in shown
    with pytest.raises(RetrainerError, match=r"targets\.kubeflow\.host is not set"):
        runs("cancel", run)


def test_two_runs_of_one_name_are_not_cancelled_by_guess(
    retrainer, project, vertex, kubeflow, runs
):
    submit(retrainer, project, "vertex", "orders-1")
    submit(retrainer, project, "kubeflow", "orders-1")
    with pytest.raises(RetrainerError, match=r"2 runs are called 'orders-1': .*kubeflow"):
        runs("cancel", "orders-1")
    assert "is being cancelled" in runs("cancel", "orders-1", "--to", "vertex")
    assert kubeflow.runs[0]["state"] == "PENDING"


@pytest.mark.parametrize(
    ("places", "says"),
    [
        ((), r"no run 'june' in .* the newest are: 'orders-.' on .*, 'orders-.' on"),
        (
            ("--to", "vertex"),
            r"no run 'june' on vertex in .* the newest are: 'orders-1' on vertex\.",
        ),
        (("--to", "local"), r"no run 'june' on local in .* the newest are: none\."),
    ],
)
@pytest.mark.parametrize("command", ["show", "cancel"])
def test_a_run_that_nobody_knows_is_answered_with_the_newest_of_each_place(
    retrainer, project, vertex, kubeflow, runs, command, places, says
):
    submit(retrainer, project, "vertex", "orders-1")
    submit(retrainer, project, "kubeflow", "orders-2")
    with pytest.raises(RetrainerError, match=says):
        runs(command, "june", *places)


@pytest.fixture
def local(tmp_path):
    """A run of this machine whose process waits for a signal, and ends with it."""
    program = "import signal, sys; print('ready', flush=True); signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    process.stdout.readline()
    record = RunRecord("june", "orders", str(tmp_path / "store"), pid=process.pid)
    record.tasks["train-model"] = TaskRecord("train-model")
    save_run(record)
    yield record, process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_run_on_this_machine_is_ended_by_a_signal(local, monkeypatch):
    record, process = local
    monkeypatch.setattr(cancelling, "find_holder", lambda _: alive(process))
    monkeypatch.setattr(
        "retrainer.pipelines.runs.record_store.find_holder", lambda _: alive(process)
    )
    assert cancel_here(record, 60).state == RunState.DIED
    assert process.wait() == -signal.SIGTERM
    again = cancel_here(cancel_here(record, 60))
    assert again.state == RunState.DIED


def alive(process):
    return Holder("june", process.pid) if process.poll() is None else None


def test_a_run_on_another_machine_is_not_signalled(local):
    record, process = local
    record.host = "elsewhere"
    with pytest.raises(RetrainerError, match="runs on 'elsewhere' as process"):
        cancel_here(record)
    assert process.poll() is None


def test_a_process_that_has_taken_the_number_of_a_dead_run_is_left_alone(local):
    record, process = local
    with RunLock(lock_path(record.store, record.pipeline_root), "july"):
        assert cancel_here(record).state == RunState.DIED
    assert process.poll() is None


def test_a_run_that_does_not_end_says_how_to_kill_it(local, monkeypatch):
    record, _ = local
    # Deaf to SIGTERM, as a process that hangs in native code is.
    monkeypatch.setattr(cancelling.signal, "SIGTERM", 0)
    monkeypatch.setattr(cancelling, "find_holder", lambda _: Holder("june", record.pid))
    monkeypatch.setattr(
        "retrainer.pipelines.runs.record_store.find_holder", lambda _: Holder("june", record.pid)
    )
    with pytest.raises(RetrainerError, match=f"kill -9 {record.pid}"):
        cancel_here(record, 0.2)


def test_a_run_that_has_ended_is_not_cancelled(retrainer, project, tmp_path):
    file = project / "retrain.yaml"
    file.write_text(file.read_text().replace(STORE, str(tmp_path / "store")))
    record = RunRecord("june", "orders", str(tmp_path / "store"), RunState.SUCCEEDED)
    save_run(record)
    said = retrainer("runs", "cancel", "june", "--file", file)
    assert said.strip() == "run june had already ended: succeeded"
    assert retrainer("runs", "cancel", "last", "--file", file) == said
    assert os.getpid() == record.pid


def test_a_run_on_a_target_of_a_later_release_is_named(retrainer, project, rows):
    note_submission(STORE, RunKey("orders-1", "elsewhere/1"), {"target": "moon"})
    assert rows("--offline") == {}
    with pytest.raises(RetrainerError, match="submitted to 'moon', which this release"):
        retrainer("runs", "show", "orders-1", "--file", project)
