"""Reading compiled pipelines, and naming what the local runner does not support."""

from typing import Dict, List, NamedTuple, Optional  # noqa: UP035

import pytest
from kfp import dsl

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.local.spec import (
    Constant,
    PipelineParameter,
    Retry,
    TaskOutput,
    read_spec,
)

OPTIONS = {"base_image": "toy:1", "install_kfp_package": False}


@dsl.component(**OPTIONS)
def make_data(
    data: dsl.Output[dsl.Dataset],
    rows: int = 3,
    names: List[str] = ["a"],  # noqa: B006, UP006
) -> NamedTuple("Outputs", [("verdict", str), ("many", bool)]):
    return ("made", rows > 1)


@dsl.component(**OPTIONS)
def use_data(
    data: dsl.Input[dsl.Dataset],
    note: str,
    options: Dict,  # noqa: UP006
    model: Optional[dsl.Input[dsl.Model]] = None,  # noqa: UP045
) -> str:
    return note


@dsl.component(**OPTIONS)
def say(text: str = "hello") -> str:
    return text


@dsl.component(**OPTIONS)
def clean_up(status: dsl.PipelineTaskFinalStatus):
    print(status)


@dsl.component(base_image="toy:1", packages_to_install=["no-such-package==1.0"])
def install_something() -> str:
    return ""


@dsl.container_component
def run_anything():
    return dsl.ContainerSpec(image="alpine:3", command=["echo"], args=["hello"])


def test_a_pipeline_becomes_tasks_in_order(compile_pipeline):
    @dsl.pipeline(name="plain")
    def pipeline(rows: int = 5, note: str = "n") -> str:
        made = make_data(rows=rows)
        used = use_data(
            data=made.outputs["data"], note=f"{note}: {made.outputs['verdict']}", options={"a": 1}
        )
        used.set_retry(num_retries=2, backoff_duration="30s", backoff_factor=3.0)
        used.set_caching_options(False).set_env_variable("COLOUR", "blue")
        used.set_cpu_limit("2").set_memory_limit("4G")
        say().after(used)
        return used.output

    parsed = read_spec(compile_pipeline(pipeline))

    assert parsed.name == "plain"
    assert list(parsed.tasks) == ["make-data", "use-data", "say"]
    assert parsed.parameters["rows"].default == 5
    assert parsed.outputs == {"Output": TaskOutput("use-data", "Output")}
    made, used, said = parsed.tasks.values()
    assert made.title == "make_data"
    assert made.parameters == {"rows": PipelineParameter("rows")}
    assert made.caching
    assert made.takes["names"].default == ["a"]
    assert made.gives["many"].type == "BOOLEAN"
    assert made.gives_artifacts["data"].title == "system.Dataset"
    assert used.artifacts == {"data": TaskOutput("make-data", "data")}
    assert used.parameters["options"] == Constant({"a": 1})
    assert used.takes_artifacts["model"].optional
    assert not used.caching
    assert used.retry == Retry(2, 30.0, 3.0, 3600.0)
    assert [used.retry.wait(attempt) for attempt in (1, 2)] == [30.0, 90.0]
    assert used.executor.env == {"COLOUR": "blue"}
    assert used.executor.function == "use_data"
    assert "def use_data(" in used.executor.source
    assert said.after == {"use-data"}


def test_a_display_name_is_the_title(compile_pipeline):
    @dsl.pipeline(name="titles")
    def pipeline():
        say().set_display_name("Say it")
        say()

    titles = [task.title for task in read_spec(compile_pipeline(pipeline)).tasks.values()]
    assert titles == ["Say it", "say-2"]


def with_if():
    said = say()
    with dsl.If(said.output == "hello"):
        say()


def with_if_and_else():
    said = say()
    with dsl.If(said.output == "hello"):
        say()
    with dsl.Else():
        say()


def with_loop():
    with dsl.ParallelFor(["a", "b"]) as text:
        say(text=text)


def with_exit_handler():
    with dsl.ExitHandler(clean_up()):
        say()


def with_importer():
    imported = dsl.importer(artifact_uri="gs://bucket/data", artifact_class=dsl.Dataset)
    use_data(data=imported.output, note="", options={})


def with_container():
    run_anything()


def with_packages():
    install_something()


def with_ignored_failure():
    said = say()
    say(text=said.output).ignore_upstream_failure()


@dsl.pipeline(name="inner")
def inner():
    say()


def with_sub_pipeline():
    inner()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (with_if, "task 'condition-1' has the setting 'triggerPolicy', .*a group of tasks"),
        (with_if_and_else, "task 'condition-branches-1' has a group of tasks"),
        (with_loop, "task 'for-loop-.*' has the setting 'parameterIterator'"),
        (with_exit_handler, "task 'clean-up' has the input 'status' from taskFinalStatus"),
        (with_importer, "task 'importer' has an executor of the kind importer"),
        (with_container, "task 'run-anything' runs the image 'alpine:3' with something other"),
        (with_packages, "task 'install-something' runs .*without packages_to_install"),
        (with_ignored_failure, "task 'say-2' has the setting 'triggerPolicy'"),
        (with_sub_pipeline, "task 'inner' has a group of tasks"),
    ],
)
def test_unsupported_features_are_named(compile_pipeline, body, message):
    spec = compile_pipeline(dsl.pipeline(body, name="unsupported"))
    with pytest.raises(RetrainerError, match=message):
        read_spec(spec)


def test_an_exit_handler_is_flattened_and_its_exit_task_waits_for_all(compile_pipeline):
    @dsl.pipeline(name="exits")
    def pipeline(rows: int = 5, note: str = "n"):
        first = say(text=note)
        with dsl.ExitHandler(say(text=note)):
            made = make_data(rows=rows)
            use_data(data=made.outputs["data"], note=first.output, options={})

    tasks = read_spec(compile_pipeline(pipeline)).tasks

    assert set(tasks) == {"say", "say-2", "make-data", "use-data"}
    assert tasks["make-data"].parameters["rows"] == PipelineParameter("rows")
    assert tasks["use-data"].parameters["note"] == TaskOutput("say", "Output")
    assert tasks["use-data"].artifacts["data"] == TaskOutput("make-data", "data")
    assert tasks["use-data"].after >= {"say", "make-data"}
    assert [name for name, task in tasks.items() if task.is_exit] == ["say-2"]
    assert tasks["say-2"].after == {"make-data", "use-data"}


def test_an_artifact_of_the_pipeline_is_unsupported(compile_pipeline):
    @dsl.pipeline(name="artifacts")
    def pipeline(data: dsl.Input[dsl.Dataset]):
        use_data(data=data, note="", options={})

    with pytest.raises(RetrainerError, match="the input 'data' from componentInputArtifact"):
        read_spec(compile_pipeline(pipeline))


def test_an_unknown_setting_of_a_task_is_unsupported(compile_pipeline):
    @dsl.pipeline(name="unknown")
    def pipeline():
        say()

    spec = compile_pipeline(pipeline)
    spec["root"]["dag"]["tasks"]["say"]["teleport"] = {"to": "mars"}
    with pytest.raises(RetrainerError, match="task 'say' has the setting 'teleport'"):
        read_spec(spec)
