"""The compiled pipeline: what of retrain.yaml lands where."""

import pytest
import yaml

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.definitions.compiling import compile_config, compile_spec
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    init_project(folder)
    return folder


@pytest.fixture
def compiled(project):
    def build(more=""):
        file = project / "changed.yaml"
        file.write_text((project / "retrain.yaml").read_text() + more)
        return compile_spec(load_config(file))

    return build


def _tasks(spec):
    return spec["root"]["dag"]["tasks"]


def test_the_nine_tasks_depend_on_each_other_as_the_picture_shows(compiled):
    edges = {name: set(task.get("dependentTasks", [])) for name, task in _tasks(compiled()).items()}
    assert edges == {
        "ingest-spans": set(),
        "resolve-champion": {"ingest-spans"},
        "compute-statistics": {"ingest-spans"},
        "validate-examples": {"compute-statistics", "ingest-spans"},
        "transform-features": {"ingest-spans", "resolve-champion", "validate-examples"},
        "train-model": {"ingest-spans", "transform-features"},
        "evaluate-model": {"ingest-spans", "resolve-champion", "train-model"},
        "check-serving": {"ingest-spans", "train-model"},
        "push-model": {"check-serving", "evaluate-model", "ingest-spans", "train-model"},
    }


def test_deploy_model_is_there_only_where_a_service_is_named_and_follows_the_last_push(compiled):
    services = "serving:\n  deploy:\n    tf_serving: {uri: gs://acme/models}\n"
    tasks = _tasks(compiled(services))
    assert tasks["deploy-model"]["dependentTasks"] == ["push-model"]
    assert not tasks["deploy-model"]["cachingOptions"].get("enableCache")
    given = tasks["deploy-model"]["inputs"]["parameters"]["services"]["runtimeValue"]["constant"]
    assert list(given) == ["tf_serving"]
    assert given["tf_serving"]["uri"] == "gs://acme/models"
    # What check_serving gets, and with it the key of its earlier results, is as it was.
    assert tasks["check-serving"]["inputs"] == _tasks(compiled())["check-serving"]["inputs"]


def test_a_path_of_a_service_is_taken_from_the_files_folder(project):
    file = project / "changed.yaml"
    text = (project / "retrain.yaml").read_text()
    file.write_text(text + "serving:\n  deploy:\n    tf_serving: {uri: served}\n")
    deploy = load_config(file).config.serving.deploy
    assert deploy.services()["tf_serving"]["uri"] == str(project / "served")


def test_there_is_no_condition_that_a_gate_could_hang_on(compiled):
    assert all("triggerPolicy" not in task for task in _tasks(compiled()).values())


def test_a_warm_start_takes_the_champion_into_training(compiled, project):
    cold = _tasks(compiled())["train-model"]["inputs"]["artifacts"]
    assert "champion" not in cold
    text = (project / "retrain.yaml").read_text()
    file = project / "warm.yaml"
    file.write_text(text.replace("  epochs: 3\n", "  epochs: 3\n  warm_start: true\n"))
    warm = _tasks(compile_spec(load_config(file)))["train-model"]["inputs"]["artifacts"]
    assert warm["champion"]["taskOutputArtifact"]["producerTask"] == "resolve-champion"


def test_a_second_try_is_there_where_it_is_asked_for(compiled, project):
    from retrainer.pipelines.definitions.compiling import compile_spec
    from retrainer.pipelines.project.config import load_config

    assert len(_tasks(compiled())) == 9
    file = project / "again.yaml"
    text = (project / "retrain.yaml").read_text()
    file.write_text(
        text.replace("\nevaluation:\n", "\nevaluation:\n  champion_changed: judge_again\n")
    )
    tasks = _tasks(compile_spec(load_config(file)))
    assert len(tasks) == 11
    second, last = tasks["evaluate-model-2"], tasks["push-model-2"]
    against = second["inputs"]["artifacts"]["champion"]["taskOutputArtifact"]
    assert (against["producerTask"], against["outputArtifactKey"]) == (
        "push-model",
        "next_champion",
    )
    assert set(last["dependentTasks"]) >= {"push-model", "evaluate-model-2"}
    assert not last["cachingOptions"].get("enableCache")
    changed = [
        task["inputs"]["parameters"].get("champion_changed") for task in (tasks["push-model"], last)
    ]
    assert changed == [{"runtimeValue": {"constant": "judge_again"}}, None]


def test_no_component_takes_an_artifact_that_no_task_hands_to_it(compiled):
    # kfp's local runner wants every one.
    spec = compiled()
    for name, task in _tasks(spec).items():
        component = spec["components"][task["componentRef"]["name"]]
        artifacts = component.get("inputDefinitions", {}).get("artifacts", {})
        assert set(artifacts) == set(task["inputs"].get("artifacts", {})), name


def test_a_change_of_the_gate_alone_changes_what_the_evaluation_is_given_and_nothing_else(project):
    text = (project / "retrain.yaml").read_text()
    assert "  require_significance: true" in text
    file = project / "changed.yaml"
    file.write_text(text)
    before = _tasks(compile_spec(load_config(file)))
    file.write_text(text.replace("require_significance: true", "require_significance: {draws: 50}"))
    after = _tasks(compile_spec(load_config(file)))
    assert [name for name in after if after[name] != before[name]] == ["evaluate-model"]


def test_only_tasks_that_are_never_cached_know_which_run_they_are_of(compiled):
    found = {
        name: task.get("cachingOptions", {}).get("enableCache", False)
        for name, task in _tasks(compiled()).items()
        if "{{$.pipeline_job" in str(task["inputs"])
    }
    # The run's name in the key of a cached task would be a miss in each run.
    assert found == {
        "ingest-spans": False,
        "resolve-champion": False,
        "validate-examples": False,
        "push-model": False,
    }


def test_an_image_lands_in_every_task(compiled):
    executors = compiled(f"image: registry.example/team/retrainer@sha256:{'0' * 64}\n")[
        "deploymentSpec"
    ]["executors"]
    images = {executor["container"]["image"] for executor in executors.values()}
    assert images == {f"registry.example/team/retrainer@sha256:{'0' * 64}"}


def test_caching_can_be_turned_off_for_good(compiled):
    tasks = _tasks(compiled("tasks: {all: {caching: false}}\n"))
    assert not any(task["cachingOptions"].get("enableCache") for task in tasks.values())


def test_each_component_has_the_arguments_of_its_own_engine(compiled):
    more = """
store: gs://acme/store
image: acme.example/team/retrainer:1
engine:
  runner: dataflow
  options: {project: acme, region: r, temp_location: gs://acme/tmp}
  components: [compute_statistics, evaluate_model]
  overrides:
    evaluate_model: {runner: flink, options: {flink_master: "flink:8081"}}
"""
    given = {
        name: task["inputs"]["parameters"]["beam_args"]["runtimeValue"]["constant"]
        for name, task in _tasks(compiled(more)).items()
        if "beam_args" in task["inputs"].get("parameters", {})
    }
    assert given == {
        "compute-statistics": [
            "--runner=DataflowRunner",
            "--job_name=orders",
            "--project=acme",
            "--region=r",
            "--temp_location=gs://acme/tmp",
            "--sdk_container_image=acme.example/team/retrainer:1",
        ],
        "transform-features": [],
        "evaluate-model": [
            "--runner=FlinkRunner",
            "--job_name=orders",
            "--flink_master=flink:8081",
            "--environment_config=acme.example/team/retrainer:1",
        ],
    }


def test_the_model_file_travels_within_the_spec(compiled, project):
    constant = _tasks(compiled())["train-model"]["inputs"]["parameters"]["module_source"]
    assert constant["runtimeValue"]["constant"] == (project / "model.py").read_text()


def test_the_run_and_the_span_are_remembered_with_the_version(compiled):
    push = _tasks(compiled())["push-model"]["inputs"]["parameters"]
    assert "pipeline_job_name" in str(push["run"])
    assert push["span"]["taskOutputParameter"]["producerTask"] == "ingest-spans"


TASKS = """
image: registry.example/retrainer:1
tasks:
  all: {retries: 2, memory: 4Gi}
  train_model:
    {cpu: "8", memory: 32Gi, accelerator: NVIDIA_TESLA_T4, accelerators: 2, image: registry.example/gpu:1,
     caching: false}
  ingest_spans:
    {retries: 0, kubernetes: {timeout_seconds: 900, secrets: {RETRAINER_HASH_KEY: hashing/key},
     secret_volumes: {/var/run/secrets/hashing: hashing, /var/run/secrets/source: source-password}}}
"""


def test_what_a_task_needs_lands_in_its_executor(compiled):
    spec = compiled(TASKS)
    container = spec["deploymentSpec"]["executors"]["exec-train-model"]["container"]
    assert container["image"] == "registry.example/gpu:1"
    resources = container["resources"]
    assert (resources["cpuLimit"], resources["cpuRequest"]) == (8.0, 8.0)
    assert resources["memoryLimit"] == pytest.approx(32 * 1.073741824)
    assert resources["accelerator"] == {"type": "NVIDIA_TESLA_T4", "count": "2"}


def test_what_holds_for_all_tasks_gives_way_to_a_tasks_own(compiled):
    spec = compiled(TASKS)
    tasks = _tasks(spec)
    assert tasks["train-model"]["retryPolicy"]["maxRetryCount"] == 2
    assert "retryPolicy" not in tasks["ingest-spans"]
    assert not tasks["train-model"]["cachingOptions"].get("enableCache")
    assert tasks["evaluate-model"]["cachingOptions"]["enableCache"]
    executors = spec["deploymentSpec"]["executors"]
    assert executors["exec-push-model"]["container"]["resources"]["memoryLimit"] < 5
    assert executors["exec-push-model"]["container"]["image"] == "registry.example/retrainer:1"


def test_what_only_kubernetes_takes_is_a_second_document(project):
    file = project / "kubernetes.yaml"
    file.write_text((project / "retrain.yaml").read_text() + TASKS)
    spec, platform = yaml.safe_load_all(compile_config(load_config(file)).to_kubeflow_yaml())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    secret = executors["exec-ingest-spans"]["secretAsEnv"][0]
    assert secret["keyToEnv"] == [{"envVar": "RETRAINER_HASH_KEY", "secretKey": "key"}]
    assert executors["exec-ingest-spans"]["activeDeadlineSeconds"] == "900"
    volumes = executors["exec-ingest-spans"]["secretAsVolume"]
    assert {one["mountPath"]: one["secretName"] for one in volumes} == {
        "/var/run/secrets/hashing": "hashing",
        "/var/run/secrets/source": "source-password",
    }
    assert not any(one.get("optional") for one in volumes)
    assert "platforms" not in spec


def test_the_key_of_private_columns_is_not_compiled_in(project, monkeypatch):
    monkeypatch.setenv("RETRAINER_HASH_KEY", "5fK0qvW8sIbY3nTzR7mXe1LdHcPa9uGj")
    file = project / "private.yaml"
    text = (project / "retrain.yaml").read_text() + TASKS
    file.write_text(text.replace("\ndata:\n", "\ndata:\n  hash: {columns: [customer]}\n", 1))
    compiled = compile_config(load_config(file)).to_kubeflow_yaml()
    assert "customer" in compiled
    assert "RETRAINER_HASH_KEY" in compiled
    assert "5fK0qvW8sIbY" not in compiled


@pytest.mark.parametrize(
    ("volumes", "says"),
    [
        ("{hashing: hashing}", r"secret_volumes\.hashing"),
        ("{/keys/: hashing}", r"secret_volumes\./keys/"),
        ("{/keys: hashing/key}", r"secret_volumes\./keys. is .hashing/key.: must be a name"),
        ("{/keys: team.hashing}", r"secret_volumes\./keys. is .team\.hashing.: must be a name"),
        (
            "{/a: hashing, /b: hashing}",
            "'hashing' in secret_volumes is mounted at more than one folder",
        ),
    ],
)
def test_a_secret_that_kubernetes_could_not_mount_is_refused(compiled, volumes, says):
    with pytest.raises(RetrainerError, match=says):
        compiled(f"tasks: {{ingest_spans: {{kubernetes: {{secret_volumes: {volumes}}}}}}}\n")


@pytest.mark.parametrize("task", ["ingest_spans", "resolve_champion", "push_model"])
def test_a_task_that_reads_or_changes_the_outside_can_not_be_cached(compiled, task):
    enabled = {name for name, one in _tasks(compiled()).items() if one["cachingOptions"]}
    assert task.replace("_", "-") not in enabled
    with pytest.raises(RetrainerError, match=f"{task} reads or changes what lies outside the run"):
        compiled(f"tasks: {{{task}: {{caching: true}}}}\n")
