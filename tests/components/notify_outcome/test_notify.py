"""What became of a run, read from what its tasks noted, and said once."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from servers.receiver import Receiver

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.incident import Detection, Group, IncidentState
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.lib.runs.run_failures import noting_failure
from retrainer.components.lib.runs.run_records import RunKey, note_submission, recording
from retrainer.components.notify_outcome import notify as notify_module
from retrainer.components.notify_outcome.notify import notify
from retrainer.components.notify_outcome.run_page import RunPage

VERTEX = "projects/123/locations/europe-west1/pipelineJobs/run-1"
OUTCOMES = ["pushed", "unchanged", "refused", "stopped", "failed"]


@pytest.fixture(scope="module")
def server():
    with Receiver() as server:
        yield server


@pytest.fixture
def run(tmp_path, server):
    server.requests.clear()
    return Run(str(tmp_path), server)


class Run:
    """A run on Vertex AI whose tasks note something, and then its exit task."""

    def __init__(self, store, server):
        self.store, self.server = store, server
        self.placeholders = ("run-1", VERTEX, "456")

    def task(self, name, verdict="", error=None, **notes):
        try:
            with recording(self.store, name, *self.placeholders) as record:
                record.verdict = verdict
                record.note(**notes)
                if error:
                    raise error
        except (RetrainerError, ValueError, KeyboardInterrupt):
            return

    def end(self, on=OUTCOMES, **page):
        channel = {
            "kind": "webhook",
            "name": "webhook",
            "on": list(on),
            "url": f"{self.server.url}/hook",
        }
        name, resource, uuid = self.placeholders
        page = RunPage(resource, uuid, **page)
        self.notified = notify(self.store, "flights", [channel], name, page)
        return [json.loads(request.body) for request in self.server.requests]


def test_a_pushed_model_is_reported_with_its_version_and_page(run):
    run.task("ingest_spans", newest_span="2013-12")
    run.task("resolve_champion", champion=2)
    run.task("validate_examples")
    verdict = "pushed as version 3, in place of version 2: auc 0.72"
    run.task("push_model", verdict, outcome="pushed", version=3, champion=2, newest_span="2013-12")
    (message,) = run.end()
    assert message["outcome"] == "pushed"
    assert message["reason"] == verdict
    assert (message["model_version"], message["champion_version"]) == (3, 3)
    assert message["span"] == "2013-12"
    assert message["links"] == {
        "run": "https://console.cloud.google.com/vertex-ai/locations/europe-west1/pipelines/runs/run-1?project=123"
    }
    assert run.notified.verdict == "pushed: sent by webhook"
    assert run.notified.warnings == []


NOT_DEPLOYED = "version 3 is the champion, but not deployed to vertex: it did not answer."


def test_a_model_that_was_pushed_and_not_deployed_is_a_failed_run_with_its_version(run):
    run.task("push_model", "pushed as version 3", outcome="pushed", version=3, champion=2)
    run.task("deploy_model", error=RetrainerError(NOT_DEPLOYED), version=3)
    (message,) = run.end()
    assert (message["outcome"], message["reason"]) == ("failed", NOT_DEPLOYED)
    assert (message["model_version"], message["champion_version"]) == (3, 3)


def test_a_deployment_that_was_killed_is_no_success(run):
    run.task("push_model", "pushed as version 3", outcome="pushed", version=3, champion=2)
    uri = f"{run.store}/runs/run-1/tasks"
    run.task("deploy_model")
    (file,) = Path(uri).glob("deploy_model.*")
    file.write_text(file.read_text().replace('"succeeded"', '"running"'))
    (message,) = run.end()
    assert (message["outcome"], message["model_version"]) == ("failed", 3)
    assert message["reason"].startswith("pushed as version 3; deploy_model ended without a reason")


@pytest.mark.parametrize(("rolled_back", "outcome"), [(True, "rolled_back"), (False, "watched")])
def test_a_rollout_that_went_back_is_reported_with_its_version(run, rolled_back, outcome):
    verdict = "version 3 was rolled back: a guard is violated: error_rate"
    run.task("watch_rollout", verdict, version=3, state="rolled_back", rolled_back=rolled_back)
    (message,) = run.end(on=["rolled_back", "watched"])
    assert (message["outcome"], message["reason"]) == (outcome, verdict)
    assert (message["model_version"], message["task"]) == (3, "watch_rollout")
    run.end(on=["rolled_back", "watched"])
    assert len(run.server.requests) == 1


def test_a_look_that_a_service_does_not_follow_is_a_failed_run(run):
    error = "version 3 was rolled back: given up. That is recorded, but not yet so in vertex: down."
    run.task("watch_rollout", error=RetrainerError(error), version=3, rolled_back=True)
    (message,) = run.end(on=["failed"])
    assert message["reason"].startswith(f"watch_rollout: {error}")


def test_a_refused_model_is_reported_with_the_champion_that_serves(run):
    run.task("push_model", "refused, version 2 still serves: auc", outcome="refused", champion=2)
    (message,) = run.end()
    assert (message["outcome"], message["model_version"]) == ("refused", None)
    assert message["champion_version"] == 2


def test_bad_data_is_stopped_with_its_sentence(run):
    run.task("ingest_spans", newest_span="2013-12")
    run.task("validate_examples", error=RetrainerError("column 'carrier' is gone: put it back"))
    (message,) = run.end()
    assert message["outcome"] == "stopped"
    assert message["task"] == "validate_examples"
    assert message["reason"] == "validate_examples: column 'carrier' is gone: put it back"


def test_a_crash_is_failed(run):
    run.task("ingest_spans", error=ValueError("boom"))
    (message,) = run.end()
    assert (message["outcome"], message["reason"]) == ("failed", "ingest_spans: ValueError: boom")


def test_a_task_that_keeps_no_record_is_narrowed_down(run):
    for name in ("ingest_spans", "resolve_champion", "validate_examples"):
        run.task(name)
    (message,) = run.end()
    assert message["outcome"] == "failed"
    assert message["reason"].startswith(
        "the run ended after validate_examples and before push_model"
    )


def test_a_task_that_keeps_no_record_says_why_it_failed(run):
    run.task("ingest_spans", newest_span="2013-12")
    output = "/gcs/acme/root/123/run-1/train-model_-9/model"
    with pytest.raises(ValueError, match="loss"), noting_failure(run.store, "train_model", output):
        raise ValueError("the loss is NaN")
    (message,) = run.end()
    assert (message["outcome"], message["task"]) == ("failed", "train_model")
    assert message["reason"] == "train_model: ValueError: the loss is NaN"
    assert message["span"] == "2013-12"


def test_a_task_that_was_killed_is_named(run):
    with recording(run.store, "ingest_spans", *run.placeholders):
        (message,) = run.end()
    assert message["reason"].startswith("ingest_spans ended without a reason")


def test_a_run_that_noted_nothing_failed(run):
    (message,) = run.end()
    assert message["outcome"] == "failed"
    assert "before its first task" in message["reason"]


def test_the_exit_task_may_run_twice(run):
    run.task("push_model", "refused", outcome="refused")
    run.end()
    assert len(run.end()) == 1
    assert run.notified.verdict == "refused: sent before by webhook"


def test_two_runs_of_one_name_are_two_on_kubeflow(run):
    for uuid in ("a", "b"):
        run.placeholders = ("nightly", "flights-x7k2", uuid)
        run.task("push_model", "refused", outcome="refused")
        messages = run.end(kubeflow_url="https://kfp.example.com/pipeline/")
    assert [message["links"]["run"] for message in messages] == [
        "https://kfp.example.com/pipeline/#/runs/details/a",
        "https://kfp.example.com/pipeline/#/runs/details/b",
    ]


def test_the_page_that_the_submission_noted_is_the_link_where_no_other_is_known(run):
    run.placeholders = ("nightly", "flights-x7k2", "a")
    url = "https://kfp.example.com/#/runs/details/a"
    note_submission(run.store, RunKey.of(*run.placeholders), {"target": "kubeflow", "url": url})
    run.task("push_model", "refused", outcome="refused")
    (message,) = run.end()
    assert message["links"]["run"] == url


def test_an_outcome_that_no_channel_is_for_is_not_sent(run):
    run.task("push_model", "pushed as version 1", outcome="pushed", version=1)
    assert run.end(on=["failed", "stopped"]) == []
    assert run.notified.verdict == "pushed: no channel is for this outcome"


def test_a_server_that_refuses_is_a_warning_and_no_failure(run, monkeypatch):
    monkeypatch.setattr(run.server, "status", 403)
    run.end()
    assert run.notified.verdict == "failed: not sent by webhook"
    assert run.notified.warnings == ["webhook: not sent: 127.0.0.1 answered 403 (ok)"]


def test_wrong_settings_are_a_warning_and_no_failure(run):
    notified = notify(run.store, "flights", [{"kind": "fax"}], "run-1", RunPage())
    assert notified.verdict.startswith("nobody was notified: the channel kind 'fax' is unknown")


def test_a_backend_that_does_not_say_which_run_it_is_is_named(run):
    run.placeholders = ("{{$.pipeline_job_name}}", "", "")
    assert run.end() == []
    assert "Kubeflow Pipelines fills it in from 2.5 on" in run.notified.verdict


def test_a_run_here_that_judged_its_model_again_says_so_of_the_second_push(run, tmp_path):
    run.placeholders = ("run-1", "run-1", "run-1")
    run.task("push_model", error=RetrainerError("the champion changed again"))
    tasks = {
        "evaluate-model": {"state": "succeeded", "metrics": {"auc": 0.7}},
        "evaluate-model-2": {"state": "succeeded", "metrics": {"auc": 0.8, "f1": float("nan")}},
        "push-model": {"state": "succeeded"},
        "push-model-2": {"state": "failed", "error": "the champion changed again"},
        "notify-outcome": {"state": "running"},
    }
    (tmp_path / "runs/run-1/run.json").write_text(json.dumps({"tasks": tasks}))
    (message,) = run.end()
    assert (message["outcome"], message["task"]) == ("stopped", "push_model")
    assert message["metrics"] == {"auc": 0.8}


@pytest.mark.parametrize(
    ("state", "says"), [("interrupted", "while train_model ran"), ("pending", "before train_model")]
)
def test_a_run_here_that_was_interrupted_says_where(run, tmp_path, state, says):
    run.placeholders = ("run-1", "", "run-1")
    run.task("ingest_spans")
    states = {"ingest-spans": "succeeded", "train-model": state, "notify-outcome": "pending"}
    tasks = {name: {"state": its} for name, its in states.items()}
    (tmp_path / "runs/run-1/run.json").write_text(json.dumps({"tasks": tasks}))
    (message,) = run.end()
    assert message["outcome"] == "failed"
    assert f"the run was interrupted {says}" in message["reason"]


def test_our_own_mistakes_fail_no_run(run, monkeypatch):
    def broken(*_):
        raise ValueError("a mistake")

    monkeypatch.setattr(notify_module, "read_notification", broken)
    assert run.end() == []
    assert run.notified.verdict.startswith("nobody was notified: unexpected ValueError")


def test_a_store_that_can_not_be_read_is_a_failed_run(run, tmp_path):
    run.store = "no-such-protocol://store"
    (message,) = run.end()
    assert message["outcome"] == "failed"
    assert message["reason"].startswith("the run's outcome can't be read from the store")


def look(run, name, error, task="watch_rollout"):
    run.placeholders = (name, VERTEX.replace("run-1", name), name)
    run.server.requests.clear()
    run.task(task, error=RetrainerError(error))
    return run.end()


@pytest.mark.parametrize("task", ["ingest_predictions", "join_labels", "monitor_model"])
def test_logs_that_cannot_be_read_for_hours_are_one_message_a_day(run, task):
    assert len(look(run, "look-1", "no bucket 'logs'.", task)) == 1
    assert look(run, "look-2", "no bucket 'logs'.", task) == []


def test_a_service_that_is_down_for_hours_is_one_message_a_day(run):
    (first,) = look(run, "look-1", "KServe does not answer (request 8f3c2a9d11, 10.2 s).")
    assert first["outcome"] == "failed"
    assert "once a day" in first["reason"]
    assert look(run, "look-2", "KServe does not answer (request 77aa01cd22, 9.7 s).") == []
    (other,) = look(run, "look-3", "SageMaker rejects the credentials.")
    assert "SageMaker" in other["reason"]


def test_other_runs_that_fail_in_the_same_way_are_each_reported(run):
    run.task("ingest_spans", error=RetrainerError("no file matches."))
    assert len(run.end()) == 1
    run.placeholders = ("run-2", VERTEX.replace("run-1", "run-2"), "457")
    run.task("ingest_spans", error=RetrainerError("no file matches."))
    assert len(run.end()) == 2


def test_a_run_that_an_incident_started_names_it_and_its_refusal_escalates_it(run):
    records = IncidentRecords(run.store)
    found = Detection("estimated_quality/auc", "7", "AUC is bad.")
    incident = records.open(Group.MODEL, 2, [found], datetime.now(UTC)).id
    name = f"flights-{incident}-0123456789ab"
    run.placeholders = (name, VERTEX.replace("run-1", name), "457")
    records.change(
        incident,
        lambda one: one.changed(IncidentState.RETRAINING, datetime.now(UTC), "started", run=name),
    )
    run.task("push_model", "refused, version 2 still serves", outcome="refused", champion=2)
    messages = {one["outcome"]: one for one in run.end([*OUTCOMES, "escalated"])}
    assert messages["refused"]["incident"] == incident
    assert messages["escalated"]["incident"] == incident
    assert records.find(incident).state == IncidentState.ESCALATED
    assert "incidents: sent by webhook" in run.notified.verdict


def test_an_incident_that_cannot_be_read_keeps_no_outcome_back(run):
    folder = Path(run.store, "monitoring", "incidents", "v2-model-1")
    folder.mkdir(parents=True)
    (folder / "000001.json").write_text("{}")
    name = "flights-v2-model-1-0123456789ab"
    run.placeholders = (name, VERTEX.replace("run-1", name), "457")
    run.task("push_model", "pushed as version 3", outcome="pushed", version=3)
    (message,) = run.end()
    assert (message["outcome"], message["incident"]) == ("pushed", None)
    assert "incidents can't be followed" in run.notified.warnings[0]
