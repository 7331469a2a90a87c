"""Tasks that run as custom jobs: what Vertex AI is given, and that nobody else sees it."""

import json
import re

import pytest
import yaml
from click.testing import CliRunner
from google.cloud.aiplatform_v1.types import CustomJob
from google.protobuf import json_format
from servers.vertex import VertexServer
from servers.vertex_cases import ATTACHMENT, open_target

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.definitions.compiling import compile_config, compile_pipeline
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project
from retrainer.pipelines.targets.types import RunRequest, ScheduleRequest

SETTINGS = """
tasks:
  all: {memory: 4Gi, env: {TIER: one}}
  train_model:
    accelerator: NVIDIA_TESLA_T4
    accelerators: 2
    vertex: {machine_type: n1-highmem-8, spot: true, boot_disk_gb: 500, timeout_seconds: 3600}
  evaluate_model: {vertex: {machine_type: n1-highmem-4}}
"""
# What Vertex AI puts in place of its placeholders.
FILLED = {
    "{{$.pipeline_service_account}}": "trainer@acme-ml.iam.gserviceaccount.com",
    "{{$.pipeline_network}}": "projects/1/global/networks/ml",
    "{{$.pipeline_encryption_key_name}}": "key",
    "{{$.pipeline_persistent_resource_id}}": "",
    "{{$.pipeline_google_cloud_project_id}}": "acme-ml",
    "{{$.pipeline_google_cloud_location}}": "europe-west1",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    init_project(folder)
    file = folder / "retrain.yaml"
    file.write_text(file.read_text() + SETTINGS)
    return folder


@pytest.fixture(scope="module")
def loaded(project):
    return load_config(project)


@pytest.fixture(scope="module")
def compiled(loaded):
    return compile_config(loaded)


def launch(spec, task):
    """Do what the service does with a task of that kind: the custom job that it makes."""
    component = spec["components"][f"comp-{task}"]
    container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    assert "custom_job.launcher" in container["command"][-1]
    flags = dict(zip(container["args"][::2], container["args"][1::2], strict=True))
    assert flags["--gcp_resources"] == "{{$.outputs.parameters['gcp_resources'].output_file}}"
    assert "gcp_resources" in component["outputDefinitions"]["parameters"]
    values = {
        name: one.get("defaultValue")
        for name, one in component["inputDefinitions"]["parameters"].items()
    }

    def fill(match):
        value = values[match[1]]
        return FILLED.get(value, value) if isinstance(value, str) else json.dumps(value)

    payload = re.sub(r"{{\$\.inputs\.parameters\['(\w+)'\]}}", fill, flags["--payload"])
    job = CustomJob.pb(CustomJob())
    # Unknown fields are refused.
    return json_format.ParseDict(json.loads(payload), job)


def test_a_task_with_a_machine_type_becomes_a_custom_job_that_runs_the_same(compiled):
    job = launch(compiled.vertex, "train-model")
    (worker,) = job.job_spec.worker_pool_specs
    assert worker.machine_spec.machine_type == "n1-highmem-8"
    assert (worker.machine_spec.accelerator_count, worker.replica_count) == (2, 1)
    assert (worker.disk_spec.boot_disk_type, worker.disk_spec.boot_disk_size_gb) == ("pd-ssd", 500)
    assert job.job_spec.scheduling.timeout.seconds == 3600
    assert job.job_spec.scheduling.strategy == CustomJob.pb(CustomJob()).job_spec.scheduling.SPOT
    assert job.job_spec.service_account == FILLED["{{$.pipeline_service_account}}"]
    assert job.job_spec.network == FILLED["{{$.pipeline_network}}"]
    assert job.encryption_spec.kms_key_name == "key"
    before = compiled.spec["deploymentSpec"]["executors"]["exec-train-model"]["container"]
    runs = worker.container_spec
    assert runs.image_uri == before["image"]
    assert list(runs.command) == before["command"]
    assert list(runs.args) == [
        "{{$.json_escape[1]}}" if word == "{{$}}" else word for word in before["args"]
    ]
    assert {one.name: one.value for one in runs.env} == {"TIER": "one"}


def test_what_is_not_set_is_left_to_the_service(compiled):
    job = launch(compiled.vertex, "evaluate-model")
    (worker,) = job.job_spec.worker_pool_specs
    assert not worker.HasField("disk_spec")
    assert worker.machine_spec.accelerator_count == 0
    assert job.job_spec.scheduling.strategy == job.job_spec.scheduling.STANDARD
    assert not job.job_spec.psc_interface_config.network_attachment


def test_other_tasks_and_other_targets_do_not_see_it(compiled):
    own = {"exec-train-model", "exec-evaluate-model"}
    executors = compiled.spec["deploymentSpec"]["executors"]
    changed = compiled.vertex["deploymentSpec"]["executors"]
    assert {name for name in executors if executors[name] != changed[name]} == own
    assert "custom_job" not in compiled.to_kubeflow_yaml()
    assert "custom_job" not in compiled.to_yaml()


def test_runs_and_schedules_send_it_with_the_networks_of_the_target(loaded):
    pipeline = compile_pipeline(loaded)
    with VertexServer() as server:
        target = open_target(server, pipeline, psc_network_attachment=ATTACHMENT)
        target.submit(RunRequest("orders-1"))
        target.put_schedule(ScheduleRequest("nightly", "0 2 * * *"))
        (kept,) = server.schedules.values()
        for job in (server.jobs["orders-1"], kept.create_pipeline_job_request.pipeline_job):
            spec = json_format.MessageToDict(job.pipeline_spec)
            custom = launch(spec, "train-model")
            assert custom.job_spec.psc_interface_config.network_attachment == ATTACHMENT


def test_compiling_writes_a_file_for_vertex_ai_that_its_client_loads(project, tmp_path):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    file, beside = tmp_path / "pipeline.yaml", tmp_path / "pipeline.vertex.yaml"
    done = CliRunner().invoke(cli, ["compile", str(project), "-o", str(file)])
    assert f"wrote {beside}: " in done.stdout
    assert "custom_job" not in file.read_text()
    job = aiplatform.PipelineJob(
        display_name="orders",
        template_path=str(beside),
        pipeline_root="gs://bucket/root",
        project="project",
        location="europe-west1",
        credentials=AnonymousCredentials(),
    )
    assert launch(job.to_dict()["pipelineSpec"], "train-model").job_spec.worker_pool_specs
    assert len(list(yaml.safe_load_all(beside.read_text()))) == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("train_model: {vertex: {spot: true}}", "train_model.vertex.spot needs a machine type"),
        ("all: {vertex: {boot_disk_gb: 200}}", "check_serving.vertex.boot_disk_gb needs a machine"),
        ("all: {vertex: {machine_type: large}}", "machine_type' is 'large'"),
        ("all: {vertex: {boot_disk_type: ssd}}", "boot_disk_type"),
    ],
)
def test_settings_that_make_no_machine_are_refused(project, settings, says):
    text = (project / "retrain.yaml").read_text().replace(SETTINGS, "")
    file = project / "wrong.yaml"
    file.write_text(f"{text}\ntasks: {{{settings}}}\n")
    with pytest.raises(RetrainerError, match=says):
        load_config(file)


def test_tasks_that_record_their_run_know_its_resource_name_on_vertex_ai_alone(compiled):
    def inputs(spec, task):
        return spec["root"]["dag"]["tasks"][task]["inputs"]["parameters"]

    name = "{{$.pipeline_job_resource_name}}"
    assert inputs(compiled.vertex, "push-model")["run_resource"]["runtimeValue"]["constant"] == name
    assert "run_resource" not in inputs(compiled.vertex, "train-model")
    # kfp's local runner fails at that placeholder.
    assert name not in compiled.to_kubeflow_yaml()


def test_a_machine_type_for_all_holds_for_every_task_that_there_is(project):
    text = (project / "retrain.yaml").read_text().replace(SETTINGS, "")
    again = text.replace("evaluation:\n", "evaluation:\n  champion_changed: judge_again\n")
    assert again != text
    file = project / "all.yaml"
    file.write_text(f"{again}\ntasks: {{all: {{vertex: {{machine_type: n1-standard-4}}}}}}\n")
    spec = compile_config(load_config(file)).vertex
    tasks = [name.removeprefix("comp-") for name in spec["components"]]
    assert len(tasks) == 11
    for task in tasks:
        (worker,) = launch(spec, task).job_spec.worker_pool_specs
        assert worker.machine_spec.machine_type == "n1-standard-4"
