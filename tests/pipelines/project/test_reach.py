"""What exists on this machine alone is said before anything is sent."""

import pytest
from servers.small_project import MODEL

from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.reach import is_reachable, local_only
from retrainer.pipelines.project.sections.tasks import TasksConfig

CONFIG = """\
name: orders
store: {store}
image: {image}
data: {{pattern: "{pattern}", label: returned, hash: {{columns: [mail], {key}}}}}
evaluation: {{metrics_specs: []}}
tasks:
  all: {{kubernetes: {{persistent_volumes: {{/data: claim}}}}, env: {env}}}
  ingest_spans: {{kubernetes: {{secret_volumes: {volumes}, secrets: {secrets}}}}}
"""


@pytest.fixture
def lines(tmp_path, monkeypatch):
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "model.py").write_text(MODEL)

    def write(target=None, **changes):
        values = {
            "store": "s3://acme/store",
            "image": "registry.example/retrainer:1",
            "pattern": "gs://acme/{span}.csv",
            "env": "{}",
            "volumes": "{/keys: hashing}",
            "secrets": "{}",
            "key": "key_file: /keys/key",
        }
        (tmp_path / "retrain.yaml").write_text(CONFIG.format(**values | changes))
        found = local_only(load_config(tmp_path), target)
        return [line.removeprefix(f"{tmp_path}/retrain.yaml:") for line in found]

    return write


def test_buckets_registries_and_mounted_folders_are_reached(lines):
    assert lines() == []
    assert lines(store="/data/store", pattern="/data/in/{span}.csv", image="acme/retrainer") == []


def test_what_only_this_machine_has_is_named_with_its_line(lines, tmp_path):
    found = lines(store="/home/me/store", volumes="{}", image="retrainer:dev")
    assert [line.split(" is '")[0] for line in found] == [
        "2: store", "4: data.hash.key_file", "3: image",
    ]  # fmt: skip


def test_mounts_count_on_the_target_that_has_them(lines):
    assert lines("kubeflow", store="/data/store") == []
    assert len(lines("vertex", store="/data/store")) == 2
    assert lines("vertex", store="/gcs/acme/store", volumes="{}")[0].startswith("4: data.hash")
    assert lines("kubeflow", store="/gcs/acme/store")[0].startswith("2: store is '/gcs/acme/store'")


def test_a_registry_on_this_machine_is_named(lines):
    (line,) = lines(image="localhost:5001/retrainer:1")
    assert "in a registry on this machine" in line


def test_a_bucket_that_is_a_server_here_is_named_unless_tasks_have_another_address(
    lines, monkeypatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9000")
    (line,) = lines()
    assert "and AWS_ENDPOINT_URL is http://localhost:9000, a server on this machine alone" in line
    assert lines(env="{AWS_ENDPOINT_URL: 'http://minio.storage:9000'}") == []
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://minio.example")
    assert lines() == []


def test_a_pattern_of_bigquery_is_reached(lines, tmp_path):
    lines()
    config = load_config(tmp_path).config
    assert is_reachable("bq://p.d.t_{span:%Y%m%d}", config, ("ingest_spans",), "vertex")


def test_a_key_of_private_columns_that_the_task_would_miss_is_named(lines):
    secrets = "{HASHING: hashing/key}"
    (line,) = lines(key="key_env: HASHING")
    assert line.startswith("4: data.hash needs its key in HASHING, which no setting gives")
    assert lines("kubeflow", key="key_env: HASHING", secrets=secrets) == []
    # Vertex AI has no secrets of Kubernetes.
    assert len(lines("vertex", key="key_env: HASHING", secrets=secrets)) == 1
    assert lines("vertex", key="key_file: gs://acme-keys/key") == []


def test_only_the_tasks_that_there_are_must_reach_the_store(lines, tmp_path):
    mounted = "{kubernetes: {persistent_volumes: {/data: claim}}}"
    tasks = [name for name in TasksConfig.model_fields if name not in ("all", "notify_outcome")]
    text = CONFIG.partition("tasks:")[0].format(
        store="/data/store", image="acme/x", pattern="gs://acme/{span}.csv", key="key_file: s3://k"
    )
    (tmp_path / "model.py").write_text(MODEL)
    file = tmp_path / "retrain.yaml"
    file.write_text(text + "tasks:\n" + "".join(f"  {task}: {mounted}\n" for task in tasks))
    assert list(local_only(load_config(file), "kubeflow")) == []
    file.write_text(file.read_text() + "notify: {slack: {}}\n")
    (line,) = local_only(load_config(file), "kubeflow")
    assert "store is '/data/store'" in line


def test_what_a_watcher_of_rollouts_can_not_reach_is_named(lines, tmp_path):
    lines()
    file = tmp_path / "retrain.yaml"
    file.write_text(
        file.read_text()
        + "serving:\n"
        + "  deploy: {kserve: {service: orders}}\n"
        + "  rollout: {observations: logs/*.parquet, labels: gs://acme/labels/*}\n"
    )
    (found,) = local_only(load_config(tmp_path).of("watch_rollout"))
    assert f"serving.rollout.observations is '{tmp_path}/logs/*.parquet' on this machine" in found
    assert not list(local_only(load_config(tmp_path)))
