"""Values are checked when the file is read, by the rules of the target that they go to."""

import re

import pytest
from click.testing import CliRunner
from google.cloud.aiplatform_v1.types import AcceleratorType
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.definitions.compiling import compile_spec
from retrainer.pipelines.project.config import load_config, read_config
from retrainer.pipelines.targets.checks import VERTEX_ACCELERATORS, check_schedule, check_target

CONFIG = """\
name: orders
store: gs://acme/store
image: registry.example/retrainer:1
data: {pattern: "gs://acme/{span}.csv", label: returned}
evaluation: {metrics_specs: [{metrics: [{class_name: AUC}]}]}
"""
VERTEX = "targets: {vertex: {project: acme-ml}}\n"
KUBEFLOW = "targets: {kubeflow: {host: https://kubeflow.example}}\n"
BOTH = "targets: {vertex: {project: acme-ml}, kubeflow: {host: https://kubeflow.example}}\n"


@pytest.fixture
def load(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)

    def write(more):
        (tmp_path / "retrain.yaml").write_text(CONFIG + more)
        return load_config(tmp_path)

    return write


def accelerator(kind, count=1):
    return f"tasks: {{train_model: {{accelerator: {kind}, accelerators: {count}}}}}\n"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("memory: 1.5Gi", r"'tasks\.all\.memory' is '1\.5Gi': .*Write whole units: 1536Mi\."),
        ("memory: 16GB", r"Write 16Gi, or 16G for 16 times 1,000,000,000 bytes\."),
        ("memory: 16 gib", r"Write 16Gi\."),
        ("memory: 16g", r"Write 16Gi, or 16G for"),
        ("memory: 16", r"is '16': 16 bytes, too little for a task; write 16Gi"),
        ("memory: 0", "0 bytes, too little"),
        ("memory: much", "Write a whole number and a unit: Ki, Mi, Gi or Ti, such as 16Gi"),
        ("cpu: 0", r"'tasks\.all\.cpu' is '0': no core at all; write such as 1 or 500m"),
        ("cpu: 0m", "no core at all"),
        ("cpu: 4 cores", "not a number of cores; write 4"),
        ("cpu: 1.5m", r"write such as 4, 0\.5 or 500m"),
        ("cpu: all", r"write such as 4, 0\.5 or 500m"),
        ("image: x y", r"'tasks\.all\.image' is 'x y': not an image's name: write <registry>"),
        ("image: Registry.example/Shop:1", "the name in lower case"),
        ("image: registry.example/a@sha256:12", "64 hexadecimal digits"),
        ("accelerators: 0", "greater than or equal to 1"),
        ("env: {A B: x}", "a variable's name"),
        ("kubernetes: {secrets: {A: s/k/e}}", "<name>/<key>"),
        ("kubernetes: {node_selector: {'': x}}", "must be a key of"),
    ],
)
def test_a_value_that_no_target_supports_is_named_with_what_to_write(setting, says):
    with pytest.raises(RetrainerError, match=says) as error:
        read_config(f"{CONFIG}tasks:\n  all:\n    {setting}\n", "y")
    assert str(error.value).startswith("y:8: ")
    # No regular expressions.
    assert "[0-9]" not in str(error.value)


@pytest.mark.parametrize(
    "settings",
    [
        "cpu: 4, memory: 16Gi",
        "cpu: 0.5, memory: 500M",
        "cpu: 500m, memory: 17179869184",
        "image: localhost:5000/a/b_c.d:v1",
        "image: ubuntu",
    ],
)
def test_values_that_kfp_takes_are_compiled(load, settings):
    assert compile_spec(load(f"tasks: {{all: {{{settings}}}}}\n"))


def test_vertex_types_are_those_of_its_api():
    known = {one.name for one in AcceleratorType} - {"ACCELERATOR_TYPE_UNSPECIFIED"}
    assert set(VERTEX_ACCELERATORS) == known


@pytest.mark.parametrize(
    ("targets", "to", "tasks", "says"),
    [
        (VERTEX, None, accelerator("nvidia.com/gpu"), "which Vertex AI does not take. Its types are"),
        (VERTEX, None, accelerator("NVIDIA_TESLA_T4", 3), "accelerators is 3, and Vertex AI takes 1,"),
        ("", None, accelerator("NVIDIA_TESLA_T4", 3), "accelerators is 3, and Vertex AI takes 1,"),
        ("", None, accelerator("nvidia_l4"), r"no target supports\. Did you mean 'NVIDIA_L4'"),
        (KUBEFLOW, None, accelerator("NVIDIA_TESLA_T4"), "Kubernetes knows accelerators by the"),
        (BOTH, "vertex", accelerator("nvidia.com/gpu"), "which Vertex AI does not take"),
        ("", "kubeflow", accelerator("NVIDIA_L4"), "which Kubernetes does not take"),
        (BOTH, None, accelerator("NVIDIA_TESLA_T44"), "which no target supports. .*'NVIDIA_TESLA_T4'"),
        ("", None, accelerator("gpu"), "which no target supports"),
        (KUBEFLOW.replace("https://", ""), None, "", r"targets\.kubeflow\.host is 'kubeflow\.example'"),
        ("targets: {kubeflow: {namespace: A_b}}\n", None, "", r"namespace \(--namespace.* 'A_b', and"),
        (VERTEX.replace("acme-ml", "Acme"), None, "", r"targets\.vertex\.project .* is 'Acme', and"),
    ],
)  # fmt: skip
def test_what_its_target_refuses_is_an_error_with_its_line(load, targets, to, tasks, says):
    with pytest.raises(RetrainerError, match=rf"retrain\.yaml:\d+: .*{says}"):
        check_target(load(tasks + targets), to)


@pytest.mark.parametrize(
    ("targets", "to", "tasks"),
    [
        (VERTEX, None, accelerator("NVIDIA_TESLA_T4", 4)),
        (VERTEX, None, accelerator("TPU_V3", 8)),
        (KUBEFLOW, None, accelerator("nvidia.com/gpu", 3)),
        (KUBEFLOW, None, accelerator("cloud-tpus.google.com/v3", 8)),
        ("", None, accelerator("nvidia.com/gpu")),
        ("", None, accelerator("NVIDIA_L4", 2)),
        (BOTH, "kubeflow", accelerator("nvidia.com/mig-1g.5gb")),
    ],
)
def test_what_its_target_takes_is_neither_error_nor_warning(load, targets, to, tasks):
    assert check_target(load(tasks + targets), to) == []


def test_with_both_targets_one_sentence_says_what_the_other_would_not_take(load):
    (line,) = check_target(load(accelerator("nvidia.com/gpu") + BOTH))
    assert (
        "tasks.train_model.accelerator is 'nvidia.com/gpu', which Vertex AI does not take" in line
    )
    (line,) = check_target(load("tasks: {all: {kubernetes: {timeout_seconds: 9}}}\n"), "vertex")
    assert "tasks.all.kubernetes.timeout_seconds: for Kubernetes alone; Vertex AI runs" in line


def test_a_count_without_a_type_counts_nothing(load):
    (line,) = check_target(load("tasks: {train_model: {accelerators: 2}}\n"))
    assert "accelerators is 2, and counts only where 'accelerator' names a type" in line


def test_a_variable_configures_a_target_too(load, monkeypatch):
    monkeypatch.setenv("RETRAINER_VERTEX_PROJECT", "acme-ml")
    with pytest.raises(RetrainerError, match="which Vertex AI does not take"):
        check_target(load(accelerator("nvidia.com/gpu")))


def test_any_count_is_compiled_for_kubernetes(load):
    spec = compile_spec(load(accelerator("nvidia.com/gpu", 3)))
    resources = spec["deploymentSpec"]["executors"]["exec-train-model"]["container"]["resources"]
    assert resources["accelerator"]["count"] == "3"
    assert resources["accelerator"]["type"] == "nvidia.com/gpu"


def test_config_check_names_the_target_that_it_is_given(load, tmp_path):
    load(accelerator("NVIDIA_L4"))
    result = CliRunner().invoke(cli, ["config", "check", str(tmp_path), "--to", "kubeflow"])
    assert "which Kubernetes does not take" in str(result.exception)
    result = CliRunner().invoke(cli, ["config", "check", str(tmp_path), "--to", "vertex"])
    assert (result.exit_code, "is valid" in result.output) == (0, True)


KEY = "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("reserved_ip_ranges: [a]", "names ranges of a VPC, and"),
        (f"region: europe-west1, encryption_key: {KEY}", "is in 'us-east1' and"),
        ("persistent_resource_wait_seconds: 5", "counts only where 'persistent_resource' names machines"),
        ("persistent_resource_fallback: true", "counts only where 'persistent_resource' names machines"),
    ],
)  # fmt: skip
def test_config_check_warns_of_settings_that_vertex_refuses_together(
    load, tmp_path, settings, says
):
    load("targets: {vertex: {project: acme-ml, " + settings + "}}\n")
    for more in ([], ["--to", "vertex"]):
        result = CliRunner().invoke(cli, ["config", "check", str(tmp_path), *more])
        assert result.exit_code == 0
        assert re.search(rf"retrain\.yaml:\d+: targets\.vertex\..*{says}", result.output)
    result = CliRunner().invoke(cli, ["config", "check", str(tmp_path), "--to", "kubeflow"])
    assert says not in result.output


def test_config_check_names_secrets_that_tasks_on_the_target_would_miss(load, tmp_path):
    load("notify: {slack: {url_env: HOOK}}\n")
    result = CliRunner().invoke(cli, ["config", "check", str(tmp_path), "--to", "kubeflow"])
    assert "reads the address from HOOK, which no setting gives to the task" in result.output


BERLIN = "schedule: {cron: 0 3 * * *, time_zone: Europe/Berlin}\n"
COUNTED = "schedule: {cron: 0 3 * * *, max_runs: 5}\n"
CATCHING_UP = "schedule: {cron: 0 3 * * *, catch_up: true}\n"


@pytest.mark.parametrize(
    ("targets", "to", "schedule", "says"),
    [
        (KUBEFLOW, None, BERLIN, r"schedule\.time_zone is Europe/Berlin: .*write it in UTC"),
        (BOTH, "kubeflow", COUNTED, r"schedule\.max_runs is 5: .*counts no runs"),
        (VERTEX, None, CATCHING_UP, r"schedule\.catch_up is true: .*schedule resume --catch-up"),
    ],
)
def test_a_schedule_that_its_target_does_not_keep_is_an_error(load, targets, to, schedule, says):
    loaded = load(schedule + targets)
    with pytest.raises(RetrainerError, match=rf"retrain\.yaml:\d+: .*{says}"):
        check_schedule(loaded, to)
    # A run on that target has nothing to do with it.
    assert check_target(loaded, to) == []


def test_a_schedule_that_one_of_two_targets_keeps_is_a_warning(load):
    assert check_schedule(load(BERLIN + VERTEX)) == []
    (line,) = check_schedule(load(BERLIN + BOTH))
    assert "write it in UTC" in line


def test_a_schedule_that_has_ended_is_a_warning(load):
    (line,) = check_schedule(load("schedule: {cron: 0 3 * * *, end: 2020-01-01}\n"))
    assert "schedule.end is 2020-01-01 00:00 UTC, which has passed" in line


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("cpu: 128", "tasks.all.cpu is '128'; Vertex AI Pipelines documents 96 cores at most."),
        (
            "memory: 1Ti",
            "tasks.all.memory is '1Ti'; Vertex AI Pipelines documents 624G at most.",
        ),
        (
            "env: {AWS_SECRET_ACCESS_KEY: abc}",
            "sets AWS_SECRET_ACCESS_KEY, which everybody",
        ),
    ],
)
def test_what_may_be_meant_is_a_warning(load, setting, says):
    (line,) = check_target(load(f"tasks: {{all: {{{setting}}}}}\n{VERTEX}"))
    assert says in line


def test_the_name_of_a_secret_s_file_is_no_secret(load):
    env = "{TOKEN_FILE: /run/token, AWS_ACCESS_KEY_ID: a, TOKENIZERS_PARALLELISM: 'false', MAX_TOKENS: 5}"
    assert check_target(load(f"tasks: {{all: {{env: {env}}}}}\n")) == []
