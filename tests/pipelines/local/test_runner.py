"""Running compiled pipelines: data passing, loading, progress, surroundings, stores."""

import dataclasses
import sys
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional  # noqa: UP035

import pytest
from kfp import dsl

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.local.runner import LocalRunner
from retrainer.pipelines.runs.record_store import load_run
from retrainer.pipelines.runs.records import RunState
from retrainer.pipelines.runs.run_words import describe_failure

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")
OPTIONS = {"base_image": "toy:1", "install_kfp_package": False}


@dsl.component(**OPTIONS)
def make(
    data: dsl.Output[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    rows: int = 3,
) -> NamedTuple(
    "Outputs",
    [
        ("verdict", str),
        ("count", int),
        ("share", float),
        ("good", bool),
        ("names", list),
        ("options", dict),
    ],
):
    from pathlib import Path

    Path(data.path).mkdir()
    Path(data.path, "part.csv").write_text("x\n" * rows)
    Path(model.path).write_text("weights")
    Path(report.path).write_text("<html>fine</html>")
    data.metadata["rows"] = rows
    model.metadata["framework"] = "toy"
    metrics.log_metric("auc", 0.75)
    return (f"{rows} rows", rows, 0.5, True, ["a", 1, None], {"depth": {"n": 2}})


@dsl.component(**OPTIONS)
def check(
    data: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    verdict: str,
    count: int,
    share: float,
    good: bool,
    names: List,  # noqa: UP006
    options: Dict,  # noqa: UP006
    text: str,
    absent: Optional[str] = None,  # noqa: UP045
    other: Optional[dsl.Input[dsl.Model]] = None,  # noqa: UP045
    default: List[int] = [1, 2],  # noqa: B006, UP006
) -> str:
    from pathlib import Path

    assert Path(data.path, "part.csv").read_text() == "x\n" * count
    assert (data.metadata, data.schema_title) == ({"rows": count}, "system.Dataset")
    assert (model.metadata["framework"], Path(model.path).read_text()) == ("toy", "weights")
    assert isinstance(model, dsl.Model)
    assert (verdict, share, good, text) == ("7 rows", 0.5, True, "7 rows of 7 for me, {}")
    assert type(count) is int
    assert names == ["a", 1.0, None]
    assert options == {"depth": {"n": 2.0}}
    assert all(type(number) is float for number in (names[1], options["depth"]["n"], *default))
    assert (absent, other, default) == (None, None, [1.0, 2.0])
    return "all as it should be"


@dsl.component(**OPTIONS)
def write_outputs(
    number: dsl.OutputPath(int),
    flag: dsl.OutputPath(bool),
    table: dsl.OutputPath("Dataset"),
    elsewhere: dsl.Output[dsl.Artifact],
    folder: str,
):
    from pathlib import Path

    Path(number).write_text("12")
    Path(flag).write_text("True")
    Path(table).write_text("a,b")
    elsewhere.uri = folder + "/kept"
    Path(elsewhere.path).write_text("kept")


@dsl.component(**OPTIONS)
def read_outputs(number: int, flag: bool, table: dsl.InputPath("Dataset")) -> str:
    from pathlib import Path

    return f"{number} {flag} {Path(table).read_text()}"


@dsl.component(**OPTIONS)
def say(text: str = "hello") -> str:
    print("saying", text)
    return text


@dsl.component(**OPTIONS)
def wait_for(folder: str, mine: str, other: str) -> str:
    import time
    from pathlib import Path

    Path(folder, mine).touch()
    for _ in range(100):
        if Path(folder, other).exists():
            return "met"
        time.sleep(0.05)
    raise TimeoutError(other)


@dsl.component(**OPTIONS)
def report_progress() -> str:
    import time

    from retrainer.components.lib.progress import progress

    progress("counting", 1, 2)
    time.sleep(0.4)
    return "done"


@dsl.component(**OPTIONS)
def look_around(job: str, task: str) -> str:
    import os
    import sys

    return " ".join(
        [job, task, os.environ["COLOUR"], str(os.getpgrp() == os.getpid()), sys.argv[0]]
    )


def test_every_type_of_value_arrives(bench, compile_pipeline, listener):
    @dsl.pipeline(name="data-passing")
    def pipeline(rows: int, who: str = "me") -> str:
        made = make(rows=rows)
        values = {
            name: made.outputs[name]
            for name in ("data", "model", "verdict", "count", "share", "good", "names", "options")
        }
        text = f"{made.outputs['verdict']} of {made.outputs['count']} for {who}, {{}}"
        return check(**values, text=text).output

    record = bench.run(
        compile_pipeline(pipeline), parameters={"rows": 7}, observer=listener, run_id="passing"
    )

    assert record.state == RunState.SUCCEEDED, describe_failure(record)
    assert record.parameters == {"rows": 7, "who": "me"}
    assert record.outputs == {"Output": "all as it should be"}
    made, checked = record.tasks.values()
    assert made.outputs["count"] == 7
    assert made.verdict == "7 rows"
    assert made.metrics == {"auc": 0.75}
    assert made.output_artifacts["data"].metadata == {"rows": 7}
    assert made.output_artifacts["data"].type == "system.Dataset"
    assert len(made.output_artifacts["data"].digest) == 64
    assert made.output_artifacts["metrics"].digest == ""
    assert checked.input_artifacts["data"] == made.output_artifacts["data"]
    assert made.seconds is not None
    assert made.seconds > 0
    assert made.peak_memory is not None
    assert made.peak_memory > 10 << 20
    assert Path(record.locate(made.reports[0])).read_text() == "<html>fine</html>"
    assert listener.events == [
        ("run_started", "passing"),
        ("task_started", "make"),
        ("task_finished", "make"),
        ("task_started", "check"),
        ("task_finished", "check"),
        ("run_finished", "succeeded"),
    ]
    assert load_run(str(bench.store), "passing") == record


def test_output_paths_and_changed_uris(bench, compile_pipeline, tmp_path):
    @dsl.pipeline(name="paths")
    def pipeline(folder: str) -> str:
        written = write_outputs(folder=folder)
        return read_outputs(
            number=written.outputs["number"],
            flag=written.outputs["flag"],
            table=written.outputs["table"],
        ).output

    record = bench.run(compile_pipeline(pipeline), parameters={"folder": str(tmp_path)})
    assert record.outputs == {"Output": "12 True a,b"}, describe_failure(record)
    elsewhere = record.tasks["write-outputs"].output_artifacts["elsewhere"]
    assert elsewhere.uri == f"{tmp_path}/kept"
    assert elsewhere.digest


def test_independent_tasks_run_at_once(bench, compile_pipeline, tmp_path):
    @dsl.pipeline(name="pair")
    def pipeline(folder: str):
        wait_for(folder=folder, mine="a", other="b")
        wait_for(folder=folder, mine="b", other="a")

    record = bench.run(compile_pipeline(pipeline), parameters={"folder": str(tmp_path)})
    assert record.state == RunState.SUCCEEDED, describe_failure(record)


def test_the_time_of_a_task_includes_the_loading_that_it_waits_for(tmp_path, compile_pipeline):
    # A library that takes a while to load, which the second task waits for and the first does not.
    (tmp_path / "slow_to_load.py").write_text("import time\ntime.sleep(1.0)\n")

    @dsl.pipeline(name="waiting")
    def pipeline():
        say(text=say(text="first").output).set_caching_options(False)

    sys.path.insert(0, str(tmp_path))
    try:
        with LocalRunner(libraries=("kfp.dsl.executor_main", "slow_to_load")) as runner:
            record = runner.run(
                compile_pipeline(pipeline),
                store=str(tmp_path / "store"),
                pipeline_root=str(tmp_path / "root"),
                run_id="june",
            )
    finally:
        sys.path.remove(str(tmp_path))
    early, late = record.tasks.values()
    assert early.seconds + late.seconds >= 1.0
    assert late.seconds >= late.start_seconds >= 0
    assert early.seconds + late.seconds <= record.seconds
    assert load_run(record.store, "june") == record


@dsl.component(**OPTIONS)
def let_it_load(folder: str) -> str:
    from pathlib import Path

    assert Path(folder, "loading").exists()
    Path(folder, "go-on").touch()
    return "first"


def test_a_first_task_runs_while_a_library_is_being_imported(tmp_path, compile_pipeline):
    (tmp_path / "waits_for_a_task.py").write_text(
        "import pathlib, time\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "(folder / 'loading').touch()\n"
        "until = time.monotonic() + 60\n"
        "while not (folder / 'go-on').exists() and time.monotonic() < until:\n"
        "    time.sleep(0.01)\n"
        "if not (folder / 'go-on').exists():\n"
        "    (folder / 'gave-up').touch()\n"
    )

    @dsl.pipeline(name="meanwhile")
    def pipeline(folder: str):
        say(text=let_it_load(folder=folder).output)

    sys.path.insert(0, str(tmp_path))
    try:
        with LocalRunner(libraries=("kfp.dsl.executor_main", "waits_for_a_task")) as runner:
            runner.warm_up()
            while not (tmp_path / "loading").exists():
                time.sleep(0.01)
            record = runner.run(
                compile_pipeline(pipeline),
                store=str(tmp_path / "store"),
                pipeline_root=str(tmp_path / "root"),
                run_id="june",
                parameters={"folder": str(tmp_path)},
            )
    finally:
        sys.path.remove(str(tmp_path))
    assert record.state == RunState.SUCCEEDED, describe_failure(record)
    assert not (tmp_path / "gave-up").exists()


def test_a_store_that_can_not_be_written_has_no_run_to_resume(bench, compile_pipeline):
    @dsl.pipeline(name="plain")
    def pipeline():
        say()

    bench.store.write_text("a file where the folder should be")
    with pytest.raises(RetrainerError, match=r"can't write its record.* Fix that, then run again"):
        bench.run(compile_pipeline(pipeline), run_id="june")


def test_progress_and_output_are_reported(bench, compile_pipeline, listener):
    @dsl.pipeline(name="progress")
    def pipeline():
        report_progress()
        say(text="something")

    bench.run(compile_pipeline(pipeline), observer=listener)
    assert [dataclasses.astuple(progress) for progress in listener.progress] == [("counting", 1, 2)]
    assert "saying something\n" in listener.output


def test_progress_is_that_of_this_run(bench, compile_pipeline, listener):
    @dsl.pipeline(name="progress")
    def pipeline():
        report_progress()

    spec = compile_pipeline(pipeline)
    for _ in range(2):
        bench.run(spec, observer=listener, caching=False)
    assert len(listener.progress) == 2


def test_placeholders_environment_and_process_group(bench, compile_pipeline, monkeypatch):
    @dsl.pipeline(name="surroundings")
    def pipeline():
        task = look_around(
            job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER, task=f"t-{dsl.PIPELINE_TASK_NAME_PLACEHOLDER}"
        )
        task.set_env_variable("COLOUR", "blue")

    monkeypatch.setenv("COLOUR", "red")
    record = bench.run(compile_pipeline(pipeline), run_id="here")
    found = record.tasks["look-around"].outputs["Output"]
    assert found == "here t-look-around blue True executor_main.py", describe_failure(record)


def test_tasks_see_the_callers_environment_as_it_is_now(bench, compile_pipeline, monkeypatch):
    @dsl.pipeline(name="environment")
    def pipeline():
        look_around(job="j", task="t")

    spec = compile_pipeline(pipeline)
    monkeypatch.setenv("COLOUR", "green")
    record = bench.run(spec, caching=False)
    assert "green" in record.tasks["look-around"].outputs["Output"]
    monkeypatch.delenv("COLOUR")
    assert "KeyError: 'COLOUR'" in (bench.run(spec, caching=False).error or "")


@dsl.pipeline(name="simple")
def simple(text: str, rows: int = 3):
    say(text=text)


def test_a_bucket_is_a_store_too(bench, compile_pipeline):
    store = f"memory://{bench.folder.name}/store"
    record = bench.run(compile_pipeline(simple), parameters={"text": "a"}, store=store)
    assert load_run(store, record.run_id) == record
    assert bench.log(record, "say").count("saying a") == 1
    assert (bench.root / ".lock").exists()


def test_nothing_comes_out_on_the_terminal(bench, compile_pipeline, capfd):
    bench.run(compile_pipeline(simple), parameters={"text": "a"})
    assert capfd.readouterr() == ("", "")
