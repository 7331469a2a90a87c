"""The projects that `retrainer init --example` writes run as they are, and push a model."""

import json
from pathlib import Path

import pytest

from retrainer.pipelines.examples import EXAMPLES
from retrainer.pipelines.examples.payments import data as payments
from retrainer.pipelines.examples.spans import write_days
from retrainer.pipelines.project.starting import init_project


def test_the_examples_are_listed_with_what_they_show(warm_retrainer):
    shown = warm_retrainer("init", "--help").stdout
    for name, what in EXAMPLES.items():
        assert any(name in line and what in line for line in shown.splitlines())


@pytest.mark.parametrize(
    ("example", "metrics"),
    [
        pytest.param("deliveries", ["mae", "rmse", "calibration"], marks=pytest.mark.slow),
        pytest.param("tickets", ["accuracy", "cross_entropy"], marks=pytest.mark.slow),
        pytest.param(
            "searches",
            ["ndcg_topK:3", "min_label_position", "total_queries"],
            marks=pytest.mark.slow,
        ),
        ("payments", ["pr_auc", "recall_at_half_precision"]),
    ],
)
def test_an_example_pushes_its_first_model(warm_retrainer, tmp_path, example, metrics):
    folder = tmp_path / example
    assert warm_retrainer("init", folder, "--example", example).returncode == 0
    checked = warm_retrainer("config", "check", folder / "retrain.yaml")
    assert "is valid: " in checked.stdout
    done = warm_retrainer("run", folder / "retrain.yaml", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(done.stdout)
    tasks = record["tasks"]
    assert tasks["push-model"]["outputs"]["verdict"].startswith("pushed as version 1")
    assert set(metrics) <= set(tasks["evaluate-model"]["metrics"])
    assert "no errors, 0 warnings" in tasks["validate-examples"]["outputs"]["verdict"]
    shown = warm_retrainer(
        "models", "show", "champion", "--json", "--file", folder / "retrain.yaml"
    )
    version = json.loads(shown.stdout)
    info = version["info"]
    assert set(info["span_versions"]) == {*info["train_spans"], *info["eval_spans"]}
    assert info["run"] == record["run_id"]
    assert (info["schema"]["number"], bool(info["rows"]["train"])) == (1, True)
    assert {"data_digest", "code_digest", "hyperparameters", "training"} <= set(info)
    assert {"retrainer", "tensorflow", "keras", "python"} <= set(info["made_with"])
    overall = version["evaluation"]["slices"][0]
    assert (overall["slice"], set(metrics) <= set(overall["metrics"])) == ({}, True)
    beside = {file.name for file in Path(version["uri"]).parent.iterdir()}
    assert {"model_card.json", "model_card.html", "schema.pbtxt", "evaluation.json"} <= beside


def test_a_rare_class_is_rare_and_the_same_each_time(tmp_path):
    files = [
        write_days(payments.make_day, payments.NAME, tmp_path / name, payments.DAYS)
        for name in "ab"
    ]
    days = [[file.read_bytes() for file in written] for written in files]
    assert days[0] == days[1]
    labels = [line[-1:] for day in days[0] for line in day.splitlines()[1:]]
    assert 0.003 < labels.count(b"1") / len(labels) < 0.008


@pytest.mark.parametrize("example", [name for name in EXAMPLES if name != "flights"])
def test_init_writes_the_files_of_a_project(tmp_path, example):
    init_project(tmp_path, example)
    names = {file.name for file in Path(tmp_path).iterdir()}
    assert names == {"retrain.yaml", "model.py", "retrain.schema.json", ".gitignore", "data"}
