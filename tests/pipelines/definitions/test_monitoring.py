import pytest
import yaml
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.definitions.compiling import compile_spec
from retrainer.pipelines.project.checks import check_settings
from retrainer.pipelines.project.config import load_config

CONFIG = {
    "name": "orders",
    "store": "gs://acme/store",
    "data": {"pattern": "gs://acme/{span}.csv", "label": "returned"},
    "evaluation": {"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]},
}


def _load(folder, pipeline="monitoring", **more):
    (folder / "model.py").write_text(MODEL)
    (folder / "retrain.yaml").write_text(yaml.safe_dump({**CONFIG, **more}))
    return load_config(folder).of(pipeline)


def test_the_pipeline_looks_and_is_never_cached(tmp_path):
    monitoring = {"window": {"spans": 2}, "schedule": {"cron": "15 * * * *"}}
    spec = compile_spec(_load(tmp_path, monitoring=monitoring))
    assert spec["pipelineInfo"]["name"] == "orders-monitoring"
    tasks = spec["root"]["dag"]["tasks"]
    assert not any(one.get("cachingOptions", {}).get("enableCache") for one in tasks.values())
    inputs = tasks["monitor-model"]["inputs"]["parameters"]
    given = inputs["monitoring"]["runtimeValue"]["constant"]
    assert given["window"]["spans"] == 2
    assert given["signals"] == {"kinds": {}}
    assert "schedule" not in given
    assert inputs["label"]["runtimeValue"]["constant"] == "returned"
    assert set(spec["root"]["inputDefinitions"]["parameters"]) == {"store", "now"}
    assert set(inputs["now"]) == {"componentInputParameter"}


def test_without_the_section_there_is_no_such_pipeline(tmp_path):
    with pytest.raises(RetrainerError, match="without the section 'monitoring'"):
        _load(tmp_path)


@pytest.mark.parametrize("pipeline", ["monitoring", "watch_rollout", "predict_batch"])
def test_a_pipeline_that_reads_no_training_data_runs_without_it(tmp_path, pipeline):
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "2026-11.csv").write_text("a\n1\n")
    loaded = _load(
        tmp_path,
        pipeline,
        data={"pattern": "none/{span}.csv", "label": "returned"},
        monitoring={"window": {"spans": 1}},
        predict={"pattern": "rows/{span}.csv"},
        serving={
            "deploy": {"kserve": {"service": "orders"}},
            "rollout": {"observations": "logs/*.parquet"},
        },
    )
    assert check_settings(loaded, here=True) == []


@pytest.mark.parametrize(
    ("pipeline", "setting"), [("continuous_training", "data"), ("predict_batch", "predict")]
)
def test_a_pipeline_that_reads_spans_needs_them_here(tmp_path, pipeline, setting):
    loaded = _load(
        tmp_path,
        pipeline,
        data={"pattern": "none/{span}.csv", "label": "returned"},
        predict={"pattern": "none/{span}.csv"},
    )
    with pytest.raises(RetrainerError, match=rf"no file matches.*{setting}\.pattern"):
        check_settings(loaded, here=True)


def test_logs_are_ingested_before_labels_are_joined_and_signals_judged(tmp_path):
    monitoring = {
        "predictions": {"uri": "gs://acme/logs", "wait_seconds": 60},
        "labels": {"pattern": "gs://acme/labels/{span}.csv"},
    }
    spec = compile_spec(_load(tmp_path, monitoring=monitoring))
    tasks = spec["root"]["dag"]["tasks"]
    assert "dependentTasks" not in tasks["ingest-predictions"]
    assert tasks["join-labels"]["dependentTasks"] == ["ingest-predictions"]
    assert set(tasks["monitor-model"]["dependentTasks"]) == {"ingest-predictions", "join-labels"}
    inputs = tasks["ingest-predictions"]["inputs"]["parameters"]
    assert inputs["uri"]["runtimeValue"]["constant"] == "gs://acme/logs"
    assert inputs["wait_seconds"]["runtimeValue"]["constant"] == 60
    assert set(inputs["now"]) == {"componentInputParameter"}


@pytest.mark.parametrize(
    ("output", "label", "metrics"),
    [("late", "late", ["AUC"]), ("topics", "", []), (None, "", None)],
)
def test_of_several_outputs_the_one_that_is_named_is_judged(tmp_path, output, label, metrics):
    keys = {"late": "late", "minutes": "minutes", "topics": ["sport", "art"]}
    data = CONFIG["data"] | {"label": "minutes", "label_keys": keys}
    specs = [
        {"metrics": [{"class_name": "AUC"}], "output_names": ["late"]},
        {"metrics": [{"class_name": "MeanLabel"}], "output_names": ["minutes"]},
        {"metrics": [{"class_name": "ExampleCount"}]},
    ]
    logs = {"predictions": {"uri": "gs://acme/logs", "output": output}} if output else {}
    monitoring = logs | {"labels": {"pattern": "gs://acme/labels/{span}.csv"}}
    evaluation = {"metrics_specs": specs}
    loaded = _load(tmp_path, data=data, monitoring=monitoring, evaluation=evaluation)
    tasks = compile_spec(loaded)["root"]["dag"]["tasks"]
    given = {
        name: value["runtimeValue"]["constant"]
        for name, value in tasks["monitor-model"]["inputs"]["parameters"].items()
        if "runtimeValue" in value
    }
    assert (given["label"], given.get("output", "")) == (label, output or "")
    judged = given["evaluation"]["metrics_specs"]
    assert (
        judged == specs
        if metrics is None
        else [metric["class_name"] for spec in judged for metric in spec["metrics"]] == metrics
    )
    assert ("join-labels" in tasks) == bool(label)
    if label:
        join = tasks["join-labels"]["inputs"]["parameters"]
        assert join["label"]["runtimeValue"]["constant"] == label


def test_a_join_that_fails_leaves_the_look_to_say_so(tmp_path):
    monitoring = {"labels": {"pattern": "gs://acme/labels/{span}.csv"}}
    tasks = {"join_labels": {"retries": 2, "retry_seconds": 5}}
    spec = compile_spec(_load(tmp_path, monitoring=monitoring, tasks=tasks))
    made = spec["root"]["dag"]["tasks"]
    join = made["join-labels"]["inputs"]["parameters"]
    given = {
        name: join[name]["runtimeValue"]["constant"]
        for name in ("must_succeed", "retries", "retry_seconds")
    }
    assert given == {"must_succeed": False, "retries": 2, "retry_seconds": 5}
    failure = made["monitor-model"]["inputs"]["parameters"]["labels_failure"]
    assert failure["taskOutputParameter"] == {
        "producerTask": "join-labels",
        "outputParameterKey": "failure",
    }


def test_without_labels_there_is_no_join_that_could_fail(tmp_path):
    monitoring = {"window": {"spans": 2}}
    made = compile_spec(_load(tmp_path, monitoring=monitoring))["root"]["dag"]["tasks"]
    inputs = made["monitor-model"]["inputs"]["parameters"]
    assert inputs["labels_failure"]["runtimeValue"]["constant"] == ""
