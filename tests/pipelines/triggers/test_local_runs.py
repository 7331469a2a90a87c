"""Runs of this machine: a name is a run's for ever, and a run that is there is not started again."""

from datetime import UTC, datetime, timedelta

import pytest

from retrainer.pipelines.runs.record_store import create_run
from retrainer.pipelines.runs.records import RunRecord, RunState
from retrainer.pipelines.targets.types import RunRequest, Submission
from retrainer.pipelines.triggers.local_runs import LocalRuns

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def runs(tmp_path):
    """Runs that end at once, and the names of those that were started."""
    store, started = str(tmp_path / "store"), []

    def run(name, at="2026-11-26T12:00:00+00:00"):
        started.append(name)
        record = RunRecord(name, "orders", store, RunState.SUCCEEDED, at)
        assert create_run(record)
        return record

    return LocalRuns(store, run), started


def test_a_run_is_started_once_under_its_name(runs):
    local, started = runs
    assert local.names_runs
    assert local.find("orders-1") is None
    first = local.submit(RunRequest("orders-1"))
    assert (first.run_id, first.created_at, first.existed) == ("orders-1", NOON, False)
    again = Submission(first.run_id, first.reference, first.url, NOON, existed=True)
    assert local.submit(RunRequest("orders-1")) == local.find("orders-1") == again
    assert not local.submit(RunRequest("orders-2")).existed
    assert started == ["orders-1", "orders-2"]


def test_a_run_that_has_not_noted_when_it_began_begins_now(runs):
    local, _ = runs
    local._run("orders-1", at="")
    found = local.find("orders-1")
    assert abs(found.created_at - datetime.now(UTC)) < timedelta(minutes=5)
