"""Tasks that fail: what the run says, what is skipped, what is tried again."""

from pathlib import Path

import pytest
from kfp import dsl

from retrainer.pipelines.runs.records import RunState
from retrainer.pipelines.runs.run_words import describe_failure

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")
OPTIONS = {"base_image": "toy:1", "install_kfp_package": False}


@dsl.component(**OPTIONS)
def say(text: str = "hello") -> str:
    print("saying", text)
    return text


@dsl.component(**OPTIONS)
def fail_for_the_user(text: str, report: dsl.Output[dsl.HTML]) -> str:
    from pathlib import Path

    from retrainer.components.lib.errors import RetrainerError

    Path(report.path).write_text("<html>why</html>")
    raise RetrainerError("column 'carrier' is gone: put it back")


@dsl.component(**OPTIONS)
def fail_unexpectedly() -> str:
    for line in range(100):
        print("line", line)
    return str({}["missing"])


@dsl.component(**OPTIONS)
def die(signal_number: int) -> str:
    import os

    os.kill(os.getpid(), signal_number)
    return ""


@dsl.component(**OPTIONS)
def leave(status: int) -> str:
    import sys

    sys.exit(status)


@dsl.component(**OPTIONS)
def fail_until(folder: str, times: int) -> str:
    from pathlib import Path

    attempts = Path(folder, "attempts")
    attempts.write_text((attempts.read_text() if attempts.exists() else "") + "x")
    if len(attempts.read_text()) <= times:
        raise OSError("not yet")
    return f"at attempt {len(attempts.read_text())}"


@dsl.component(**OPTIONS)
def give_nan(metrics: dsl.Output[dsl.Metrics]):
    metrics.log_metric("auc", float("nan"))


def test_an_error_for_the_user_speaks_for_itself(bench, compile_pipeline):
    @dsl.pipeline(name="known")
    def pipeline():
        first = say()
        failed = fail_for_the_user(text=first.output)
        say(text=failed.outputs["Output"])
        say(text="beside it")

    record = bench.run(compile_pipeline(pipeline))

    states = {name: str(task.state) for name, task in record.tasks.items()}
    assert states == {
        "say": "succeeded",
        "fail-for-the-user": "failed",
        "say-2": "skipped",
        "say-3": "succeeded",
    }
    assert record.state == RunState.FAILED
    assert record.error == "fail_for_the_user: column 'carrier' is gone: put it back"
    failed = record.tasks["fail-for-the-user"]
    assert failed.log_tail == []
    assert failed.verdict == "column 'carrier' is gone: put it back"
    assert "Traceback" not in describe_failure(record)
    assert "Traceback" in bench.log(record, "fail-for-the-user")
    assert Path(record.locate(failed.reports[0])).read_text() == "<html>why</html>"


def test_what_needs_a_task_that_was_skipped_is_skipped_too(bench, compile_pipeline):
    @dsl.pipeline(name="chain")
    def pipeline():
        failed = fail_for_the_user(text="first")
        skipped = say(text=failed.outputs["Output"])
        say(text=skipped.output)

    record = bench.run(compile_pipeline(pipeline))

    assert [str(task.state) for task in record.tasks.values()] == ["failed", "skipped", "skipped"]
    assert record.state == RunState.FAILED


def test_an_unexpected_error_shows_the_logs_end_and_its_place(bench, compile_pipeline):
    @dsl.pipeline(name="unknown")
    def pipeline():
        fail_unexpectedly()

    record = bench.run(compile_pipeline(pipeline))

    task = record.tasks["fail-unexpectedly"]
    assert task.error == "KeyError: 'missing'"
    assert task.log_tail[-1] == "KeyError: 'missing'"
    assert len(task.log_tail) == 15
    found = describe_failure(record)
    assert record.locate("logs/fail-unexpectedly.log") in found
    assert "line 0\n" not in found
    assert "line 0\n" in bench.log(record, "fail-unexpectedly")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (9, "was killed by SIGKILL. The machine may have run out of memory."),
        (11, "killed by SIGSEGV"),
    ],
)
def test_a_killed_task_is_a_failed_task(bench, compile_pipeline, number, message):
    @dsl.pipeline(name="killed")
    def pipeline(number: int):
        die(signal_number=number)

    record = bench.run(compile_pipeline(pipeline), parameters={"number": number})
    assert message in (record.tasks["die"].error or "")


def test_leaving_is_failing_unless_the_status_is_0(bench, compile_pipeline):
    @dsl.pipeline(name="leaving")
    def pipeline(status: int):
        leave(status=status)

    spec = compile_pipeline(pipeline)
    failed = bench.run(spec, parameters={"status": 3})
    assert failed.error == "leave: the component exited with status 3"
    assert bench.run(spec, parameters={"status": 0}).state == RunState.SUCCEEDED


def test_a_task_is_tried_again(bench, compile_pipeline, listener, tmp_path):
    @dsl.pipeline(name="again")
    def pipeline(folder: str, times: int):
        fail_until(folder=folder, times=times).set_retry(2, backoff_factor=2)

    spec = compile_pipeline(pipeline)
    spec["root"]["dag"]["tasks"]["fail-until"]["retryPolicy"]["backoffDuration"] = "0.1s"
    record = bench.run(spec, parameters={"folder": str(tmp_path), "times": 2}, observer=listener)
    task = record.tasks["fail-until"]
    assert record.state == RunState.SUCCEEDED, describe_failure(record)
    assert (task.attempts, task.verdict, task.error, task.log_tail) == (3, "", None, [])
    assert task.outputs == {"Output": "at attempt 3"}
    assert listener.events.count(("task_retrying", "fail-until")) == 2
    assert bench.log(record, "fail-until").count("OSError: not yet") == 2

    (tmp_path / "attempts").unlink()
    record = bench.run(spec, parameters={"folder": str(tmp_path), "times": 3})
    assert (record.state, record.tasks["fail-until"].attempts) == (RunState.FAILED, 3)


def test_numbers_that_the_remote_runners_refuse_fail_here_too(bench, compile_pipeline):
    @dsl.pipeline(name="nan")
    def pipeline():
        give_nan()

    record = bench.run(compile_pipeline(pipeline))
    assert "the metadata of 'metrics' holds nan at 'auc'" in (record.error or "")
