"""Names of runs, and the folders that keep their artifacts apart."""

from pathlib import Path

import pytest
from kfp import dsl

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.runs.record_store import load_run

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")
OPTIONS = {"base_image": "toy:1", "install_kfp_package": False}


@dsl.component(**OPTIONS)
def say(text: str = "hello") -> str:
    print("saying", text)
    return text


@dsl.component(**OPTIONS)
def fail_for_the_user(text: str, report: dsl.Output[dsl.HTML]) -> str:

    from retrainer.components.lib.errors import RetrainerError

    Path(report.path).write_text("<html>why</html>")
    raise RetrainerError("column 'carrier' is gone: put it back")


@dsl.pipeline(name="simple")
def simple(text: str, rows: int = 3):
    say(text=text)


@pytest.mark.parametrize("run_id", ["", "../up", "a/b", ".hidden", "x" * 129])
def test_a_run_id_is_a_plain_name(bench, compile_pipeline, run_id):
    with pytest.raises(RetrainerError, match="is not a valid run name"):
        bench.runner.run(
            compile_pipeline(simple),
            parameters={"text": ""},
            run_id=run_id,
            store=str(bench.store),
            pipeline_root=str(bench.root),
        )


def test_a_run_id_is_used_once(bench, compile_pipeline):
    spec = compile_pipeline(simple)
    bench.run(spec, run_id="june", parameters={"text": "a"})
    with pytest.raises(
        RetrainerError, match=r"run 'june' exists already: succeeded, 1 of 1 .* Choose"
    ):
        bench.run(spec, run_id="june", parameters={"text": "b"})


def test_a_pipeline_root_of_two_stores_keeps_the_artifacts_of_both(bench, compile_pipeline):
    spec = compile_pipeline(simple)
    first = bench.run(spec, run_id="june", parameters={"text": "a"})
    log = bench.log(first, "say")
    other = str(bench.folder / "other")
    with pytest.raises(
        RetrainerError, match=r"june' holds the artifacts of another run .*--run-id"
    ):
        bench.run(spec, run_id="june", parameters={"text": "b"}, store=other)
    assert bench.log(first, "say") == log
    assert (
        bench.run(spec, run_id="july", parameters={"text": "b"}, store=other).state == "succeeded"
    )


def test_a_run_that_is_resumed_keeps_its_artifacts_unless_another_run_has_them(
    bench, compile_pipeline
):
    @dsl.pipeline(name="broken")
    def broken(text: str):
        fail_for_the_user(text=text)

    spec = compile_pipeline(broken)
    bench.run(spec, run_id="june", parameters={"text": "a"})
    resumed = bench.run(spec, run_id="june", parameters={"text": "a"}, resume=True)
    assert len(resumed.resumed) == 1
    (bench.root / "june" / ".run").write_text("another run")
    with pytest.raises(RetrainerError, match="holds the artifacts of another run"):
        bench.run(spec, run_id="june", parameters={"text": "a"}, resume=True)


def test_of_two_machines_that_start_a_run_of_one_name_at_once_one_does(
    bench, compile_pipeline, monkeypatch
):
    spec, store = compile_pipeline(simple), f"memory://{bench.folder.name}/store"
    bench.run(spec, run_id="june", parameters={"text": "a"}, store=store)
    # The other machine looked before the first one wrote its record, and has a pipeline root of its own.
    monkeypatch.setattr("retrainer.pipelines.local.runner.run_exists", lambda *_: False)
    with pytest.raises(RetrainerError, match="run 'june' exists already: succeeded"):
        bench.run(
            spec,
            run_id="june",
            parameters={"text": "b"},
            store=store,
            pipeline_root=str(bench.folder / "elsewhere"),
        )
    assert load_run(store, "june").parameters["text"] == "a"
    assert not (bench.folder / "elsewhere" / "june").exists()


def test_a_run_whose_record_could_not_be_written_can_be_tried_again_by_its_name(
    bench, compile_pipeline, monkeypatch
):
    def fail(_):
        raise OSError("the bucket does not answer")

    spec = compile_pipeline(simple)
    with monkeypatch.context() as broken:
        broken.setattr("retrainer.pipelines.local.runner.create_run", fail)
        with pytest.raises(RetrainerError, match="the bucket does not answer"):
            bench.run(spec, run_id="june", parameters={"text": "a"})
    assert bench.run(spec, run_id="june", parameters={"text": "a"}).state == "succeeded"
