"""A project whose model has several outputs, one of them with several labels, from its data to predictions."""

import json

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.store import Store
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.project.starting import init_project

FLOOR = {"value_threshold": {"lower_bound": 0.6}}
HEADS = """
    late = keras.layers.Dense(1, activation="sigmoid", name="is_late")(hidden)
    over = keras.layers.Dense(2, activation="sigmoid", name="is_over")(hidden)
    model = keras.Model(inputs, {"minutes": minutes, "late": late, "over": over})
    model.compile(
        optimizer=keras.optimizers.Adam(hyperparameters.get("learning_rate", 0.01)),
        loss={"minutes": "mse", "late": "binary_crossentropy", "over": "binary_crossentropy"},
        loss_weights={"minutes": 0.01, "late": 1.0, "over": 1.0},
        metrics={"minutes": [keras.metrics.MeanAbsoluteError(name="mae")]},
    )
    return model
"""
SPECS = [
    {
        "metrics": [{"class_name": "MeanAbsoluteError", "config": {"name": "mae"}}],
        "output_names": ["minutes"],
    },
    {
        "metrics": [{"class_name": "AUC", "threshold": FLOOR}, {"class_name": "BinaryAccuracy"}],
        "output_names": ["late", "over"],
        "output_weights": {"late": 1, "over": 1},
    },
    {
        "metrics": [{"class_name": "MultiLabelConfusionMatrixPlot"}],
        "output_names": ["over"],
    },
]


@pytest.fixture
def project(tmp_path):
    """The example of deliveries with two more outputs."""
    init_project(tmp_path, "deliveries")
    file = tmp_path / "retrain.yaml"
    settings = yaml.safe_load(file.read_text())
    data = settings["data"]
    data["columns"] = {
        name: {"greater": ["minutes", bound]}
        for name, bound in (("late", 30), ("over_20", 20), ("over_40", 40))
    }
    data["label_keys"] = {"minutes": "minutes", "late": "late", "over": ["over_20", "over_40"]}
    settings["evaluation"]["metrics_specs"] = SPECS
    settings["gate"] = {"require_significance": {"metrics": ["mae_minutes", "auc_late"]}}
    settings["model"]["epochs"] = 3
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    model = tmp_path / "model.py"
    head, _, _ = model.read_text().partition("    model = keras.Model(")
    model.write_text(head + HEADS.lstrip("\n"))
    return file


def run(*arguments):
    done = CliRunner().invoke(cli, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def several_labels(project):
    """The same project with the output of several labels alone."""
    settings = yaml.safe_load(project.read_text())
    settings["data"] |= {"label": "over_20", "label_keys": {"over": ["over_20", "over_40"]}}
    by_label = {
        "metrics": [{"class_name": "AUC", "threshold": FLOOR}],
        "binarize": {"class_ids": {"values": [0, 1]}},
    }
    settings["evaluation"]["metrics_specs"] = [by_label, {"metrics": SPECS[2]["metrics"]}]
    settings["gate"] = {"require_significance": {"metrics": ["auc_classId:0"]}}
    settings["data"]["drop"] = []
    project.write_text(yaml.safe_dump(settings, sort_keys=False))
    model = project.parent / "model.py"
    head, _, _ = model.read_text().partition("    late = keras.layers")
    model.write_text(
        head
        + '    over = keras.layers.Dense(2, activation="sigmoid")(hidden)\n'
        + "    model = keras.Model(inputs, over)\n"
        + '    model.compile(optimizer="adam", loss="binary_crossentropy")\n'
        + "    return model\n"
    )
    return project


def metrics_after_two_runs(project):
    """Check the settings, run twice, so that there is a champion to compare with, and return its metrics."""
    run("config", "check", project)
    for _ in range(2):
        tasks = json.loads(run("run", project, "--json"))["tasks"]
        assert {task["state"] for task in tasks.values()} <= {"succeeded", "cached"}, tasks
    registry = Registry(Store(str(project.parent / "store")).models_uri)
    champion = registry.resolve(CHAMPION)
    assert champion is not None
    return registry.evaluation(champion.version)[0].metrics


@pytest.mark.slow
def test_a_model_of_several_labels_a_row_is_trained_judged_pushed_and_predicts(several_labels):
    project = several_labels
    metrics = metrics_after_two_runs(project)
    assert metrics["auc_classId:0"] > FLOOR["value_threshold"]["lower_bound"]
    written = project.parent / "predictions.csv"
    spans = sorted((project.parent / "data").iterdir())
    run("predict", spans[-1], "--file", project, "--output", written)
    assert '"prediction_0","prediction_1"' in written.read_text().splitlines()[0]


@pytest.mark.slow
def test_a_model_with_several_outputs_is_trained_judged_pushed_and_predicts(project):
    metrics = metrics_after_two_runs(project)
    assert {"auc", "auc_late", "auc_over", "mae_minutes"} < metrics.keys()
    written = project.parent / "predictions.parquet"
    spans = sorted((project.parent / "data").iterdir())
    run("predict", spans[-1], "--file", project, "--output", written)
    table = pq.read_table(written)
    names = ["prediction_late", "prediction_minutes", "prediction_over_0", "prediction_over_1"]
    assert [name for name in table.column_names if name.startswith("prediction")] == names
    assert table["prediction_minutes"].null_count == 0


def test_what_takes_one_label_says_so_when_the_settings_are_read(project):
    settings = yaml.safe_load(project.read_text())
    settings["monitoring"] = {"predictions": {"output": "minute"}}
    settings["model"]["balance_classes"] = True
    settings["evaluation"]["metrics_specs"][2]["metrics"][0]["class_name"] = (
        "SparseCategoricalAccuracy"
    )
    settings["evaluation"]["metrics_specs"][0]["output_names"] = ["minute"]
    project.write_text(yaml.safe_dump(settings))
    done = CliRunner().invoke(cli, ["config", "check", str(project)])
    said = done.output + str(done.exception)
    assert done.exit_code == 1
    assert "monitoring.predictions.output is 'minute', and the outputs" in said
    assert "model.balance_classes is about the classes of one label" in said
    assert "names the output 'minute'" in said
    assert "metrics_specs[2] has SparseCategoricalAccuracy, which takes one class a row" in said
    assert "Did you mean 'minutes'?" in said
