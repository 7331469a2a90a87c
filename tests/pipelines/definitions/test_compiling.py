"""The list of pipelines, and compiling one of them."""

from kfp import dsl

from retrainer.components import resolve_champion
from retrainer.pipelines.definitions import compiling
from retrainer.pipelines.local.spec import read_spec
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project


def look_up(loaded):
    @dsl.pipeline(name=f"{loaded.config.name}-look-up")
    def pipeline(store: str = loaded.config.store):
        task = resolve_champion(store=store, run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
        task.set_caching_options(False)

    return pipeline


def test_a_new_pipeline_takes_a_line_of_the_list(tmp_path, monkeypatch):
    init_project(tmp_path)
    loaded = load_config(tmp_path / "retrain.yaml")
    monkeypatch.setitem(compiling.PIPELINES, "look_up", look_up)

    spec = compiling.compile_spec(loaded, "look_up")
    assert list(read_spec(spec).tasks) == ["resolve-champion"]
    compiled = compiling.compile_pipeline(loaded, "look_up")
    assert compiled.spec["pipelineInfo"]["name"] == f"{loaded.config.name}-look-up"
    assert "ingest-spans" in read_spec(compiling.compile_spec(loaded)).tasks
