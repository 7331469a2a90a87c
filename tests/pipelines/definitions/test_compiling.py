"""Compiling one of the pipelines of the list."""

import dataclasses
import sys
from types import ModuleType

import pytest
import yaml
from kfp import dsl

from retrainer.components import resolve_champion
from retrainer.pipelines.definitions import compiling
from retrainer.pipelines.local.spec import read_spec
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.pipelines import PIPELINES, PipelineKind
from retrainer.pipelines.project.starting import init_project


def look_up(loaded):
    @dsl.pipeline(name=loaded.pipeline_name)
    def pipeline(store: str = loaded.config.store):
        task = resolve_champion(store=store, run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
        task.set_caching_options(False)

    return pipeline


def test_a_new_pipeline_takes_a_module_and_a_line_of_the_list(tmp_path, monkeypatch):
    init_project(tmp_path)
    loaded = load_config(tmp_path / "retrain.yaml")
    module = ModuleType("look_up")
    module.look_up = look_up
    monkeypatch.setitem(sys.modules, "retrainer.pipelines.definitions.look_up", module)
    kind = PipelineKind("look_up", ("store",), ("resolve_champion",))
    monkeypatch.setitem(PIPELINES, "look_up", kind)

    other = loaded.of("look_up")
    assert list(read_spec(compiling.compile_spec(other)).tasks) == ["resolve-champion"]
    compiled = compiling.compile_pipeline(other)
    assert compiled.name == f"{loaded.config.name}-look-up"
    assert compiled.spec["pipelineInfo"]["name"] == compiled.name
    assert "ingest-spans" in read_spec(compiling.compile_spec(loaded)).tasks
    assert dataclasses.replace(other, pipeline=loaded.pipeline) == loaded


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_services_show_what_each_parameter_is(tmp_path, pipeline):
    init_project(tmp_path)
    file = tmp_path / "retrain.yaml"
    others = {
        "store": "gs://acme/store",
        "predict": {},
        "monitoring": {},
        "serving": {
            "deploy": {"kserve": {"service": "orders"}},
            "rollout": {"observations": "logs/*.parquet"},
        },
    }
    file.write_text(file.read_text() + yaml.safe_dump(others))
    spec = compiling.compile_spec(load_config(file).of(pipeline))
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert set(parameters) == set(PIPELINES[pipeline].parameters)
    assert all(len(one["description"].split()) > 3 for one in parameters.values())
