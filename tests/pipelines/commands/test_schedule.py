"""`retrainer schedule`, against both services."""

import json

import pytest

from retrainer.components.lib.errors import RetrainerError

CREATE = ("--cron", "0 3 * * *", "--time-zone", "Europe/Berlin")


def test_a_schedule_on_vertex_is_made_changed_paused_resumed_and_deleted(
    retrainer, project, vertex
):
    on = (project, "--to", "vertex")
    assert retrainer("schedule", "create", *on, *CREATE).startswith("created orders: active")
    assert retrainer("schedule", "create", *on, "--cron", "0 4 * * *").startswith("updated orders")
    listed = retrainer("schedule", "list", *on)
    assert listed.count("\n") == 1
    assert "'0 4 * * *' UTC" in listed
    assert "orders: paused" in retrainer("schedule", "pause", *on)
    assert "orders: active" in retrainer("schedule", "resume", *on)
    assert retrainer("schedule", "delete", *on) == "deleted orders\n"
    assert retrainer("schedule", "list", *on) == ""


def test_a_schedule_on_kubeflow_is_made_changed_and_deleted(retrainer, project, kubeflow):
    on = (project, "--to", "kubeflow")
    assert retrainer("schedule", "create", *on, "--cron", "0 3 * * *").startswith("created orders")
    assert retrainer("schedule", "create", *on, "--cron", "0 4 * * *").startswith("updated orders")
    assert len(kubeflow.recurring_runs) == 1
    assert "orders: paused" in retrainer("schedule", "pause", *on)
    assert retrainer("schedule", "delete", *on) == "deleted orders\n"


def test_a_scheduled_run_finds_its_newest_span_when_it_starts(retrainer, project, vertex, sent):
    retrainer("schedule", "create", project, "--to", "vertex", *CREATE)
    job = sent(vertex)[0]["createPipelineJobRequest"]["pipelineJob"]
    assert "span" not in job["runtimeConfig"].get("parameterValues", {})
    parameter = job["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]["span"]
    assert parameter["defaultValue"] == "latest"


def test_a_dry_run_prints_the_schedule_and_sends_nothing(retrainer, project, vertex, sent):
    shown = json.loads(
        retrainer("schedule", "create", project, "--to", "vertex", *CREATE, "--dry-run")
    )
    assert vertex.requests == []
    retrainer("schedule", "create", project, "--to", "vertex", *CREATE)
    assert shown["body"] == sent(vertex)[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--cron", "0 3 * *"], "cron"), (["--cron", "0 3 * * *", "--time-zone", "Berlin"], "Berlin")],
)
def test_a_clock_that_no_service_knows_is_refused_before_anything_is_sent(
    retrainer, project, vertex, arguments, says
):
    with pytest.raises(RetrainerError, match=says):
        retrainer("schedule", "create", project, "--to", "vertex", *arguments)
    assert vertex.requests == []


@pytest.mark.parametrize("command", ["pause", "resume", "delete"])
def test_a_schedule_that_is_not_there_is_told(retrainer, project, vertex, command):
    with pytest.raises(RetrainerError, match="nightly"):
        retrainer("schedule", command, project, "--to", "vertex", "--name", "nightly")
