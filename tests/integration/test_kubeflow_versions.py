"""Compiled pipelines as old versions of Kubeflow Pipelines read them: by their own messages, in Go."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from servers import go_programs

from retrainer.pipelines.definitions.compiling import compile_config
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project

pytestmark = pytest.mark.integration("go")

MODULES = {"2.0": "go.mod", "2.2": "kubeflow-2.2.mod"}
# What each version takes (docs/targets.md), besides what the ones before it do.
SETTINGS = {
    "2.0": [
        "{cpu: '2', memory: 4Gi, accelerator: nvidia.com/gpu, retries: 2, env: {TIER: one}}",
        "{kubernetes: {secrets: {KEY: hashing/key}, secret_volumes: {/keys: hashing}, node_selector: {pool: gpu}}}",
        "{kubernetes: {persistent_volumes: {/data: claim}}}",
    ],
    "2.2": [
        "{kubernetes: {timeout_seconds: 900, image_pull_policy: Always}}",
        "{kubernetes: {image_pull_secrets: [login], tolerations: [{key: gpu, operator: Exists}]}}",
        "{kubernetes: {labels: {team: search}, annotations: {a.b/c: d}}}",
        "{kubernetes: {config_maps: {LEVEL: log/level}, config_map_volumes: {/etc/log: log}}}",
    ],
}
LATER = ["{kubernetes: {shared_memory: 2Gi}}", "{kubernetes: {security_context: {run_as_user: 1}}}"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("versions")
    init_project(folder)
    return folder


@pytest.fixture
def read(project):
    """Compile a task's settings and read them: the documents, or what is wrong."""

    def read_(version, settings):
        file = project / "changed.yaml"
        text = (project / "retrain.yaml").read_text()
        # Codes that YAML 1.2 takes for numbers.
        text = text.replace("basket_value: {min: 0}", "region: {values: ['08', '1e3', 'no']}")
        file.write_text(f"{text}\ntasks: {{ingest_spans: {settings}}}\n")
        compiled = compile_config(load_config(file)).to_kubeflow_yaml()
        source = Path(go_programs.__file__).parent / "kubeflow_reader"
        program = go_programs.build(source, modules=MODULES[version])
        done = subprocess.run([program], input=compiled, capture_output=True, text=True)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return found, list(yaml.safe_load_all(compiled)), done.stderr

    return read_


@pytest.mark.parametrize(
    ("version", "settings"), [(version, one) for version in SETTINGS for one in SETTINGS[version]]
)
def test_a_version_reads_what_the_table_says_and_nothing_else_than_python_reads(
    read, version, settings
):
    found, written, problem = read(version, settings)
    assert problem == ""
    assert found == written


@pytest.mark.parametrize(
    ("version", "settings"),
    [*(("2.0", one) for one in SETTINGS["2.2"]), *(("2.2", one) for one in LATER)],
)
def test_what_a_version_lacks_it_refuses(read, version, settings):
    assert "unknown field" in read(version, settings)[2]
