"""A store, a bucket or an image that workers elsewhere can't reach is named before anything runs."""

import pytest
from servers.small_project import MODEL

from retrainer.components.lib.engine.endpoint import check_endpoint
from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.checks import check_settings
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.engine_reach import check_engines, reach_problems

CONFIG = """\
name: orders
store: {store}
image: {image}
data: {{pattern: "gs://acme/{{span}}.csv", label: returned}}
evaluation:
  metrics_specs:
    - metrics:
        - {{class_name: AUC, threshold: {{value_threshold: {{lower_bound: {{value: 0.5}}}}}}}}
predict: {{output: {output}}}
engine: {engine}
"""
DATAFLOW = "{runner: dataflow, options: {project: acme, region: r}}"
POOL = "{runner: portable, options: {job_endpoint: 'j:1', environment_type: EXTERNAL, environment_config: 'p:1'}}"


@pytest.fixture
def check(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)

    def write(engine, **changes):
        values = {"store": "gs://acme/store", "image": "acme.example/retrainer:1", "output": "null"}
        text = CONFIG.format(**values | changes, engine=engine)
        (tmp_path / "retrain.yaml").write_text(text)
        try:
            return [*check_settings(load_config(tmp_path))]
        except RetrainerError as error:
            return str(error).splitlines()

    return write


def test_a_bucket_and_an_image_of_a_registry_are_reached(check):
    assert check(DATAFLOW) == []
    assert check(POOL) == []
    assert check(DATAFLOW, store="/gcs/acme/store") == []


def test_artifacts_of_a_run_on_this_machine_stay_here(tmp_path):
    """A task copies what workers made."""
    (tmp_path / "model.py").write_text(MODEL)
    text = CONFIG.format(store="s3://acme/x", image="null", output="null", engine=POOL)
    (tmp_path / "retrain.yaml").write_text(f"pipeline_root: artifacts\n{text}")
    loaded = load_config(tmp_path)
    assert [one for one in reach_problems(loaded, here=True) if one.stops] == []


@pytest.mark.parametrize("engine", [DATAFLOW, POOL])
def test_a_folder_of_this_machine_is_named_for_each_component_that_needs_it(check, engine):
    lines = check(engine, store="here")
    assert sum("retrain.yaml:2: store is '" in line for line in lines) == 3
    assert "or run transform_features in process" in "".join(lines)


@pytest.mark.parametrize(
    "engine",
    [
        "{runner: in_process}",
        "{runner: direct}",
        "{runner: prism, options: {prism_location: /opt/prism}}",
        "{runner: portable, options: {job_endpoint: 'j:1', environment_type: LOOPBACK}}",
    ],
)
def test_workers_on_this_machine_may_use_its_folders(check, engine):
    assert check(engine, store="here") == []


def test_an_output_of_predictions_is_looked_at_too(check):
    (line,) = check(DATAFLOW, output="scores")
    assert "retrain.yaml:9: predict.output is '" in line


def test_a_folder_that_kubernetes_mounts_in_the_task_is_none_of_the_workers(check):
    mounted = "/data/store\ntasks: {all: {kubernetes: {persistent_volumes: {/data: claim}}}}"
    assert "store is '/data/store'" in check(POOL, store=mounted)[0]


def test_dataflow_needs_a_bucket_of_cloud_storage(check):
    lines = check(DATAFLOW, store="s3://acme/store")
    assert "set the option temp_location to gs://" in lines[0]
    with_temp = DATAFLOW.replace("region: r", "region: r, temp_location: gs://acme/tmp")
    assert check(with_temp, store="s3://acme/store") == []


def test_dataflow_can_not_pull_an_image_without_a_registry(check):
    assert "'retrainer:1', which names no registry" in check(DATAFLOW, image="'retrainer:1'")[0]
    own = DATAFLOW.replace("{runner", "{worker_image: acme.example/workers:1, runner")
    assert check(own, image="'retrainer:1'") == []


def test_an_image_without_effect_is_a_warning(check):
    warned = POOL.replace("{runner", "{worker_image: acme.example/workers:1, runner")
    lines = check(warned)
    assert lines
    assert all(
        "retrain.yaml:10: worker_image has no effect with PortableRunner" in line for line in lines
    )


def test_a_secret_among_the_options_is_a_warning(check):
    options = "{job_endpoint: 'j:1', environment_type: LOOPBACK, s3_secret_access_key: abc}"
    lines = check(f"{{runner: portable, options: {options}}}")
    assert lines
    assert all(
        "retrain.yaml:10: the option s3_secret_access_key is a secret" in line for line in lines
    )
    assert "abc" not in "".join(lines)


def test_a_job_server_that_needs_java_is_a_warning(check):
    lines = check("{runner: flink, options: {flink_master: 'flink:8081'}}")
    assert (
        "(retrainer's has none) needs Java. Set the option flink_submit_uber_jar: true, or job_"
        in lines[0]
    )
    assert (
        "spark_submit_uber_jar"
        in check("{runner: spark, options: {spark_master_url: 'local[2]'}}", store="s")[0]
    )
    assert (
        check("{runner: flink, options: {flink_master: 'f:1', flink_submit_uber_jar: true}}") == []
    )


def test_an_engine_that_does_not_answer_stops_a_run_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(check_endpoint, "__defaults__", (0.3,))
    (tmp_path / "model.py").write_text(MODEL)
    options = "{job_endpoint: '127.0.0.1:1', environment_type: LOOPBACK, direct_num_workers: 1}"
    engine = f"{{runner: portable, options: {options}, components: [evaluate_model]}}"
    text = CONFIG.format(store="here", image="a/b:1", output="null", engine=engine)
    (tmp_path / "retrain.yaml").write_text(text)
    loaded = load_config(tmp_path)
    # Another pipeline does not need it.
    check_engines(loaded.of("predict_batch"))
    with pytest.raises(
        RetrainerError, match=r"retrain\.yaml:10: evaluate_model can't run: job_endpoint is 127"
    ):
        check_engines(loaded)
