"""`retrainer compile`: its files in the hands of those that read them."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from servers.registry import RegistryServer

from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.project.starting import init_project

EVERYTHING = """
tasks:
  all: {cpu: "2", memory: 4Gi, retries: 2, image_pull_policy: Always}
  train_model: {accelerator: NVIDIA_TESLA_T4, kubernetes: {node_selector: {pool: gpu}}}
  ingest_spans:
    {kubernetes: {timeout_seconds: 900, secrets: {RETRAINER_HASH_KEY: hashing/key}, secret_volumes: {/keys: hashing}}}
"""
# Text that YAML 1.2 takes for numbers; the codes of states and products look like that.
CODES = ["08", "1e3", "0o17", "08540", "+.5", "1_0e2", "no", "2013-01-01"]
# Characters that YAML and JSON escape in different ways, the last of them above all.
ODD = ["é", "日本", "\x85", "\u2028", "\x7f", "\\ud83d", "\U0001f600"]


@dataclass(frozen=True)
class Files:
    """What is compiled: YAML, JSON, and the file beside them."""

    yaml: Path
    json: Path
    beside: Path
    source: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A project with every kind of setting, compiled."""
    folder = tmp_path_factory.mktemp("compiled")
    source = folder / "project" / "retrain.yaml"
    init_project(source.parent)
    text, old = source.read_text(), "    basket_value: {min: 0}\n"
    assert old in text
    codes = ", ".join(f"'{code}'" for code in CODES)
    odd = ", ".join(yaml.safe_dump(text, default_style='"').strip() for text in ODD)
    new = f"    region: {{values: [{codes}]}}\n    sign: {{values: [{odd}]}}\n"
    source.write_text(text.replace(old, new) + EVERYTHING)
    found = Files(
        folder / "pipeline.yaml", folder / "p.json", folder / "pipeline.kubernetes.yaml", source
    )
    for output in (found.json, found.yaml):
        assert f"wrote {output}\n" in run("compile", source, "-o", output)
    return found


def run(*arguments):
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.stdout


def open_in_vertex(file):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    return aiplatform.PipelineJob(
        display_name="orders",
        template_path=str(file),
        pipeline_root="gs://bucket/root",
        parameter_values={"span": "2026-01-05"},
        project="project",
        location="europe-west1",
        credentials=AnonymousCredentials(),
    )


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_vertex_ais_client_loads_the_file_with_every_setting(files, kind):
    job = open_in_vertex(getattr(files, kind)).to_dict()
    assert len(job["pipelineSpec"]["root"]["dag"]["tasks"]) == 9
    assert job["runtimeConfig"]["parameterValues"] == {"span": "2026-01-05"}


def test_kfp_loads_both_files(files):
    from kfp import components

    for file in (files.yaml, files.beside):
        loaded = components.load_component_from_file(str(file))
        assert {"span", "pattern", "store", "allow_older"} <= set(loaded.component_spec.inputs)


def test_kubeflows_upload_takes_both_files(files, kubeflow, monkeypatch, tmp_path):
    import kfp

    monkeypatch.setattr("kfp.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    client = kfp.Client(host=kubeflow.url)
    for name, file in {"plain": files.yaml, "full": files.beside}.items():
        client.upload_pipeline(str(file), pipeline_name=name)
        assert kubeflow.pipelines[name] == file.read_text()


def test_kfps_client_runs_the_file_beside_it_with_the_settings_of_kubernetes(
    files, kubeflow, monkeypatch, tmp_path
):
    import kfp

    monkeypatch.setattr("kfp.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    client = kfp.Client(host=kubeflow.url)
    for file in (files.yaml, files.beside):
        client.create_run_from_pipeline_package(str(file), run_name=file.name)
    plain, full = (run["pipeline_spec"] for run in kubeflow.runs)
    assert "platform_spec" not in plain
    assert full["pipeline_spec"] == plain
    executors = full["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert len(executors) == 9
    assert executors["exec-ingest-spans"]["activeDeadlineSeconds"] == "900"


def test_both_files_hold_nothing_that_kfps_protos_do_not_know(files):
    (spec,) = yaml.safe_load_all(files.yaml.read_text())
    same, platforms = yaml.safe_load_all(files.beside.read_text())
    assert same == spec
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(platforms, pipeline_spec_pb2.PlatformSpec())


def test_json_is_json_and_the_same_pipeline(files):
    text = files.json.read_text()
    # kfp's loader and Vertex AI's client read JSON files as YAML.
    assert json.loads(text) == yaml.safe_load(files.yaml.read_text()) == yaml.safe_load(text)
    beside = files.json.with_name("p.kubernetes.yaml")
    assert beside.read_text() == files.beside.read_text()


def test_the_file_beside_it_goes_when_nothing_is_left_for_it(project, tmp_path):
    file, beside = tmp_path / "pipeline.yaml", tmp_path / "pipeline.kubernetes.yaml"
    beside.write_text("# PIPELINE DEFINITION\n# Name: orders\n")
    assert f"removed {beside}" in run("compile", project, "-o", file)
    assert not beside.exists()
    beside.write_text("my: notes\n")
    assert run("compile", project, "-o", file) == f"wrote {file}\n"
    assert beside.exists()


def test_what_is_pushed_is_what_vertex_reads(files, tmp_path):
    with RegistryServer() as registry:
        run(
            "compile", files.source, "-o", tmp_path / "pushed.yaml", "--push",
            "--template-repository", registry.repository,
        )  # fmt: skip
        (text,) = registry.versions.values()
    (pushed,) = yaml.safe_load_all(text)
    spec = yaml.safe_load((tmp_path / "pushed.yaml").read_text())
    # What Vertex AI alone fills in.
    for task in pushed["root"]["dag"]["tasks"].values():
        task["inputs"]["parameters"].pop("run_resource", None)
    assert pushed == spec


@pytest.mark.parametrize("flag", ["--tag", "--template-repository"])
def test_flags_of_pushing_are_refused_without_it(project, tmp_path, flag):
    done = CliRunner().invoke(
        cli, ["compile", str(project), "-o", str(tmp_path / "p.yaml"), flag, "x"]
    )
    assert done.exit_code == 2
    assert f"{flag} needs --push: add --push" in done.output


def test_text_that_looks_like_a_number_stands_in_quotes(files):
    text = files.yaml.read_text()
    lines = {line.strip() for line in text.splitlines()}
    assert {f"- '{code}'" for code in CODES} <= lines
    domains = yaml.safe_load(text)["root"]["dag"]["tasks"]["validate-examples"]["inputs"]
    constant = domains["parameters"]["domains"]["runtimeValue"]["constant"]
    assert constant == {"region": {"values": CODES}, "sign": {"values": ODD}}


# The fields of Kubeflow Pipelines 2.0 (kubeflow/pipelines 2.0.0, go.mod: api at 758c91f76784,
# api/v2alpha1/pipeline_spec.proto; kubernetes_platform at bd9f74e34de6, proto/kubernetes_executor_config.proto).
# Its drivers refuse others.
RESOURCES = {"cpuLimit", "cpuRequest", "memoryLimit", "memoryRequest", "accelerator"}


def test_no_field_is_newer_than_kubeflow_2_0_where_an_old_one_says_the_same(files):
    spec, platforms = yaml.safe_load_all(files.beside.read_text())
    for executor in spec["deploymentSpec"]["executors"].values():
        assert set(executor["container"]) <= {"image", "command", "args", "env", "resources"}
        resources = executor["container"]["resources"]
        assert set(resources) <= RESOURCES
        assert set(resources.get("accelerator", {})) <= {"type", "count"}
    settings = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    ingest = settings["exec-ingest-spans"]
    assert ingest["secretAsEnv"] == [
        {
            "secretName": "hashing",
            "keyToEnv": [{"secretKey": "key", "envVar": "RETRAINER_HASH_KEY"}],
        }
    ]
    assert ingest["secretAsVolume"] == [{"secretName": "hashing", "mountPath": "/keys"}]


def test_the_sizes_are_those_of_retrain_yaml(files):
    executors = yaml.safe_load(files.yaml.read_text())["deploymentSpec"]["executors"]
    resources = executors["exec-train-model"]["container"]["resources"]
    assert resources["accelerator"] == {"type": "NVIDIA_TESLA_T4", "count": "1"}
    # Kubeflow's drivers write these as "2" and "4.294967296G" (backend/src/v2/driver/driver.go).
    assert (resources["cpuLimit"], resources["memoryLimit"]) == (2.0, 4 * 1.024**3)
