import pytest
import yaml
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.definitions.compiling import compile_spec
from retrainer.pipelines.project.config import load_config

CONFIG = {
    "name": "orders",
    "store": "gs://acme/store",
    "data": {"pattern": "gs://acme/{span}.csv", "label": "returned"},
    "evaluation": {"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]},
}
SERVING = {
    "deploy": {"kserve": {"service": "orders"}},
    "rollout": {"observations": "gs://acme/logs/*.parquet", "schedule": {"cron": "*/10 * * * *"}},
}


def _load(folder, **more):
    (folder / "model.py").write_text(MODEL)
    (folder / "retrain.yaml").write_text(yaml.safe_dump({**CONFIG, **more}))
    return load_config(folder).of("watch_rollout")


def test_the_pipeline_is_one_task_that_is_never_cached(tmp_path):
    spec = compile_spec(_load(tmp_path, serving=SERVING))
    assert spec["pipelineInfo"]["name"] == "orders-watch-rollout"
    (task,) = spec["root"]["dag"]["tasks"].values()
    assert not task.get("cachingOptions", {}).get("enableCache")
    inputs = task["inputs"]["parameters"]
    rollout = inputs["rollout"]["runtimeValue"]["constant"]
    assert rollout["observations"] == "gs://acme/logs/*.parquet"
    assert [one["percent"] for one in rollout["steps"]] == [5, 25, 50]
    assert "schedule" not in rollout
    assert inputs["pipeline"]["runtimeValue"]["constant"] == "orders"
    assert list(spec["root"]["inputDefinitions"]["parameters"]) == ["store"]


def test_a_look_notifies_as_a_training_does(tmp_path):
    loaded = _load(tmp_path, serving=SERVING, notify={"slack": {"url_env": "HOOK"}})
    spec = compile_spec(loaded)
    tasks = spec["root"]["dag"]["tasks"]
    assert set(tasks) == {"exit-handler-1", "notify-outcome"}
    assert not tasks["notify-outcome"].get("cachingOptions", {}).get("enableCache")
    (channel,) = tasks["notify-outcome"]["inputs"]["parameters"]["channels"]["runtimeValue"][
        "constant"
    ]
    assert "rolled_back" in channel["on"]
    assert "watched" not in channel["on"]


def test_without_a_rollout_there_is_nothing_to_watch(tmp_path):
    with pytest.raises(RetrainerError, match=r"serving\.rollout"):
        compile_spec(_load(tmp_path))
