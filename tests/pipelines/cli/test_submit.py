"""`retrainer submit`: what is asked for arrives, and what would be refused is never sent."""

import json
import os
import signal
import sys
import threading
import time

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli.main import main
from retrainer.pipelines.targets.kubeflow.target import KubeflowTarget


def test_a_run_is_submitted_to_vertex_and_its_page_is_named(retrainer, project, vertex, sent):
    said = retrainer(
        "submit", project, "--to", "vertex", "--run-id", "orders-1", "--span", "2026-04"
    )
    assert said.startswith("run orders-1 submitted: https://console.cloud.google.com/vertex-ai/")
    (body,) = sent(vertex)
    assert body["runtimeConfig"]["parameterValues"] == {"span": "2026-04"}
    assert body["labels"]["team"] == "search"
    images = json.dumps(body["pipelineSpec"]["deploymentSpec"])
    assert "images/retrainer@sha256:0000" in images


def test_a_second_run_of_that_name_is_not_started(retrainer, project, vertex):
    retrainer("submit", project, "--to", "vertex", "--run-id", "orders-1")
    said = retrainer("submit", project, "--to", "vertex", "--run-id", "orders-1")
    assert "orders-1 exists already" in said
    assert len(vertex.jobs) == 1


def test_runs_that_nobody_named_are_named_after_pipeline_and_time(retrainer, project, vertex):
    retrainer("submit", project, "--to", "vertex")
    (name,) = vertex.jobs
    assert name.startswith("orders-20")


def test_a_flag_goes_over_a_variable_and_that_over_the_file(
    retrainer, project, vertex, sent, monkeypatch
):
    monkeypatch.setenv("RETRAINER_VERTEX_SERVICE_ACCOUNT", "b@acme-ml.iam.gserviceaccount.com")
    monkeypatch.setenv("RETRAINER_VERTEX_LABELS", "team=ranking,tier=1")
    retrainer("submit", project, "--to", "vertex")
    retrainer(
        "submit", project, "--to", "vertex", "--service-account", "c@acme-ml.iam.gserviceaccount.com",
        "--label", "team=ads", "--image", "eu.gcr.io/acme-ml/other@sha256:" + "1" * 64,
        "--run-id", "second",
    )  # fmt: skip
    first, second = sent(vertex)
    assert first["serviceAccount"].startswith("b@")
    assert (first["labels"]["team"], first["labels"]["tier"]) == ("ranking", "1")
    assert second["serviceAccount"].startswith("c@")
    assert second["labels"]["team"] == "ads"
    assert "eu.gcr.io/acme-ml/other" in json.dumps(second["pipelineSpec"])


def test_a_dry_run_prints_what_would_be_sent_and_sends_nothing(retrainer, project, vertex, sent):
    shown = json.loads(
        retrainer("submit", project, "--to", "vertex", "--run-id", "orders-1", "--dry-run")
    )
    assert vertex.requests == []
    retrainer("submit", project, "--to", "vertex", "--run-id", "orders-1")
    assert shown["body"] == sent(vertex)[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--run-id", "Orders 1"], "the run id 'Orders 1' would be refused"),
        (["--label", "Team=x"], "the label 'Team' would be refused"),
        (["--label", "team"], "--label: 'team' is not of the form key=value"),
        (
            ["-p", "spam=1"],
            "the pipeline continuous_training has no 'spam'; it has span, pattern, store, allow_older",
        ),
        (["-p", "allow_older=yes"], "allow_older is 'yes'; it must be true or false"),
        (["-p", "store=here"], "store is 'here', a folder of this machine"),
        (["--image", "retrainer:0.1.0"], "image is 'retrainer:0.1.0', and Vertex AI pulls"),
        (["--image", "a b"], "'a b' is not an image's name"),
        (["--project", ""], "targets.vertex.project"),
        (["--region", ""], "targets.vertex.region"),
        (["--namespace", "ml"], "--namespace is not for runs on vertex"),
        (["--service-account", "me"], "service_account"),
        (["--network", "default"], "network"),
        (["--encryption-key", "k"], "encryption_key"),
    ],
)
def test_what_a_service_would_refuse_is_refused_before_anything_is_sent(
    retrainer, project, vertex, arguments, says
):
    with pytest.raises(RetrainerError) as error:
        retrainer("submit", project, "--to", "vertex", *arguments)
    assert says in str(error.value)
    assert vertex.requests == []


def test_data_on_this_machine_is_out_of_reach_for_a_service(retrainer, project, vertex):
    file = project / "retrain.yaml"
    file.write_text(file.read_text().replace("gs://acme-ml/data/", "data/"))
    with pytest.raises(RetrainerError, match=r"data\.pattern is '.*', a folder of this machine"):
        retrainer("submit", project, "--to", "vertex")


def test_waiting_reports_each_task_and_ends_with_the_run(retrainer, project, vertex):
    def go_on():
        while "orders-1" not in vertex.jobs:
            time.sleep(0.02)
        vertex.advance("orders-1", "RUNNING", tasks={"ingest-spans": "SUCCEEDED"})
        time.sleep(0.3)
        vertex.advance(
            "orders-1",
            "FAILED",
            tasks={"ingest-spans": "SUCCEEDED", "validate-examples": "FAILED"},
        )

    thread = threading.Thread(target=go_on)
    thread.start()
    said = retrainer(
        "submit", project, "--to", "vertex", "--run-id", "orders-1", "--wait",
        "--poll-seconds", "0.05", code=1,
    )  # fmt: skip
    thread.join()
    assert "✓ ingest_spans" in said
    assert said.count("ingest_spans") == 1
    assert "✗ validate_examples" in said
    assert said.splitlines()[-1].startswith("failed")


def run_then(server, act):
    """Wait in a thread until a run is there, and then act on it."""

    def wait():
        while not server.runs:
            time.sleep(0.02)
        server.advance(server.runs[0], "RUNNING", {"ingest-spans": "RUNNING"})
        time.sleep(0.2)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


FOLLOW = ("--to", "kubeflow", "--run-id", "orders-1", "--wait", "--poll-seconds", "0.05")


def test_a_token_file_that_is_replaced_late_does_not_end_the_following(
    retrainer, project, kubeflow, tmp_path
):
    token = tmp_path / "token"
    token.write_text("one")
    kubeflow.token = "one"

    def rotate():
        kubeflow.token = "two"
        time.sleep(0.3)
        token.write_text("two")
        kubeflow.advance(kubeflow.runs[0], "SUCCEEDED", {"ingest-spans": "SUCCEEDED"})

    thread = run_then(kubeflow, rotate)
    said = retrainer("submit", project, *FOLLOW, "--token-file", token)
    thread.join()
    assert "answered 401" in said
    assert said.splitlines()[-1] == "succeeded"


def test_a_token_of_the_variable_that_ends_is_no_failed_run(
    retrainer, project, kubeflow, monkeypatch
):
    monkeypatch.setenv("RETRAINER_KUBEFLOW_TOKEN", "one")
    kubeflow.token = "one"
    thread = run_then(kubeflow, lambda: setattr(kubeflow, "token", "two"))
    with pytest.raises(RetrainerError) as lost:
        retrainer("submit", project, *FOLLOW)
    thread.join()
    assert lost.value.exit_code == 3
    assert "answered 401" in str(lost.value)
    assert f"goes on: {kubeflow.url}/#/runs/details/" in str(lost.value)
    again = str(lost.value).partition("follow it again: retrainer ")[2].partition(" (")[0].split()
    monkeypatch.setenv("RETRAINER_KUBEFLOW_TOKEN", "two")
    kubeflow.advance(kubeflow.runs[0], "SUCCEEDED", {"ingest-spans": "SUCCEEDED"})
    assert retrainer(*again).splitlines()[-1] == "succeeded"
    assert len(kubeflow.runs) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_following_and_not_the_run(
    project, kubeflow, monkeypatch, capsys, number
):
    thread = run_then(kubeflow, lambda: os.kill(os.getpid(), number))
    monkeypatch.setattr(sys, "argv", ["retrainer", "submit", str(project), *FOLLOW])
    with pytest.raises(SystemExit) as ended:
        main()
    thread.join()
    assert ended.value.code == 128 + number
    assert "Run orders-1 is no longer followed, and goes on: http" in capsys.readouterr().err
    assert kubeflow.runs[0]["state"] == "RUNNING"


def test_a_run_that_may_have_been_started_is_named(retrainer, project, kubeflow, monkeypatch):
    monkeypatch.setattr(KubeflowTarget.__init__, "__defaults__", (0.5,))
    kubeflow.down = True
    with pytest.raises(
        RetrainerError, match=r"Whether run orders-20.* --run-id orders-20"
    ) as error:
        retrainer("submit", project, "--to", "kubeflow")
    assert error.value.exit_code == 1


def test_a_run_is_submitted_to_kubeflow(retrainer, project, kubeflow):
    said = retrainer("submit", project, "--to", "kubeflow", "--run-id", "orders-1")
    assert f"submitted: {kubeflow.url}/#/runs/details/" in said
    assert len(kubeflow.runs) == 1


def test_a_template_is_vertex_own(retrainer, project, kubeflow):
    with pytest.raises(RetrainerError, match="--template works on vertex alone"):
        retrainer("submit", project, "--to", "kubeflow", "--template", "https://x/y/z/p/latest")


def test_a_run_on_this_machine_takes_the_span(retrainer, project):
    said = retrainer("submit", project, "--to", "local", "--span", "7", "--dry-run")
    assert json.loads(said)["parameters"] == {"span": "7"}
    with pytest.raises(RetrainerError, match="'a b' is not a valid run name"):
        retrainer("submit", project, "--to", "local", "--run-id", "a b", "--dry-run")
    with pytest.raises(RetrainerError, match="--parameter store: a local run takes it"):
        retrainer("submit", project, "--to", "local", "-p", "store=x")
    for strange in ("--image", "--project", "--template"):
        with pytest.raises(RetrainerError, match=f"{strange} is not for runs on local"):
            retrainer("submit", project, "--to", "local", strange, "x")


def test_a_cluster_is_sent_no_image_that_nobody_named(retrainer, project, kubeflow):
    file = project / "retrain.yaml"
    file.write_text(file.read_text().replace("\nimage: ", "\n# image: "))
    with pytest.raises(RetrainerError, match="image is not set"):
        retrainer("submit", project, "--to", "kubeflow")
    retrainer("submit", project, "--to", "kubeflow", "--image", "retrainer:0.1.0")
    assert len(kubeflow.runs) == 1


def test_an_invalid_wait_is_refused_before_anything_is_sent(retrainer, project, vertex):
    asked = ("submit", project, "--to", "vertex", "--wait", "--poll-seconds", "-1")
    retrainer(*asked, code=2)
    assert vertex.requests == []


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--namespace", "A_b"), ("--service-account", "me@x"), ("--pipeline-root", "a")],
)
def test_a_flag_that_kubeflow_would_refuse_is_refused_before_anything_is_sent(
    retrainer, project, kubeflow, flag, value
):
    with pytest.raises(
        RetrainerError, match=rf"targets\.kubeflow\.\w+ \({flag},.*'{value}', and must"
    ):
        retrainer("submit", project, "--to", "kubeflow", flag, value)
    assert kubeflow.requests == []
