"""What takes one label, in projects with several: what is refused, and what may go on."""

import re

import pytest
import yaml

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.checks import check_settings
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """A function that checks a project with labels and a rollout of its own, and returns the warnings."""
    folder = tmp_path_factory.mktemp("project")
    init_project(folder)
    file = folder / "retrain.yaml"
    settings = yaml.safe_load(file.read_text())

    def call(label_keys, guards, about="serving.rollout", **sections):
        rollout = {"observations": "logs/*.parquet", "labels": "labels/*.csv", "guards": guards}
        serving = {"deploy": {"kserve": {"service": "orders"}}, "rollout": rollout}
        data = settings["data"] | {"label_keys": label_keys}
        changed = (
            settings | {"data": data, "serving": serving, "store": "gs://acme/store"} | sections
        )
        changed["evaluation"] = {"metrics_specs": [{"metrics": [{"class_name": "ExampleCount"}]}]}
        file.write_text(yaml.safe_dump(changed))
        return [
            line for line in check_settings(load_config(file)) if about in line.partition(": ")[2]
        ]

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


def test_tables_of_logs_have_the_output_that_is_monitored_under_the_usual_name(check):
    logs = {"predictions": {"uri": "gs://acme/logs", "output": "late"}}
    assert check(SEVERAL, {"prediction_drift": {}}, monitoring=logs) == []


LOGS = {"uri": "gs://acme/logs"}


@pytest.mark.parametrize(
    ("label_keys", "predictions", "says"),
    [
        (SEVERAL, LOGS | {"output": "late"}, ""),
        (
            SEVERAL,
            LOGS | {"output": "topics"},
            "the output 'topics' has several .* no quality. Name one .*: late.$",
        ),
        (SEVERAL, {}, "there are several .*: it judges data, skew and drift, and no quality.$"),
        ({"topics": ["returned", "sport"]}, LOGS, "there are several .* no quality.$"),
    ],
)
def test_monitoring_judges_the_quality_of_the_output_that_is_named(
    check, label_keys, predictions, says
):
    found = check(
        label_keys, {"error_rate": {}}, about="monitoring", monitoring={"predictions": predictions}
    )
    assert len(found) == bool(says)
    assert not says or re.search(says, found[0])


@pytest.mark.parametrize(
    ("predictions", "says"),
    [
        (LOGS, "monitoring judges one. Name it as monitoring.predictions.output: late."),
        (
            LOGS | {"output": "lat"},
            "output is 'lat', and the outputs of data.label_keys are late, topics.",
        ),
        ({"output": "late"}, "is judged by logs: name them as monitoring.predictions.uri."),
    ],
)
def test_an_output_that_can_not_be_monitored_is_named(check, predictions, says):
    with pytest.raises(RetrainerError, match=says):
        check(SEVERAL, {"error_rate": {}}, monitoring={"predictions": predictions})
