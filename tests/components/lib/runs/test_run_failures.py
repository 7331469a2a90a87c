"""Failures of tasks that know no run, found again by the path of what they would have written."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.runs.reuse import Result, Work, reuse_or_make
from retrainer.components.lib.runs.run_failures import MOST_AGE, noting_failure, read_failures
from retrainer.components.lib.runs.run_records import RunKey, recording
from retrainer.components.lib.runs.run_traces import Outcome, list_traces, read_run, read_traces
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_json

VERTEX = ("run-1", "projects/acme/locations/europe-west1/pipelineJobs/run-1", "77")
KUBEFLOW = ("nightly", "flights-x7k2", "5a1c0f9e-aaaa-bbbb-cccc-0123456789ab")
OUTPUTS = {
    VERTEX: "/gcs/acme/root/123456/run-1/train-model_-987/model",
    KUBEFLOW: "/minio/mlpipeline/v2/artifacts/flights/5a1c0f9e-aaaa-bbbb-cccc-0123456789ab/train-model/x/model",
    ("here", "here", "here"): "/home/me/store/pipeline_root/here/train-model/model",
}


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


def ingest(store, placeholders):
    with recording(store, "ingest_spans", *placeholders):
        pass


def train(store, output, error):
    def make():
        raise error

    work = Work("train_model", {}, {}, {"model": output})
    with pytest.raises(type(error)):
        reuse_or_make(store, work, make)


@pytest.mark.parametrize("placeholders", OUTPUTS, ids=["vertex", "kubeflow", "here"])
def test_a_run_knows_why_a_task_without_a_record_failed(store, placeholders):
    ingest(store, placeholders)
    ingest(store, ("another", "another", "another"))
    train(store, OUTPUTS[placeholders], MemoryError("8 GiB"))
    key = RunKey.of(*placeholders)
    for trace in (read_run(store, key), read_traces(store, key.folder)[0]):
        assert trace.outcome == Outcome.FAILED
        assert trace.sentence == "stopped at train_model: MemoryError: 8 GiB"
    outcomes = {trace.key.name: trace.outcome for trace in list_traces(store)}
    assert outcomes == {key.name: Outcome.FAILED, "another": Outcome.OPEN}


def test_a_users_mistake_there_is_a_failure_and_no_stop(store):
    ingest(store, VERTEX)
    train(store, OUTPUTS[VERTEX], RetrainerError("model.py, line 3: no such column"))
    trace = read_run(store, RunKey.of(*VERTEX))
    assert (trace.outcome, trace.failed.error) == (
        Outcome.FAILED,
        "model.py, line 3: no such column",
    )


def test_a_task_that_was_tried_again_is_forgotten_once_the_run_went_on(store):
    ingest(store, VERTEX)
    train(store, OUTPUTS[VERTEX], OSError("lost"))
    with recording(store, "push_model", *VERTEX) as record:
        record.note(outcome="pushed", version=1)
    assert read_run(store, RunKey.of(*VERTEX)).outcome == Outcome.PUSHED


def test_work_that_succeeds_leaves_nothing(store):
    work = Work("train_model", {}, {}, {})
    reuse_or_make("", work, lambda: Result("fine"))
    with noting_failure(store, "train_model", "/x"):
        pass
    assert read_failures(store) == []


def test_old_and_damaged_notes_harm_nobody(store):
    folder = Store(store).failures_uri
    write_json(f"{folder}/20200101T000000-00000000.json", {"format": 1})
    write_json(f"{folder}/29990101T000000-00000000.json", {"format": 1})
    train(store, OUTPUTS[VERTEX], OSError("lost"))
    (failure,) = read_failures(store)
    assert failure.error == "OSError: lost"
    assert MOST_AGE.days == 30
    assert len(read_failures(store, failure.at)) == 1
    assert read_failures(store, "2999-01-01T00:00:00+00:00") == []


def test_the_tasks_own_error_is_the_one_to_report(tmp_path):
    (tmp_path / "file").touch()
    train(str(tmp_path / "file" / "store"), OUTPUTS[VERTEX], OSError("lost"))
