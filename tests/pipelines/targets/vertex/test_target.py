import dataclasses
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from google.cloud.aiplatform_v1.types import PipelineFailurePolicy, PipelineJob
from google.protobuf import json_format
from servers.vertex import PARENT, VertexServer
from servers.vertex_cases import ATTACHMENT, FULL, Token, bodies, compiled, open_target, settings

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.targets.errors import RefusedError
from retrainer.pipelines.targets.types import RemoteState, RunRequest, ScheduleRequest
from retrainer.pipelines.targets.vertex.settings import check_vertex
from retrainer.pipelines.targets.vertex.status import to_status
from retrainer.pipelines.targets.vertex.target import VertexTarget

REQUEST = RunRequest("orders-1", {"span": "2026-01-31"}, {"trigger": "data", "tier": "2"})
TEMPLATE = f"https://europe-west1-kfp.pkg.dev/acme-ml/templates/orders/sha256:{'0' * 64}"


@pytest.fixture
def server():
    with VertexServer() as running:
        yield running


def test_a_run_carries_all_settings_and_the_spec_as_compiled(server):
    done = open_target(server, **FULL).submit(REQUEST)
    job = server.jobs["orders-1"]
    assert job.display_name == "orders-1"
    assert job.service_account == FULL["service_account"]
    assert job.network == FULL["network"]
    assert job.encryption_spec.kms_key_name == FULL["encryption_key"]
    assert list(job.reserved_ip_ranges) == ["ml-range"]
    assert (
        job.runtime_config.failure_policy == PipelineFailurePolicy.PIPELINE_FAILURE_POLICY_FAIL_FAST
    )
    assert job.runtime_config.gcs_output_directory == "gs://acme-ml/root"
    assert json_format.MessageToDict(job.runtime_config)["parameterValues"] == {
        "span": "2026-01-31"
    }
    # The spec is sent as it was compiled, so each task's caching is, too.
    assert json_format.MessageToDict(job.pipeline_spec) == json.loads(json.dumps(compiled().vertex))
    assert dict(job.labels) == {
        "team": "search",
        "tier": "2",
        "trigger": "data",
        "retrainer-pipeline": compiled().name,
    }
    assert (done.run_id, done.existed) == ("orders-1", False)
    assert done.reference == f"{PARENT}/pipelineJobs/orders-1"
    assert done.url == (
        "https://console.cloud.google.com/vertex-ai/locations/europe-west1/pipelines/runs/orders-1?project=acme-ml"
    )
    assert abs(done.created_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_runs_and_schedules_reach_a_vpc_without_peering(server):
    target = open_target(server, psc_network_attachment=ATTACHMENT)
    target.submit(REQUEST)
    target.put_schedule(ScheduleRequest("nightly", "0 2 * * *"))
    (kept,) = server.schedules.values()
    for job in (server.jobs["orders-1"], kept.create_pipeline_job_request.pipeline_job):
        assert job.psc_interface_config.network_attachment == ATTACHMENT


MACHINES = {
    "persistent_resource": "gpus",
    "persistent_resource_wait_seconds": 90,
    "persistent_resource_fallback": True,
}


def test_runs_and_schedules_on_a_persistent_resource_go_to_the_version_that_has_it(server):
    target = open_target(server, **MACHINES)
    first = target.submit(REQUEST)
    assert not first.existed
    assert target.submit(REQUEST).existed
    schedule = ScheduleRequest("nightly", "0 2 * * *")
    assert not target.put_schedule(schedule).updated
    assert target.put_schedule(schedule).updated
    assert [one.name for one in target.list_schedules()] == ["nightly"]
    (kept,) = server.schedules.values()
    for job in (server.jobs["orders-1"], kept.create_pipeline_job_request.pipeline_job):
        runtime = json_format.MessageToDict(job.runtime_config)["defaultRuntime"]
        assert runtime["persistentResourceRuntimeDetail"] == {
            "persistentResourceName": f"{PARENT}/persistentResources/gpus",
            "taskResourceUnavailableWaitTimeMs": "90000",
            "taskResourceUnavailableTimeoutBehavior": "FALL_BACK_TO_ON_DEMAND",
        }
    server.advance("orders-1", "RUNNING", {"train-model": "RUNNING"})
    assert [task.name for task in target.status(first).tasks] == ["train-model"]
    assert {seen.path.split("/")[1] for seen in server.requests} == {"v1beta1"}
    described = target.describe(REQUEST)
    assert "/v1beta1/" in described["url"]
    assert "defaultRuntime" in described["body"]["runtimeConfig"]


def test_what_is_not_set_is_not_sent(server):
    open_target(server).submit(RunRequest("orders-1"))
    (body,) = bodies(server.requests)
    assert set(body) == {"displayName", "pipelineSpec", "labels", "runtimeConfig"}
    assert set(body["runtimeConfig"]) == {"gcsOutputDirectory"}


def test_the_dry_run_is_the_request_on_the_wire(server):
    target = open_target(server, **FULL)
    described = target.describe(REQUEST)
    assert server.requests == []
    target.submit(REQUEST)
    (sent,) = server.requests
    url = urlsplit(described["url"])
    assert described["method"] == sent.method
    assert f"{url.scheme}://{url.netloc}" == server.url
    assert (url.path, dict(parse_qsl(url.query))) == (sent.path, sent.query)
    assert described["body"] == json.loads(sent.body)


def test_a_dry_run_needs_no_credentials(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    described = VertexTarget(settings(), compiled()).describe(REQUEST)
    assert described["url"].startswith(
        f"https://europe-west1-aiplatform.googleapis.com/v1/{PARENT}/pipelineJobs?"
    )


def test_missing_credentials_are_named_with_the_fix(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    target = VertexTarget(settings(), compiled())
    for call in (lambda: target.submit(REQUEST), target.list_schedules):
        with pytest.raises(RefusedError, match="gcloud auth application-default login"):
            call()


def test_given_credentials_go_over_the_wire(server):
    VertexTarget(settings(server.url), compiled(), Token()).submit(REQUEST)
    assert server.requests[0].headers["Authorization"] == "Bearer secret"


def test_a_template_is_named_and_the_spec_left_out(server):
    pipeline = dataclasses.replace(compiled(), template=TEMPLATE)
    open_target(server, pipeline).submit(REQUEST)
    job = server.jobs["orders-1"]
    assert job.template_uri == TEMPLATE
    assert not job.pipeline_spec.fields


def test_a_second_run_of_the_same_id_is_the_first_one(server):
    target = open_target(server)
    first, second = target.submit(REQUEST), target.submit(REQUEST)
    assert second == dataclasses.replace(first, existed=True)
    assert len(server.jobs) == 1


def test_a_run_is_found_by_its_id_or_not_at_all(server):
    target = open_target(server)
    done = target.submit(REQUEST)
    assert target.find("orders-1") == dataclasses.replace(done, existed=True)
    assert target.find("orders-2") is None


def test_tasks_are_named_with_state_times_error_and_logs(server):
    target = open_target(server)
    done = target.submit(REQUEST)
    tasks = {
        "ingest-spans": "SUCCEEDED",
        "compute-statistics": "SKIPPED",
        "train-model": "FAILED",
        "push-model": "NOT_TRIGGERED",
        "transform-features": "RUNNING",
    }
    server.advance("orders-1", "FAILED", tasks, error="exited with code 1")
    status = target.status(done)
    assert status.state == RemoteState.FAILED
    assert status.error == "exited with code 1"
    # In order of their start, and without the pipeline itself, which the service lists as a task.
    assert [(task.name, task.state) for task in status.tasks] == [
        ("ingest-spans", RemoteState.SUCCEEDED),
        ("compute-statistics", RemoteState.CACHED),
        ("train-model", RemoteState.FAILED),
        ("transform-features", RemoteState.RUNNING),
        ("push-model", RemoteState.SKIPPED),
    ]
    failed, waiting = status.tasks[2], status.tasks[4]
    assert failed.error == "exited with code 1"
    assert failed.ended - failed.started == timedelta(seconds=30)
    assert "job_id%3D%227004%22?project=acme-ml" in failed.url
    assert (waiting.started, waiting.url) == (None, done.url)


def test_tasks_within_groups_are_reported_and_the_groups_are_not():
    spec = {
        "root": {"dag": {"tasks": {"if-1": {"componentRef": {"name": "comp-if-1"}}}}},
        "components": {
            "comp-if-1": {"dag": {"tasks": {"push": {"componentRef": {"name": "comp-push"}}}}},
            "comp-push": {"executorLabel": "exec-push"},
        },
    }
    job = PipelineJob(
        name=f"{PARENT}/pipelineJobs/orders-1",
        job_detail={"task_details": [{"task_name": name} for name in ("orders", "if-1", "push")]},
    )
    # A job that was started from a template may carry a spec of its own, which then counts.
    for own, other in ((spec, {}), ({}, spec)):
        job.pipeline_spec = own
        assert [task.name for task in to_status(job, settings(), other).tasks] == ["push"]


@pytest.mark.parametrize(
    ("state", "means"),
    [
        ("QUEUED", RemoteState.PENDING),
        ("RUNNING", RemoteState.RUNNING),
        ("SUCCEEDED", RemoteState.SUCCEEDED),
        ("CANCELLING", RemoteState.RUNNING),
        ("CANCELLED", RemoteState.CANCELLED),
        ("PAUSED", RemoteState.PAUSED),
    ],
)
def test_states_of_runs_are_reported_in_our_words(server, state, means):
    target = open_target(server)
    done = target.submit(REQUEST)
    assert target.status(done).state == RemoteState.PENDING
    server.advance("orders-1", state)
    assert target.status(done).state == means


def test_the_status_of_a_run_that_is_gone_is_refused(server):
    target = open_target(server)
    done = target.submit(REQUEST)
    server.jobs.clear()
    with pytest.raises(RefusedError, match=r"run orders-1: .*does not exist"):
        target.status(done)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (RunRequest("Orders_1"), "the run id 'Orders_1' would be refused"),
        (RunRequest("a" * 129), "at most 128 characters"),
        (
            RunRequest("orders-1", {"spam": "1"}),
            "no parameter 'spam'; it has allow_older, pattern, span, store",
        ),
        (RunRequest("orders-1", {}, {"Team": "x"}), "the label 'Team' would be refused"),
        (RunRequest("orders-1", {}, {"team": "x" * 64}), "64 here"),
    ],
)
def test_what_the_service_would_refuse_is_never_sent(server, request_, says):
    target = open_target(server)
    for call in (target.submit, target.describe):
        with pytest.raises(RetrainerError, match=says):
            call(request_)
    assert server.requests == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"project": ""}, "targets.vertex.project .* --project .* RETRAINER_VERTEX_PROJECT"),
        ({"region": ""}, "targets.vertex.region .* --region .* RETRAINER_VERTEX_REGION"),
        ({"pipeline_root": ""}, "targets.vertex.pipeline_root .* --pipeline-root"),
        ({"pipeline_root": "s3://b/root"}, "'s3://b/root', and must be a folder on Cloud Storage"),
        ({"project": "Acme ML"}, "'Acme ML', and must be a project's id"),
        ({"region": "europe"}, "'europe', and must be a region"),
        ({"service_account": "me@example.com"}, "must be a service account's e-mail"),
        ({"network": "projects/acme-ml/global/networks/ml"}, "with the project's number"),
        ({"encryption_key": "my-key"}, "keyRings/<ring>/cryptoKeys/<key>"),
        (
            {"encryption_key": "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k"},
            "is in 'us-east1' and runs are in 'europe-west1'",
        ),
        ({"reserved_ip_ranges": ["a"]}, "names ranges of a VPC, and targets.vertex.network"),
        ({"psc_network_attachment": "ml"}, "must be projects/<project number>/regions/"),
        (
            {"psc_network_attachment": "projects/1/regions/us-east1/networkAttachments/ml"},
            "is in 'us-east1' and runs are in 'europe-west1'",
        ),
        (
            {"psc_network_attachment": ATTACHMENT, "network": FULL["network"]},
            "are both set, and a task takes one of them",
        ),
        ({"persistent_resource": "My machines"}, "must be its id, or projects/<project>/loc"),
        (
            {"persistent_resource": "projects/p/locations/us-east1/persistentResources/gpus"},
            "is in 'us-east1' and runs are in 'europe-west1'",
        ),
        ({"endpoint": "http://example.com"}, "must be an https:// address"),
        ({"endpoint": "example.com"}, "must be an https:// address"),
    ],
)
def test_settings_are_checked_and_how_to_set_them_is_named(changes, says):
    with pytest.raises(RetrainerError, match=says):
        check_vertex(settings(**changes))


def test_right_settings_pass():
    check_vertex(settings(**FULL))
    check_vertex(settings("http://localhost:8080", project="example.com:acme-ml"))
