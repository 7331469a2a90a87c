"""The compiled pipeline: what of retrain.yaml lands where."""

import pytest

from retrainer.pipelines.compiling import compile_spec
from retrainer.pipelines.config import load_config
from retrainer.pipelines.projects import init_project


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
        "resolve-champion": set(),
        "compute-statistics": {"ingest-spans"},
        "validate-examples": {"compute-statistics"},
        "transform-features": {"ingest-spans", "validate-examples"},
        "train-model": {"ingest-spans", "transform-features"},
        "evaluate-model": {"ingest-spans", "resolve-champion", "train-model"},
        "check-serving": {"ingest-spans", "train-model"},
        "push-model": {"check-serving", "evaluate-model", "ingest-spans", "train-model"},
    }


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


def test_an_image_lands_in_every_task(compiled):
    executors = compiled("image: registry.example/team/retrainer@sha256:0123\n")["deploymentSpec"][
        "executors"
    ]
    images = {executor["container"]["image"] for executor in executors.values()}
    assert images == {"registry.example/team/retrainer@sha256:0123"}


def test_caching_can_be_turned_off_for_good(compiled):
    tasks = _tasks(compiled("caching: false\n"))
    assert not any(task["cachingOptions"].get("enableCache") for task in tasks.values())


def test_beam_arguments_reach_the_three_that_run_on_beam(compiled):
    tasks = _tasks(compiled("beam_args: [--runner=DataflowRunner]\n"))
    takers = {
        name
        for name, task in tasks.items()
        if "beam_args" in task["inputs"].get("parameters", {})
        and task["inputs"]["parameters"]["beam_args"]["runtimeValue"]["constant"]
        == ["--runner=DataflowRunner"]
    }
    assert takers == {"compute-statistics", "transform-features", "evaluate-model"}


def test_the_model_file_travels_within_the_spec(compiled, project):
    constant = _tasks(compiled())["train-model"]["inputs"]["parameters"]["module_source"]
    assert constant["runtimeValue"]["constant"] == (project / "model.py").read_text()


def test_the_run_and_the_span_are_remembered_with_the_version(compiled):
    push = _tasks(compiled())["push-model"]["inputs"]["parameters"]
    assert "pipeline_job_name" in str(push["run"])
    assert push["span"]["taskOutputParameter"]["producerTask"] == "ingest-spans"
