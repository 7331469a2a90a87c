"""The pipeline of batch prediction: compiled, named apart, and its settings."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.definitions.compiling import compile_config
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project


@pytest.fixture
def load(tmp_path):
    init_project(tmp_path)
    file = tmp_path / "retrain.yaml"
    text = file.read_text()

    def read(section):
        file.write_text(f"{text}\n{section}\n")
        return load_config(file)

    return read


def parameters_of(loaded):
    spec = compile_config(loaded.of("predict_batch")).spec
    (task,) = spec["root"]["dag"]["tasks"].values()
    assert spec["pipelineInfo"]["name"] == f"{loaded.config.name}-predict-batch"
    assert task["cachingOptions"] == {}
    values = {
        name: given["runtimeValue"]["constant"]
        for name, given in task["inputs"]["parameters"].items()
        if "runtimeValue" in given
    }
    return values, spec["root"]["inputDefinitions"]["parameters"]


def test_without_settings_of_its_own_it_reads_as_training_does(load):
    loaded = load("predict: {model: champion}")
    values, inputs = parameters_of(loaded)
    assert set(inputs) == {"span", "pattern", "store", "model"}
    assert inputs["pattern"]["defaultValue"] == loaded.config.data.pattern
    assert values["key"] == loaded.config.data.key
    assert values["window"] == 1


def test_its_own_settings_count_before_those_of_the_data(load, tmp_path):
    values, inputs = parameters_of(
        load(
            "predict: {pattern: 'in/{span}.parquet', model: 3, window: 7, key: [a], columns: [b], output: out, "
            "marker: '{span}.done', max_errors: 0}\nengine: {runner: direct}"
        )
    )
    assert inputs["pattern"]["defaultValue"] == str(tmp_path / "in" / "{span}.parquet")
    assert inputs["model"]["defaultValue"] == "3"
    assert values["output"] == str(tmp_path / "out")
    assert (values["window"], values["key"], values["keep"]) == (7, ["a"], ["b"])
    assert (values["marker"], values["max_errors"]) == ("{span}.done", 0)
    assert values["beam_args"] == ["--runner=DirectRunner"]


def test_without_the_section_there_is_no_such_pipeline(load):
    with pytest.raises(
        RetrainerError, match="no pipeline 'predict_batch' without the section 'predict'"
    ):
        load("").of("predict_batch")


@pytest.mark.parametrize("model", ["0", "best", "'1.5'", "true"])
def test_a_model_that_is_no_version_is_refused(load, model):
    with pytest.raises(RetrainerError, match=r"predict.model"):
        load(f"predict: {{model: {model}}}")


def test_its_runs_notify_as_those_of_training_do(load):
    loaded = load("predict: {}\nnotify: {slack: {url_env: HOOK}}").of("predict_batch")
    tasks = compile_config(loaded).spec["root"]["dag"]["tasks"]
    assert set(tasks) == {"exit-handler-1", "notify-outcome"}
    values = tasks["notify-outcome"]["inputs"]["parameters"]
    assert values["pipeline"]["runtimeValue"]["constant"] == loaded.pipeline_name
