import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import pytest
import yaml
from aiohttp import web
from servers.kubeflow import SMALL_PIPELINE, KubeflowServer
from servers.local_http import LocalServer
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.definitions.compiled import Pipeline
from retrainer.pipelines.definitions.compiling import compile_config
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.sections.targets import KubeflowConfig
from retrainer.pipelines.targets.errors import RefusedError, UnavailableError
from retrainer.pipelines.targets.kubeflow import api as kubeflow_client
from retrainer.pipelines.targets.kubeflow.target import KubeflowTarget
from retrainer.pipelines.targets.types import RemoteState, RunRequest

REQUEST = RunRequest("orders-span-7", {"span": "7"}, {"trigger": "new-data", "cause": "span-7"})
CREATE = {"method": "POST", "path": "/runs$"}


def to_pipeline(text):
    spec = next(iter(yaml.safe_load_all(text)))
    return Pipeline(spec["pipelineInfo"]["name"], text, spec)


PIPELINE = to_pipeline(SMALL_PIPELINE)


@pytest.fixture
def server():
    with KubeflowServer() as server:
        yield server


@pytest.fixture
def target(server):
    return make(server)


def make(server, deadline_seconds=20.0, **config):
    return KubeflowTarget(KubeflowConfig(host=server.url, **config), PIPELINE, deadline_seconds)


def created(server, kind="runs"):
    """Return the bodies that were sent to create something."""
    return [
        json.loads(its.body)
        for its in server.requests
        if its.method == "POST" and its.path.endswith(f"/{kind}")
    ]


def test_a_run_arrives_with_everything_that_was_asked_for(server):
    target = make(
        server,
        experiment="retraining",
        pipeline_root="s3://bucket/root",
        service_account="trainer",
    )
    submission = target.submit(REQUEST)
    (body,) = created(server)
    spec, platform = yaml.safe_load_all(SMALL_PIPELINE)
    assert body == {
        "display_name": "orders-span-7",
        "description": "retrainer: cause=span-7, trigger=new-data",
        "experiment_id": server.experiments[0]["experiment_id"],
        "pipeline_spec": {"pipeline_spec": spec, "platform_spec": platform},
        "runtime_config": {"parameters": {"span": "7"}, "pipeline_root": "s3://bucket/root"},
        "service_account": "trainer",
    }
    assert server.experiments[0]["display_name"] == "retraining"
    (run,) = server.runs
    assert submission.reference == run["run_id"]
    assert submission.url == f"{server.url}/#/runs/details/{run['run_id']}"
    assert submission.created_at.strftime("%Y-%m-%dT%H:%M:%SZ") == run["created_at"]
    assert submission.created_at.tzinfo == UTC
    assert not submission.existed


def test_what_is_not_set_is_left_out(server, target):
    target.submit(RunRequest("orders-1"))
    (body,) = created(server)
    assert set(body) == {
        "display_name", "description", "experiment_id", "pipeline_spec", "runtime_config",
    }  # fmt: skip
    assert body["runtime_config"] == {"parameters": {}}
    assert server.experiments[0]["display_name"] == "orders"


def test_the_body_is_the_one_that_kfps_own_client_sends(server, tmp_path, monkeypatch):
    monkeypatch.setattr("kfp.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "retrain.yaml").write_text(
        "{name: orders, data: {pattern: 's3://b/{span}.csv', label: returned}, store: 's3://b/store',"
        " evaluation: {metrics_specs: [{metrics: [{class_name: AUC}]}]},"
        " tasks: {all: {caching: false, kubernetes: {secrets: {KEY: keys/hash}}}}}"
    )
    text = compile_config(load_config(tmp_path / "retrain.yaml")).to_kubeflow_yaml()
    assert len(list(yaml.safe_load_all(text))) == 2
    config = KubeflowConfig(host=server.url, pipeline_root="s3://b/root", service_account="me")
    KubeflowTarget(config, to_pipeline(text)).submit(REQUEST)

    import kfp

    package = tmp_path / "pipeline.yaml"
    package.write_text(text)
    kfp.Client(host=server.url).create_run_from_pipeline_package(
        str(package),
        arguments=dict(REQUEST.parameters),
        run_name=REQUEST.run_id,
        experiment_name="orders",
        pipeline_root="s3://b/root",
        service_account="me",
    )
    ours, theirs = created(server)
    assert ours.pop("description")
    assert ours == theirs


def test_describe_gives_what_submit_sends_and_sends_nothing(server, target):
    described = target.describe(REQUEST)
    assert server.requests == []
    assert described["method"] == "POST"
    assert described["url"] == f"{server.url}/apis/v2beta1/runs"
    assert described["body"].pop("experiment_id") == "<id of experiment 'orders'>"
    target.submit(REQUEST)
    (body,) = created(server)
    assert {**described["body"], "experiment_id": body["experiment_id"]} == body
    assert target.describe(REQUEST)["body"] == body


def test_a_run_of_that_name_is_returned_and_not_created_again(server, target):
    first = target.submit(REQUEST)
    second = make(server).submit(REQUEST)
    assert (second.reference, second.existed) == (first.reference, True)
    assert len(server.runs) == 1


def test_a_run_of_that_name_in_another_experiment_is_another_run(server, target):
    target.submit(REQUEST)
    assert not make(server, experiment="trials").submit(REQUEST).existed
    assert len(server.runs) == 2


def test_a_run_is_found_by_its_exact_name(server, target):
    assert target.find("orders-span-7") is None
    submission = target.submit(REQUEST)
    found = make(server).find("orders-span-7")
    assert (found.reference, found.existed) == (submission.reference, True)
    # The service compares without regard to case.
    server.runs[0]["display_name"] = "ORDERS-span-7"
    assert target.find("orders-span-7") is None


def test_of_several_runs_of_a_name_the_oldest_is_returned(server, target):
    first = target.submit(REQUEST)
    oldest = {**server.runs[0], "run_id": "older", "created_at": "2020-01-01T00:00:00Z"}
    server.runs.append(oldest)
    assert target.find(first.run_id).reference == "older"


def test_more_runs_than_a_page_holds_are_all_looked_at(server, target):
    target.submit(REQUEST)
    server.runs = [{**server.runs[0], "run_id": f"run-{n}"} for n in range(150)]
    server.runs[-1]["created_at"] = "2020-01-01T00:00:00Z"
    server.requests.clear()
    assert target.find(REQUEST.run_id).reference == "run-149"
    assert len(server.requests) == 2


def test_nothing_is_made_by_looking_a_run_up(server, target):
    assert target.find("orders-span-7") is None
    assert server.experiments == []


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("RUNTIME_STATE_UNSPECIFIED", RemoteState.PENDING),
        ("PENDING", RemoteState.PENDING),
        ("", RemoteState.PENDING),
        ("RUNNING", RemoteState.RUNNING),
        ("CANCELING", RemoteState.RUNNING),
        ("PAUSED", RemoteState.PAUSED),
        ("SUCCEEDED", RemoteState.SUCCEEDED),
        ("FAILED", RemoteState.FAILED),
        ("CANCELED", RemoteState.CANCELLED),
    ],
)
def test_the_services_states_are_reported_in_the_targets_words(server, target, said, state):
    submission = target.submit(REQUEST)
    server.advance(server.runs[0], said)
    status = target.status(submission)
    assert (status.state, list(status.tasks)) == (state, [])


def test_a_status_lists_the_pipelines_own_tasks(server, target):
    submission = target.submit(REQUEST)
    server.advance(server.runs[0], "RUNNING", {"train-model": "RUNNING"})
    (task,) = target.status(submission).tasks
    assert (task.name, task.state, task.ended) == ("train-model", RemoteState.RUNNING, None)
    assert task.started.tzinfo == UTC
    server.advance(server.runs[0], "FAILED", {"train-model": "FAILED"}, error="out of memory")
    status = target.status(submission)
    (task,) = status.tasks
    assert (task.state, task.error, status.error) == (
        RemoteState.FAILED,
        "out of memory",
        "out of memory",
    )
    assert task.ended


def test_entries_of_tasks_that_have_no_name_are_passed_over(server, target):
    text = SMALL_PIPELINE.replace("cachingOptions: {}", "cachingOptions: {enableCache: true}")
    cached = KubeflowTarget(KubeflowConfig(host=server.url), to_pipeline(text))
    submission = cached.submit(REQUEST)
    server.advance(server.runs[0], "RUNNING", {"train-model": "RUNNING"})
    details = server.runs[0]["run_details"]["task_details"]
    assert [its.get("display_name") for its in details] == [
        None,
        "train-model",
        "train-model-driver",
    ]
    status = cached.status(submission)
    assert [task.name for task in status.tasks] == ["train-model"]
    assert (status.state, status.tasks[0].ended) == (RemoteState.RUNNING, None)


def test_the_status_of_a_run_that_is_gone_is_refused(server, target):
    submission = target.submit(REQUEST)
    server.runs.clear()
    with pytest.raises(RefusedError, match=f"{server.url} answered 404: .*not found"):
        target.status(submission)


def test_namespaces_are_kept_apart():
    with KubeflowServer(multi_user=True) as server:
        make(server, namespace="team-a").submit(REQUEST)
        assert make(server, namespace="team-b").find(REQUEST.run_id) is None
        make(server, namespace="team-b").submit(REQUEST)
        assert [its["namespace"] for its in server.experiments] == ["team-a", "team-b"]
        with pytest.raises(RefusedError, match="empty namespace in multi-user mode"):
            make(server).submit(REQUEST)


def test_an_experiment_that_was_deleted_and_created_again_is_found_again(server, target):
    target.submit(REQUEST)
    server.experiments.clear()
    server.runs.clear()
    assert not target.submit(REQUEST).existed
    assert target.find(REQUEST.run_id)
    server.experiments.clear()
    assert target.find(REQUEST.run_id) is None


def test_several_threads_may_use_one_target(server, monkeypatch):
    server.token = "s3cret"
    monkeypatch.setenv("RETRAINER_KUBEFLOW_TOKEN", "s3cret")
    target = make(server)
    with ThreadPoolExecutor(8) as pool:
        submissions = list(pool.map(target.submit, [RunRequest(f"orders-{n}") for n in range(40)]))
        found = list(pool.map(lambda its: target.find(its.run_id), submissions))
    assert [its.run_id for its in submissions] == [f"orders-{n}" for n in range(40)]
    assert [its.reference for its in found] == [its.reference for its in submissions]
    assert (len(server.runs), len(server.experiments)) == (40, 1)


@pytest.mark.parametrize("status", [429, 500, 503, 504])
@pytest.mark.parametrize("path", ["/experiments$", "/runs$"])
def test_a_busy_service_is_asked_again(server, target, status, path):
    server.fail_next(2, status=status, path=path)
    assert not target.submit(REQUEST).existed
    assert len(server.runs) == 1


def test_a_run_whose_reply_is_lost_is_made_once(server, target):
    server.fail_next(status=0, after=True, **CREATE)
    submission = target.submit(REQUEST)
    assert [its["run_id"] for its in server.runs] == [submission.reference]
    assert not submission.existed
    assert len(created(server)) == 1


def test_a_submission_has_one_deadline_though_the_experiment_was_deleted(
    server, target, monkeypatch
):
    target.submit(REQUEST)
    server.experiments.clear()
    server.runs.clear()
    deadlines = []

    class Counted(kubeflow_client.Calls):
        def __init__(self, *arguments):
            deadlines.append(1)
            super().__init__(*arguments)

    monkeypatch.setattr(kubeflow_client, "Calls", Counted)
    assert not target.submit(REQUEST).existed
    assert len(deadlines) == len(server.runs) == 1


def test_a_run_that_is_made_behind_a_bad_gateway_is_made_once(server, target):
    server.fail_next(status=502, after=True, **CREATE)
    target.submit(REQUEST)
    assert len(server.runs) == 1


def test_a_run_that_takes_longer_than_the_deadline_is_found_by_the_next_submit(server):
    server.fail_next(status=0, after=True, delay=2, **CREATE)
    with pytest.raises(UnavailableError, match=r"can't be reached: .*timed out.* Tried for 0.5 s"):
        make(server, deadline_seconds=0.5).submit(REQUEST)
    assert make(server).submit(REQUEST).existed
    assert len(server.runs) == 1


def test_a_service_that_is_down_is_waited_for(server, target):
    server.down = True
    threading.Timer(0.6, setattr, (server, "down", False)).start()
    assert not target.submit(REQUEST).existed
    assert len(server.runs) == 1


def test_a_service_that_stays_away_is_given_up(server):
    target = make(server, deadline_seconds=0.4)
    submission = target.submit(REQUEST)
    server.stop()
    for ask in (
        lambda: target.submit(REQUEST),
        lambda: target.find("x"),
        lambda: target.status(submission),
        target.list_schedules,
    ):
        with pytest.raises(UnavailableError, match=f"{server.url} can't be reached: .*refused"):
            ask()


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "answered 400: fails on demand."),
        (401, "A token is missing or no longer valid: set RETRAINER_KUBEFLOW_TOKEN or "),
        (403, r"Grant the token's account access in the namespace \(targets.kubeflow.na"),
        (404, "answered 404: fails on demand."),
        (501, "answered 501: fails on demand."),
    ],
)
def test_a_refusal_is_reported_at_once_in_the_services_words(server, target, status, says):
    server.fail_next(10, status=status, **CREATE)
    with pytest.raises(RefusedError, match=says):
        target.submit(REQUEST)
    assert server.runs == []


def test_a_parameter_that_the_pipeline_does_not_have_is_refused_by_the_service(target):
    with pytest.raises(RefusedError, match="answered 400: parameter spam is not defined"):
        target.submit(RunRequest("orders-1", {"spam": "7"}))


def test_a_wrong_path_is_named(server):
    target = KubeflowTarget(KubeflowConfig(host=f"{server.url}/ui/"), PIPELINE)
    with pytest.raises(RefusedError, match=r"404: Not Found. Is targets.kubeflow.host the address"):
        target.submit(REQUEST)


class LoginPage(LocalServer):
    """A proxy that wants people to log in."""

    redirects = False

    def routes(self):
        return [web.route("*", "/{path:.*}", self.show)]

    async def show(self, request):
        if self.redirects:
            raise web.HTTPFound("/dex/auth")
        return web.Response(text="<html>Log in</html>", content_type="text/html")


@pytest.mark.parametrize(
    ("redirects", "says"),
    [(False, "answers with text/html.* and not as Kubeflow"), (True, "302: Found. A token is mis")],
)
def test_a_login_page_is_not_taken_for_an_empty_answer(redirects, says):
    with LoginPage() as page:
        page.redirects = redirects
        with pytest.raises(RefusedError, match=says):
            make(page).find("orders-1")
        assert len(page.requests) == 1


@pytest.mark.parametrize("host", ["", "kubeflow.example.com", "http://", "https://h/?x=1", "h:80"])
def test_a_host_that_is_missing_or_wrong_is_named(host):
    with pytest.raises(RetrainerError, match=r"targets.kubeflow.host is") as raised:
        KubeflowTarget(KubeflowConfig(host=host), PIPELINE)
    if not host:
        assert "--host" in str(raised.value)
        assert "RETRAINER_KUBEFLOW_HOST" in str(raised.value)


def test_a_certificate_file_that_is_missing_is_named(tmp_path):
    config = KubeflowConfig(host="https://h", ca_certificate=str(tmp_path / "ca.pem"))
    with pytest.raises(RetrainerError, match=r"no file '.*ca.pem' \(targets.kubeflow.ca_certif"):
        KubeflowTarget(config, PIPELINE)


def test_a_host_that_speaks_no_tls_is_not_trusted(server):
    host = server.url.replace("http://", "https://")
    with pytest.raises(RefusedError, match=r"could not be trusted: .*targets.kubeflow.ca_certifi"):
        KubeflowTarget(KubeflowConfig(host=host), PIPELINE).find("orders-1")


def test_the_users_kfp_context_is_neither_read_nor_written(server, target, tmp_path, monkeypatch):
    context = tmp_path / ".config" / "kfp" / "context.json"
    context.parent.mkdir(parents=True)
    context.write_text('{"namespace": "other", "client_authentication_cookie": "session=1"}')
    before = context.read_text()
    monkeypatch.setenv("HOME", str(tmp_path))
    make(server).submit(REQUEST)
    assert context.read_text() == before
    assert all("Cookie" not in its.headers for its in server.requests)
    assert all("namespace" not in its.query for its in server.requests)


def test_nothing_is_printed(target, capsys):
    target.submit(REQUEST)
    assert capsys.readouterr() == ("", "")
