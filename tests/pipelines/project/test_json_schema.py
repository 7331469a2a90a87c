"""What editors check a retrain.yaml by."""

import json
from pathlib import Path

import pytest
import yaml

from retrainer.pipelines.project.json_schema import config_schema

EXAMPLES = Path(__file__).parents[3] / "pipelines" / "examples"
STARTER = (EXAMPLES / "starter" / "retrain.yaml").read_text()


@pytest.fixture(scope="module")
def accepts():
    """A function that returns whether the schema accepts a retrain.yaml."""
    # It comes with libraries of one dependency line alone. And it takes two seconds, where each worker collects tests.
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft202012Validator(json.loads(config_schema()))
    return lambda text: check.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize("file", EXAMPLES.glob("*/retrain.yaml"), ids=lambda file: file.parent.name)
def test_the_examples_are_right(accepts, file):
    assert accepts(file.read_text())


@pytest.mark.parametrize(
    "more",
    [
        "tasks: {all: {cpu: 4, env: {TIER: 1}, image: null}}",
        'tasks: {all: {accelerators: "${GPUS:-1}", caching: "${CACHING}", memory: "${MEMORY}"}}',
        "targets: {vertex: {project: null, labels: {tier: 1}}}",
        "engine: {runner: flink, options: {parallelism: 4, flink_version: 1.19, environment_config: {command: x}, "
        "labels: {a: b}}, overrides: {predict_batch: {options: {parallelism: '${P}', region: null}}}}",
        "notify: {slack: {}, webhook: [{url: 'https://a.example'}, {url_env: HOOK, 'on': [failed]}]}",
    ],
)
def test_what_a_file_may_hold_is_right(accepts, more):
    assert accepts(f"{STARTER}{more}\n")


@pytest.mark.parametrize(
    "more",
    [
        "tasks: {all: {cpus: 4}}",
        "tasks: {all: {accelerators: many}}",
        "tasks: {all: {kubernetes: {secrets: {A: key}}}}",
        "serving: {rows: text}",
        "engine: {runner: flink, options: {paralelism: 4}}",
        "engine: {runner: flink, options: {parallelism: many}}",
        "engine: {overrides: {predict_batch: {options: {streaming: 3}}}}",
        "engine: {components: [train_model]}",
        "notify: {slack: 'https://a.example'}",
        "notify: {slack: [{'on': [exploded]}]}",
    ],
)
def test_what_is_wrong_is_marked(accepts, more):
    assert not accepts(f"{STARTER}{more}\n")
