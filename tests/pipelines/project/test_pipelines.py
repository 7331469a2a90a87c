"""The pipelines of a retrain.yaml: names, tasks, and the errors of one that is not there."""

import dataclasses

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.pipelines import (
    CONTINUOUS_TRAINING,
    PIPELINES,
    PipelineKind,
    configured_pipelines,
    pipeline_tasks,
)
from retrainer.pipelines.project.starting import init_project

OTHER = "look_up"


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    init_project(tmp_path)
    kind = PipelineKind(OTHER, ("store",), ("resolve_champion", "notify_outcome"), ("schedule",))
    monkeypatch.setitem(PIPELINES, OTHER, kind)
    return load_config(tmp_path / "retrain.yaml")


def test_a_pipeline_without_its_section_is_named(loaded):
    assert OTHER not in configured_pipelines(loaded.config)
    with pytest.raises(
        RetrainerError, match="no pipeline 'look_up' without the section 'schedule'"
    ):
        loaded.of(OTHER)


def test_no_two_pipelines_have_one_name_and_a_name_that_gets_too_long_is_refused(loaded):
    config = loaded.config.model_copy(update={"schedule": object()})
    loaded = dataclasses.replace(loaded, config=config)
    assert loaded.of(OTHER).pipeline_name == f"{config.name}-look-up"
    assert loaded.of(CONTINUOUS_TRAINING).pipeline_name == config.name
    long = dataclasses.replace(loaded, config=config.model_copy(update={"name": "a" * 125}))
    assert long.of(CONTINUOUS_TRAINING).pipeline_name == "a" * 125
    with pytest.raises(RetrainerError, match=r"retrain.yaml:\d+: .*longer than 128"):
        long.of(OTHER)


def test_a_pipeline_has_its_own_tasks_alone(loaded):
    assert pipeline_tasks(loaded.config, OTHER) == ("resolve_champion",)
    usual = pipeline_tasks(loaded.config, CONTINUOUS_TRAINING)
    assert "push_model" in usual
    # Of another pipeline, and of none without a channel.
    assert not {"resolve_champion", "notify_outcome", "all"} & set(usual)
