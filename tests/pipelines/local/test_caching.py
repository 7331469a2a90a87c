"""What is used again: results of equal tasks, and what a failed run had finished."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from kfp import dsl

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.local import caching
from retrainer.pipelines.runs.record_store import load_run, save_run
from retrainer.pipelines.runs.records import RunState, TaskState
from retrainer.pipelines.runs.run_words import describe_failure

OPTIONS = {"base_image": "toy:1", "install_kfp_package": False}


@dsl.component(**OPTIONS)
def read_world(folder: str, data: dsl.Output[dsl.Dataset]) -> str:
    from pathlib import Path

    Path(data.path).write_text(Path(folder, "world").read_text())
    return "read"


@dsl.component(**OPTIONS)
def learn(
    folder: str,
    data: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    steps: int = 1,
) -> NamedTuple("Outputs", [("verdict", str)]):
    from pathlib import Path

    calls = Path(folder, "calls")
    calls.write_text((calls.read_text() if calls.exists() else "") + "x")
    Path(model.path).mkdir()
    Path(model.path, "weights").write_text(Path(data.path).read_text() * steps)
    Path(report.path).write_text("<html>")
    metrics.log_metric("auc", 0.5)
    return (f"learned in {steps} steps",)


@dsl.component(**OPTIONS)
def push(folder: str, model: dsl.Input[dsl.Model]) -> str:
    from pathlib import Path

    if not Path(folder, "open").exists():
        raise OSError("closed")
    return "pushed"


@dsl.pipeline(name="learning")
def learning(folder: str, steps: int = 1):
    data = read_world(folder=folder).set_caching_options(False)
    learned = learn(folder=folder, data=data.outputs["data"], steps=steps)
    push(folder=folder, model=learned.outputs["model"]).set_caching_options(False)


@dsl.component(**OPTIONS)
def use_module(folder: str, module: str) -> str:
    import importlib
    import sys
    from pathlib import Path

    # The process that tasks are forked from was started before the test's folder was there.
    sys.path.insert(0, str(Path(folder).parent / "library"))
    importlib.import_module(module)
    calls = Path(folder, "calls")
    calls.write_text((calls.read_text() if calls.exists() else "") + "x")
    return "used"


@dsl.pipeline(name="modelling")
def modelling(folder: str, module: str):
    use_module(folder=folder, module=module)


@pytest.fixture
def spec(compile_pipeline):
    return compile_pipeline(learning)


@pytest.fixture
def world(tmp_path):
    folder = tmp_path / "world"
    folder.mkdir()
    (folder / "world").write_text("rows")
    (folder / "open").touch()
    return folder


@pytest.fixture(autouse=True)
def package(monkeypatch):
    """Stands for a package that nobody edits while the tests run."""
    monkeypatch.setattr(caching, "digest_code", lambda: "as it is")


def calls(world: Path) -> int:
    return len((world / "calls").read_text())


def states(record) -> list[str]:
    return [str(task.state) for task in record.tasks.values()]


def test_equal_code_on_equal_content_is_not_run_again(bench, spec, world):
    parameters = {"folder": str(world)}
    first = bench.run(spec, parameters=parameters)
    second = bench.run(spec, parameters=parameters)

    assert states(first) == ["succeeded"] * 3, describe_failure(first)
    assert states(second) == ["succeeded", "cached", "succeeded"]
    assert calls(world) == 1
    before, after = first.tasks["learn"], second.tasks["learn"]
    assert after.reused_from == first.run_id
    assert after.outputs == before.outputs
    assert after.output_artifacts == before.output_artifacts
    assert after.metrics == {"auc": 0.5}
    assert after.verdict == "learned in 1 steps"
    # The report is the second run's own, though the artifact is the first one's.
    assert second.run_id in second.locate(after.reports[0])
    assert Path(second.locate(after.reports[0])).read_text() == "<html>"


def test_a_changed_parameter_runs_again(bench, spec, world):
    bench.run(spec, parameters={"folder": str(world)})
    record = bench.run(spec, parameters={"folder": str(world), "steps": 2})
    assert states(record) == ["succeeded"] * 3
    assert calls(world) == 2


def test_changed_content_runs_again(bench, spec, world):
    bench.run(spec, parameters={"folder": str(world)})
    (world / "world").write_text("other rows")
    assert states(bench.run(spec, parameters={"folder": str(world)})) == ["succeeded"] * 3
    (world / "world").write_text("rows")
    assert states(bench.run(spec, parameters={"folder": str(world)}))[1] == "cached"


def test_changed_code_of_the_component_runs_again(bench, spec, world):
    bench.run(spec, parameters={"folder": str(world)})
    command = spec["deploymentSpec"]["executors"]["exec-learn"]["container"]["command"]
    command[-1] = command[-1].replace("auc", "accuracy")
    record = bench.run(spec, parameters={"folder": str(world)})
    assert record.tasks["learn"].metrics == {"accuracy": 0.5}


def test_a_changed_image_or_environment_runs_again(bench, spec, world):
    bench.run(spec, parameters={"folder": str(world)})
    container = spec["deploymentSpec"]["executors"]["exec-learn"]["container"]
    container["image"] = "toy:2"
    bench.run(spec, parameters={"folder": str(world)})
    container["env"] = [{"name": "COLOUR", "value": "blue"}]
    bench.run(spec, parameters={"folder": str(world)})
    assert calls(world) == 3


def test_changed_code_of_the_package_runs_again(bench, spec, world, monkeypatch):
    bench.run(spec, parameters={"folder": str(world)})
    monkeypatch.setattr(caching, "digest_code", lambda: "edited")
    assert states(bench.run(spec, parameters={"folder": str(world)})) == ["succeeded"] * 3


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A folder of modules that tasks can import."""
    folder = tmp_path / "library"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_an_edited_module_of_the_user_runs_again(bench, compile_pipeline, world, library):
    spec = compile_pipeline(modelling)
    (library / "shopmodel.py").write_text("from shophelper import SIZE")
    (library / "shophelper.py").write_text("SIZE = 1")
    parameters = {"folder": str(world), "module": "shopmodel"}
    for size, state in ((1, "succeeded"), (1, "cached"), (22, "succeeded"), (22, "cached")):
        (library / "shophelper.py").write_text(f"SIZE = {size}")
        record = bench.run(spec, parameters=parameters)
        assert states(record) == [state], describe_failure(record)
    assert calls(world) == 2


def test_code_that_can_t_be_followed_is_not_cached(bench, compile_pipeline, world, library):
    spec = compile_pipeline(modelling)
    (library / "shopmodel.py").write_text(
        "import importlib\nimportlib.import_module('j' + 'son')\n"
    )
    parameters = {"folder": str(world), "module": "shopmodel"}
    for _ in range(2):
        assert states(bench.run(spec, parameters=parameters)) == ["succeeded"]
    assert not (bench.root / ".cache").exists()


@pytest.mark.parametrize("damage", ["changed", "deleted", "index"])
def test_outputs_that_are_no_longer_there_are_made_again(bench, spec, world, damage):
    first = bench.run(spec, parameters={"folder": str(world)})
    weights = Path(first.tasks["learn"].output_artifacts["model"].uri, "weights")
    if damage == "changed":
        weights.write_text("scribble")
    elif damage == "deleted":
        weights.unlink()
    else:
        for entry in (bench.root / ".cache").iterdir():
            entry.write_text('{"half": ')
    assert states(bench.run(spec, parameters={"folder": str(world)})) == ["succeeded"] * 3
    assert states(bench.run(spec, parameters={"folder": str(world)}))[1] == "cached"


def test_caching_can_be_switched_off(bench, spec, world):
    bench.run(spec, parameters={"folder": str(world)})
    off = bench.run(spec, parameters={"folder": str(world)}, caching=False)
    assert states(off) == ["succeeded"] * 3
    # True overrides nothing: what reads the world must not be cached.
    on = bench.run(spec, parameters={"folder": str(world)}, caching=True)
    assert states(on) == ["succeeded", "cached", "succeeded"]


@dsl.component(**OPTIONS)
def tell_reuse() -> str:
    import os

    return os.environ.get("RETRAINER_REUSE", "as usual")


@dsl.pipeline(name="telling")
def telling():
    tell_reuse()


def test_without_the_cache_tasks_take_nothing_from_the_store_either(bench, compile_pipeline):
    spec = compile_pipeline(telling)
    found = [
        bench.run(spec, caching=caching).tasks["tell-reuse"].outputs["Output"]
        for caching in (None, False)
    ]
    assert found == ["as usual", "off"]


def test_deleting_the_pipeline_root_loses_artifacts_only(bench, spec, world):
    import shutil

    first = bench.run(spec, parameters={"folder": str(world)})
    shutil.rmtree(bench.root)
    record = load_run(str(bench.store), first.run_id)
    assert Path(record.locate(record.tasks["learn"].reports[0])).exists()
    assert states(bench.run(spec, parameters={"folder": str(world)})) == ["succeeded"] * 3


def test_a_failed_run_goes_on_where_it_stopped(bench, spec, world, listener):
    (world / "open").unlink()
    failed = bench.run(spec, run_id="june", parameters={"folder": str(world)}, caching=False)
    assert states(failed) == ["succeeded", "succeeded", "failed"]
    with pytest.raises(RetrainerError, match=r"'june' exists already: failed, 2 of 3 .* Resume it"):
        bench.run(spec, run_id="june", parameters={"folder": str(world)})

    (world / "open").touch()
    resumed = bench.run(
        spec,
        run_id="june",
        parameters={"folder": str(world)},
        caching=False,
        resume=True,
        observer=listener,
    )
    assert states(resumed) == ["succeeded"] * 3, describe_failure(resumed)
    # Also what is never cached: the run goes on, and reads the world no second time.
    assert [event for event in listener.events if event[0] == "task_started"] == [
        ("task_started", "push")
    ]
    assert calls(world) == 1
    learned = resumed.tasks["learn"]
    assert learned.reused_from == "june"
    assert learned.seconds == failed.tasks["learn"].seconds
    assert learned.log == failed.tasks["learn"].log
    assert resumed.error is None
    assert load_run(str(bench.store), "june").state == RunState.SUCCEEDED


def test_a_resumed_run_does_again_what_has_changed(bench, spec, world):
    (world / "open").unlink()
    bench.run(spec, run_id="june", parameters={"folder": str(world)})
    (world / "open").touch()
    resumed = bench.run(
        spec, run_id="june", parameters={"folder": str(world), "steps": 2}, resume=True
    )
    assert [task.reused_from for task in resumed.tasks.values()] == ["june", None, None]
    assert resumed.tasks["learn"].verdict == "learned in 2 steps"


def test_a_resumed_run_makes_outputs_again_that_changed_since(bench, spec, world):
    (world / "open").unlink()
    failed = bench.run(spec, run_id="june", parameters={"folder": str(world)}, caching=False)
    model = failed.tasks["learn"].output_artifacts["model"].uri
    Path(model, "weights").write_text("scribble")
    (world / "open").touch()
    resumed = bench.run(
        spec, run_id="june", parameters={"folder": str(world)}, caching=False, resume=True
    )
    assert states(resumed) == ["succeeded"] * 3, describe_failure(resumed)
    assert [task.reused_from for task in resumed.tasks.values()] == ["june", None, None]
    assert calls(world) == 2


def test_a_resumed_run_does_what_the_pipeline_did_not_have_before(bench, spec, world):
    (world / "open").unlink()
    bench.run(spec, run_id="june", parameters={"folder": str(world)})
    earlier = load_run(str(bench.store), "june")
    del earlier.tasks["learn"]
    save_run(earlier)
    (world / "open").touch()
    resumed = bench.run(
        spec, run_id="june", parameters={"folder": str(world)}, caching=False, resume=True
    )
    assert states(resumed) == ["succeeded"] * 3, describe_failure(resumed)
    assert [task.reused_from for task in resumed.tasks.values()] == ["june", None, None]


def test_a_run_whose_process_died_can_be_resumed(bench, spec, world):
    record = bench.run(spec, run_id="june", parameters={"folder": str(world)})
    record.state, record.pid = RunState.RUNNING, 2**22 + 1
    record.tasks["push"].state = TaskState.RUNNING
    save_run(record)

    dead = load_run(str(bench.store), "june")
    assert (dead.state, dead.tasks["push"].state) == (RunState.DIED, TaskState.INTERRUPTED)
    with pytest.raises(RetrainerError, match=r"exists already: died, 2 of 3 tasks done. Resume it"):
        bench.run(spec, run_id="june", parameters={"folder": str(world)})
    spent = dead.seconds_spent
    resumed = bench.run(spec, run_id="june", parameters={"folder": str(world)}, resume=True)
    assert [task.reused_from for task in resumed.tasks.values()] == ["june", "june", None]
    assert resumed.seconds >= spent > 0


def test_a_resumed_run_keeps_when_it_began_and_counts_all_its_time(bench, spec, world):
    (world / "open").unlink()
    failed = bench.run(spec, run_id="june", parameters={"folder": str(world)})
    # As if the first attempt had been an hour ago, and had taken half of it.
    failed.started, failed.seconds = "2026-01-01T00:00:00.000+00:00", 1800.0
    save_run(failed)
    (world / "open").touch()
    resumed = bench.run(spec, run_id="june", parameters={"folder": str(world)}, resume=True)
    assert resumed.started == "2026-01-01T00:00:00.000+00:00"
    assert 1800.0 < resumed.seconds < 1860.0
    assert len(resumed.resumed) == 1
    for name in ("read-world", "learn"):
        assert resumed.tasks[name].started == failed.tasks[name].started
        assert resumed.tasks[name].seconds == failed.tasks[name].seconds


def test_a_run_that_has_succeeded_is_not_resumed(bench, spec, world):
    bench.run(spec, run_id="june", parameters={"folder": str(world)})
    record = bench.store / "runs" / "june" / "run.json"
    before = record.read_bytes()
    with pytest.raises(RetrainerError, match="'june' has succeeded, so there is nothing to resume"):
        bench.run(spec, run_id="june", parameters={"folder": str(world)}, resume=True)
    assert record.read_bytes() == before


def test_a_resumed_run_still_says_which_run_the_cache_had_it_from(bench, spec, world):
    bench.run(spec, run_id="may", parameters={"folder": str(world)})
    (world / "open").unlink()
    assert states(bench.run(spec, run_id="june", parameters={"folder": str(world)})) == [
        "succeeded",
        "cached",
        "failed",
    ]
    (world / "open").touch()
    resumed = bench.run(spec, run_id="june", parameters={"folder": str(world)}, resume=True)
    assert states(resumed) == ["succeeded", "cached", "succeeded"]
    assert [task.reused_from for task in resumed.tasks.values()] == ["june", "may", None]


def test_what_was_never_begun_can_t_be_resumed(bench, spec, world):
    bench.run(spec, run_id="may", parameters={"folder": str(world)})
    with pytest.raises(RetrainerError, match=r"no run 'june' in .*; the newest are: 'may'"):
        bench.run(spec, run_id="june", parameters={"folder": str(world)}, resume=True)


def test_the_index_points_to_artifacts_and_holds_no_content(bench, spec, world):
    bench.run(spec, run_id="june", parameters={"folder": str(world)})
    (entry,) = (bench.root / ".cache").iterdir()
    content = json.loads(entry.read_text())
    assert (content["run_id"], content["task"]) == ("june", "learn")
