"""Who is notified of what became of a run: compiled for every target, and run on this machine."""

import json

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from google.protobuf import json_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2
from servers.receiver import Receiver

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli.run import run_locally
from retrainer.pipelines.definitions.compiling import compile_config
from retrainer.pipelines.local.observer import RunObserver
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.reach import missing_secrets
from retrainer.pipelines.project.starting import init_project

TASKS = {
    *("ingest-spans", "resolve-champion", "compute-statistics", "validate-examples"),
    *("transform-features", "train-model", "evaluate-model", "check-serving", "push-model"),
}


@pytest.fixture(scope="module")
def empty_project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notify")
    init_project(folder)
    return folder


@pytest.fixture
def load(empty_project):
    def load_(more):
        file = empty_project / "changed.yaml"
        file.write_text((empty_project / "retrain.yaml").read_text() + more)
        return load_config(file)

    return load_


def test_the_exit_task_takes_nothing_of_the_others_and_runs_whatever_became_of_them(load):
    loaded = load(
        "notify: {slack: {}}\n"
        "targets: {kubeflow: {host: https://kfp.example.com}}\n"
        "tasks: {all: {memory: 2Gi}, notify_outcome: {memory: 512Mi}}\n"
    )
    spec = compile_config(loaded).spec
    root = spec["root"]["dag"]["tasks"]
    assert set(root) == {"notify-outcome", "exit-handler-1"}
    assert set(spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]) == TASKS
    last = root["notify-outcome"]
    assert last["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert last["dependentTasks"] == ["exit-handler-1"]
    assert not last["cachingOptions"]
    parameters = last["inputs"]["parameters"]
    # PipelineTaskFinalStatus is refused by Kubeflow Pipelines before 2.14.
    assert not any("taskFinalStatus" in value for value in parameters.values())
    assert parameters["kubeflow_url"]["runtimeValue"]["constant"] == "https://kfp.example.com"
    executors = spec["deploymentSpec"]["executors"]
    limits = executors["exec-notify-outcome"]["container"]["resources"]
    assert limits["memoryLimit"] == pytest.approx(0.512 * 1.048576)


def test_every_reader_loads_it(load, tmp_path):
    compiled = compile_config(load("notify: {slack: {}}\n"))
    json_format.ParseDict(compiled.spec, pipeline_spec_pb2.PipelineSpec())
    file = tmp_path / "pipeline.yaml"
    file.write_text(compiled.to_yaml())
    job = aiplatform.PipelineJob(
        display_name="orders",
        template_path=str(file),
        pipeline_root="gs://bucket/root",
        project="project",
        location="europe-west1",
        credentials=AnonymousCredentials(),
    )
    assert set(job.to_dict()["pipelineSpec"]["root"]["dag"]["tasks"]) == {
        "notify-outcome",
        "exit-handler-1",
    }
    loaded = components.load_component_from_file(str(file))
    assert set(loaded.component_spec.inputs) == {"span", "pattern", "store", "allow_older"}


def test_no_secret_is_in_the_compiled_pipeline(load, monkeypatch, tmp_path):
    secret = "T0001-B0002-a-secret"
    (tmp_path / "secret").write_text(secret)
    monkeypatch.setenv("RETRAINER_SLACK_URL", f"https://hooks.slack.com/services/{secret}")
    monkeypatch.setenv("RETRAINER_SMTP_PASSWORD", secret)
    text = compile_config(
        load(
            "notify:\n"
            "  slack: {}\n"
            f"  webhook: {{url: https://example.com, secret_file: {tmp_path}/secret}}\n"
            "  email: {host: smtp.example.com, user: bot, sender: bot@example.com, to: [a@example.com]}\n"
        )
    ).to_kubeflow_yaml()
    assert secret not in text


def test_without_channels_the_pipeline_stays_as_it_is(load):
    assert compile_config(load("")) == compile_config(load("notify: {on: [failed]}\n"))


def test_a_channel_may_be_for_outcomes_of_its_own(load):
    loaded = load(
        "notify: {on: [pushed], slack: [{}, {url_env: ON_CALL, on: [failed, stopped]}]}\n"
    )
    channels = loaded.config.notify.channels()
    assert [(one["name"], one["on"]) for one in channels] == [
        ("slack[0]", ["pushed"]),
        ("slack[1]", ["failed", "stopped"]),
    ]


def test_a_secrets_file_starts_at_the_folder_of_retrain_yaml(load, empty_project):
    loaded = load("notify: {slack: [{url_file: secrets/slack}, {url_file: 'gs://acme/slack'}]}\n")
    files = [one["url_file"] for one in loaded.config.notify.channels()]
    assert files == [str(empty_project / "secrets/slack"), "gs://acme/slack"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("slack: {on: [exploded]}", r"changed.yaml:\d+: 'notify.slack.0.on.0' is 'exploded'"),
        ("slack: {url: 'https://x'}", "unknown key 'notify.slack.0.url'. Did you mean 'url_env'"),
        ("slack: https://x", "must be a mapping of settings"),
        ("email: {host: a, sender: b@c.d}", "'notify.email.0.to' is missing. Addresses"),
        ("email: {host: a, sender: b@c.d, to: [x]}", "has 'x', which is not an e-mail address"),
        ("pubsub: {topic: outcomes}", "must be projects/<project>/topics/<name>"),
        ("webhook: {url_env: a b}", "does not match"),
    ],
)
def test_a_wrong_channel_is_found_when_the_file_is_read(load, more, says):
    with pytest.raises(RetrainerError, match=says):
        load(f"notify:\n  {more}\n")


def test_compile_warns_of_secrets_that_the_task_would_miss(load):
    slack = "notify:\n  slack: [{}, {url_file: /run/secrets/slack/url}]\n"
    kubernetes = (
        "{secrets: {RETRAINER_SLACK_URL: chat/url}, secret_volumes: {/run/secrets/slack: slack}}"
    )
    given = f"tasks: {{notify_outcome: {{kubernetes: {kubernetes}}}}}\n"
    assert list(missing_secrets(load(slack + given))) == []
    # Vertex AI has no Kubernetes secrets.
    assert len(list(missing_secrets(load(slack + given), "vertex"))) == 2
    mapped = given.replace("secrets: {RET", "config_maps: {RET")
    assert list(missing_secrets(load(slack + mapped), "kubeflow")) == []
    variable, file = missing_secrets(load(slack))
    assert "notify.slack[0] reads the address from RETRAINER_SLACK_URL" in variable
    assert "'/run/secrets/slack/url' on this machine" in file
    no_login = "notify: {email: {host: smtp.example.com, sender: a@b.c, to: [d@e.f]}}\n"
    assert list(missing_secrets(load(no_login))) == []
    assert (
        list(missing_secrets(load("notify: {slack: {url_file: 'gs://acme-keys/slack'}}\n"))) == []
    )


@pytest.mark.parametrize(("notify", "last"), [(True, {"notify-outcome"}), (False, set())])
def test_a_run_here_may_notify_nobody(load, notify, last):
    class Runner:
        def run(self, spec, **_):
            self.tasks = {*spec["root"]["dag"]["tasks"]} - {"exit-handler-1"}

    runner = Runner()
    run_locally(runner, load("notify: {slack: {}}\n"), RunObserver(), notify=notify)
    assert runner.tasks == (last or TASKS)


@pytest.fixture(scope="module")
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def project(tmp_path, receiver):
    init_project(tmp_path / "orders")
    receiver.requests.clear()
    edit(tmp_path / "orders", notify={"webhook": {"url": f"{receiver.url}/hook"}})
    return tmp_path / "orders"


def edit(project, **sections):
    file = project / "retrain.yaml"
    content = yaml.safe_load(file.read_text())
    for name, settings in sections.items():
        content[name] = {**content.get(name, {}), **settings}
    file.write_text(yaml.safe_dump(content))


def test_a_run_here_notifies_of_each_outcome_once(warm_retrainer, project, receiver):
    def run(*options):
        before = len(receiver.requests)
        done = warm_retrainer("run", project / "retrain.yaml", *options)
        messages = [json.loads(request.body) for request in receiver.requests[before:]]
        return done, messages

    # A model that can't be built.
    code = (project / "model.py").read_text()
    (project / "model.py").write_text(code + "\n\ndef build_model(*_):\n    raise OSError(5)\n")
    done, (failed,) = run("--run-id", "one")
    assert done.returncode == 1
    assert (failed["outcome"], failed["task"], failed["run"]) == ("failed", "train_model", "one")
    assert failed["reason"].startswith("train_model: ")

    # Fixed, and resumed: the first model.
    (project / "model.py").write_text(code)
    done, (pushed,) = run("--resume", "one")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (pushed["outcome"], pushed["model_version"]) == ("pushed", 1)
    assert 0.6 < pushed["metrics"]["auc"] <= 1
    assert (project / "store/runs/one/index.html").samefile(pushed["links"]["run"])
    assert (project / "store/runs/one/reports/evaluate-model.html").samefile(
        pushed["links"]["report"]
    )
    assert "notify_outcome" in done.stdout
    assert "pushed: sent by webhook" in done.stdout

    # The gate asks for more than any model has; the server refuses the message.
    file = project / "retrain.yaml"
    file.write_text(file.read_text().replace("value: 0.6", "value: 0.9999"))
    receiver.status = 403
    done, (refused,) = run("--run-id", "two")
    receiver.status = 200
    assert done.returncode == 0, done.stdout + done.stderr
    assert (refused["outcome"], refused["champion_version"]) == ("refused", 1)
    assert "webhook: not sent: 127.0.0.1 answered 403 (ok)" in done.stdout

    # Data that no model may learn from.
    edit(project, validation={"domains": {"basket_value": {"max": 0.001}}})
    done, (stopped,) = run("--run-id", "three")
    assert done.returncode == 1
    assert (stopped["outcome"], stopped["task"]) == ("stopped", "validate_examples")
    assert "basket_value" in stopped["reason"]
    assert (project / "store/runs/three/reports/validate-examples.html").samefile(
        stopped["links"]["report"]
    )
