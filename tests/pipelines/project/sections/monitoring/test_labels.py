"""Where labels come from, by what retrain.yaml says and by its defaults."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.pipelines import MONITORING, pipeline_tasks
from retrainer.pipelines.project.starting import init_project


def _load(tmp_path, key, section):
    path = tmp_path / "retrain.yaml"
    if not path.exists():
        init_project(tmp_path)
    text = path.read_text().split("\nmonitoring:")[0]
    path.write_text(f"{text}\nmonitoring:\n{section}")
    loaded = load_config(path)
    data = loaded.config.data.model_copy(update={"key": key})
    return loaded.config.model_copy(update={"data": data})


def test_labels_are_those_of_the_spans_by_their_key_or_of_files_by_the_request(tmp_path):
    config = _load(tmp_path, [], "  labels: {}\n")
    assert "join_labels" not in pipeline_tasks(config, MONITORING)
    config = _load(tmp_path, ["flight", "day"], "  labels: {}\n")
    assert "join_labels" in pipeline_tasks(config, MONITORING)
    arguments = config.monitoring.labels.join_arguments(config.data, config.data.label, "w", "")
    assert (arguments["pattern"], arguments["key"]) == ("", ["flight", "day"])
    assert (arguments["label"], arguments["weight"]) == (config.data.label, "w")
    config = _load(tmp_path, [], "  labels: {pattern: labels/*.jsonl, label: was_late}\n")
    assert "join_labels" in pipeline_tasks(config, MONITORING)
    arguments = config.monitoring.labels.join_arguments(config.data, config.data.label, "", "")
    assert arguments["pattern"] == str(tmp_path / "labels/*.jsonl")
    assert (arguments["key"], arguments["label"]) == (["request_id", "row"], "was_late")


def test_a_pattern_with_an_unknown_place_is_named(tmp_path):
    with pytest.raises(RetrainerError, match="spam"):
        _load(tmp_path, [], "  labels: {pattern: 'labels/{spam}.csv'}\n")
    _load(tmp_path, [], "  labels: {pattern: 'labels/{span:%Y-%m-%d}.csv'}\n")
