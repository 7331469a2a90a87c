"""Reading compiled pipelines, and refusing what the local runner does not run."""

from typing import Dict, List, NamedTuple, Optional  # noqa: UP035

import pytest
from kfp import compiler, dsl

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.local.spec import (
    Constant,
    PipelineParameter,
    Retry,
    TaskOutput,
    load_spec,
    parse_spec,
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


@dsl.component(base_image="toy:1", packages_to_install=["pyyaml>=5"])
def install_what_is_there() -> str:
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

    parsed = parse_spec(compile_pipeline(pipeline))

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

    titles = [task.title for task in parse_spec(compile_pipeline(pipeline)).tasks.values()]
    assert titles == ["Say it", "say-2"]


def test_yaml_and_json_files_are_read(tmp_path):
    @dsl.pipeline(name="files")
    def pipeline():
        say()

    for name in ("pipeline.yaml", "pipeline.json"):
        compiler.Compiler().compile(pipeline, str(tmp_path / name))
        assert list(load_spec(tmp_path / name).tasks) == ["say"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a list", "holds no mapping"),
        ("a: [", "is not YAML"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow", "not a pipeline that kfp 2 compiled"),
        ("", "holds no mapping"),
    ],
)
def test_what_is_no_spec_is_refused(tmp_path, content, message):
    path = tmp_path / "pipeline.yaml"
    path.write_text(content)
    with pytest.raises(RetrainerError, match=message):
        load_spec(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RetrainerError, match=r"no pipeline spec at '.*gone\.yaml'"):
        load_spec(tmp_path / "gone.yaml")


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
        (with_if, "task 'condition-1' uses dsl.If .*hello"),
        (with_if_and_else, "task 'condition-branches-1' uses dsl.If with dsl.Elif or dsl.Else"),
        (with_loop, "task 'for-loop-.*' uses dsl.ParallelFor"),
        (with_exit_handler, r"uses dsl.ExitHandler \(the status of 'exit-handler-1'\)"),
        (with_importer, "task 'importer' uses dsl.importer"),
        (with_container, r"task 'run-anything' is a container component \(image 'alpine:3'\)"),
        (with_packages, "pip install 'no-such-package==1.0'"),
        (with_ignored_failure, "task 'say-2' uses ignore_upstream_failure"),
        (with_sub_pipeline, "task 'inner' uses a pipeline as a component"),
    ],
)
def test_features_that_it_does_not_run_are_refused_by_name(compile_pipeline, body, message):
    spec = compile_pipeline(dsl.pipeline(body, name="refused"))
    with pytest.raises(RetrainerError, match=message):
        parse_spec(spec)


def test_an_exit_handler_is_flattened_and_its_exit_task_waits_for_all(compile_pipeline):
    @dsl.pipeline(name="exits")
    def pipeline(rows: int = 5, note: str = "n"):
        first = say(text=note)
        with dsl.ExitHandler(say(text=note)):
            made = make_data(rows=rows)
            use_data(data=made.outputs["data"], note=first.output, options={})

    tasks = parse_spec(compile_pipeline(pipeline)).tasks

    assert set(tasks) == {"say", "say-2", "make-data", "use-data"}
    assert tasks["make-data"].parameters["rows"] == PipelineParameter("rows")
    assert tasks["use-data"].parameters["note"] == TaskOutput("say", "Output")
    assert tasks["use-data"].artifacts["data"] == TaskOutput("make-data", "data")
    assert tasks["use-data"].after >= {"say", "make-data"}
    assert [name for name, task in tasks.items() if task.is_exit] == ["say-2"]
    assert tasks["say-2"].after == {"make-data", "use-data"}


def test_an_artifact_of_the_pipeline_is_refused(compile_pipeline):
    @dsl.pipeline(name="artifacts")
    def pipeline(data: dsl.Input[dsl.Dataset]):
        use_data(data=data, note="", options={})

    with pytest.raises(RetrainerError, match=r"an artifact that the pipeline takes .*'data'"):
        parse_spec(compile_pipeline(pipeline))


def test_an_unknown_setting_of_a_task_is_refused(compile_pipeline):
    @dsl.pipeline(name="unknown")
    def pipeline():
        say()

    spec = compile_pipeline(pipeline)
    spec["root"]["dag"]["tasks"]["say"]["teleport"] = {"to": "mars"}
    with pytest.raises(RetrainerError, match="task 'say' uses the task setting teleport"):
        parse_spec(spec)


def test_packages_that_are_installed_are_no_obstacle(compile_pipeline):
    @dsl.pipeline(name="packages")
    def pipeline():
        install_what_is_there()

    assert list(parse_spec(compile_pipeline(pipeline)).tasks) == ["install-what-is-there"]


def test_kubernetes_settings_that_a_task_sees_are_refused(tmp_path):
    spec = "pipelineInfo: {name: p}\n---\n" + (
        "platforms: {kubernetes: {deploymentSpec: {executors: {exec-say: {secretAsEnv: []}}}}}\n"
    )
    (tmp_path / "pipeline.yaml").write_text(spec)
    with pytest.raises(RetrainerError, match=r"task 'say' uses secretAsEnv of kfp\.kubernetes"):
        load_spec(tmp_path / "pipeline.yaml")


def test_tasks_that_wait_for_each_other_are_refused(compile_pipeline):
    @dsl.pipeline(name="circle")
    def pipeline():
        first = say()
        say(text=first.output)

    spec = compile_pipeline(pipeline)
    spec["root"]["dag"]["tasks"]["say"]["dependentTasks"] = ["say-2"]
    with pytest.raises(RetrainerError, match="wait for each other"):
        parse_spec(spec)


def test_a_reference_to_nothing_is_named(compile_pipeline):
    @dsl.pipeline(name="torn")
    def pipeline():
        say()

    spec = compile_pipeline(pipeline)
    del spec["components"]["comp-say"]
    with pytest.raises(RetrainerError, match="refers to 'comp-say'"):
        parse_spec(spec)
