import pytest
import yaml
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.serving.rollout_settings import RolloutSettings, Stage
from retrainer.pipelines.project.config import load_config

SMALLEST = {
    "name": "orders",
    "data": {"pattern": "data/{span}.csv", "label": "returned"},
    "evaluation": {"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]},
}
SAGEMAKER = {
    "sagemaker": {
        "endpoint": "orders",
        "role": "arn:aws:iam::123456789012:role/orders",
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-inference:2.16",
        "model_data": "s3://acme/models",
    }
}


@pytest.fixture
def load(tmp_path):
    def load_with(rollout, deploy=None):
        (tmp_path / "model.py").write_text(MODEL)
        content = {**SMALLEST, "serving": {"rollout": rollout, "deploy": deploy or SAGEMAKER}}
        (tmp_path / "retrain.yaml").write_text(yaml.safe_dump(content))
        return load_config(tmp_path).config.serving.rollout

    return load_with


def test_the_defaults(load, tmp_path):
    rollout = load({"observations": "logs/*.parquet"})
    assert rollout.observations == str(tmp_path / "logs" / "*.parquet")
    settings = RolloutSettings.of(rollout.model_dump(mode="json", exclude_none=True))
    assert settings.stages == tuple(Stage(percent, 3600, 20_000) for percent in (5, 25, 50))
    assert settings.guards == {"error_rate": {"max_increase": 0.0}}
    assert (settings.alpha, settings.give_up_seconds, settings.labels) == (0.05, None, "")


def test_what_is_set_reaches_the_task(load):
    rollout = load(
        {
            "observations": "gs://acme/logs/*.jsonl",
            "labels": "gs://acme/labels/*.parquet",
            "label_key": ["order"],
            "shadow": {},
            "steps": [{"percent": 10, "hold_seconds": 0, "min_requests": 5}],
            "guards": {"metric": {"label": "returned"}, "latency_ms": {}},
            "give_up_seconds": 60,
        }
    )
    settings = RolloutSettings.of(rollout.model_dump(mode="json", exclude_none=True))
    assert settings.stages == (Stage(0, 3600, 1000), Stage(10, 0, 5))
    assert set(settings.guards) == {"metric", "latency_ms"}
    assert (settings.labels, settings.label_key) == ("gs://acme/labels/*.parquet", ("order",))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"steps": [{"percent": 5}, {"percent": 5}]}, "percent must grow"),
        ({"steps": []}, "steps"),
        ({"guards": {}}, "there is none"),
        ({"guards": {"metric": {"label": "y"}}}, "needs labels"),
        (
            {
                "guards": {"metric": {"label": "y", "max_increase": 2, "max_loss": 1}},
                "labels": "x",
            },
            "must be smaller than max_loss",
        ),
    ],
)
def test_what_could_not_work_is_named(load, wrong, says):
    with pytest.raises(RetrainerError, match=says):
        load({"observations": "logs/*.parquet", **wrong})


@pytest.mark.parametrize(
    ("rollout", "deploy", "says"),
    [
        ({}, {"mlflow": {"tracking_uri": "http://mlflow:5000"}}, "needs a service in deploy"),
        ({}, {"tf_serving": {"uri": "gs://acme/serving"}}, "tf_serving does not"),
        ({"shadow": {}}, {"kserve": {"service": "orders"}}, "kserve does not"),
    ],
)
def test_services_that_cannot_split_or_copy_requests_are_named(load, rollout, deploy, says):
    with pytest.raises(RetrainerError, match=says):
        load({"observations": "logs/*.parquet", **rollout}, deploy)
