"""What takes one label, in projects with several: what is refused, and what may go on."""

import pytest
import yaml

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.checks import check_settings
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project


@pytest.fixture
def check(tmp_path):
    """A function that checks a project with labels and a rollout of its own, and returns the warnings."""
    init_project(tmp_path)
    file = tmp_path / "retrain.yaml"
    settings = yaml.safe_load(file.read_text())

    def call(label_keys, guards, **sections):
        rollout = {"observations": "logs/*.parquet", "labels": "labels/*.csv", "guards": guards}
        serving = {"deploy": {"kserve": {"service": "orders"}}, "rollout": rollout}
        data = settings["data"] | {"label_keys": label_keys}
        changed = (
            settings | {"data": data, "serving": serving, "store": "gs://acme/store"} | sections
        )
        changed["evaluation"] = {"metrics_specs": [{"metrics": [{"class_name": "ExampleCount"}]}]}
        file.write_text(yaml.safe_dump(changed))
        return [line for line in check_settings(load_config(file)) if "serving.rollout" in line]

    return call


SEVERAL = {"late": "returned", "topics": ["sport", "politics"]}


@pytest.mark.parametrize(
    ("label_keys", "columns"),
    [
        (SEVERAL, "prediction_late, prediction_topics_0, prediction_topics_1"),
        ({"topics": ["returned", "sport"]}, "prediction_0, prediction_1"),
    ],
)
def test_a_guard_of_a_rollout_names_the_output_that_it_compares(check, label_keys, columns):
    own = {"prediction_drift": {"column": "prediction_late"}}
    assert check(label_keys, own | {"error_rate": {}, "latency_ms": {}}) == []
    (drift, metric) = check(label_keys, {"prediction_drift": {}, "metric": {"label": "returned"}})
    assert (
        f"guards.prediction_drift.column is 'prediction', and the predictions of this model are {columns}. Name"
        in drift
    )
    assert "guards.metric.prediction is 'prediction'" in metric


def test_monitoring_takes_one_label(check):
    with pytest.raises(
        RetrainerError, match=r"retrain.yaml:\d+: monitoring judges models of one label"
    ):
        check(SEVERAL, {"error_rate": {}}, monitoring={})
