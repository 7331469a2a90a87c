"""The section `engine`: what each component gets, and each mistake with its line."""

import re
from pathlib import Path

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.config import read_config
from retrainer.pipelines.project.engines import engine_arguments

CONFIG = """\
name: orders
data: {pattern: 'data/{span}.csv', label: returned}
evaluation: {metrics_specs: []}
image: acme.example/team/retrainer:1
"""
DATAFLOW = """\
engine:
  runner: dataflow
  options: {project: acme, region: r, temp_location: gs://acme/tmp}
"""


def arguments(more, component):
    return engine_arguments(read_config(CONFIG + more, "retrain.yaml").config, component)


def test_without_the_section_everything_runs_in_its_task():
    for component in ("compute_statistics", "transform_features", "evaluate_model", "train_model"):
        assert arguments("", component) == []


def test_a_runner_is_for_all_but_the_evaluation():
    expected = [
        "--runner=DataflowRunner",
        "--job_name=orders",
        "--project=acme",
        "--region=r",
        "--temp_location=gs://acme/tmp",
        "--sdk_container_image=acme.example/team/retrainer:1",
    ]
    for component in ("compute_statistics", "transform_features", "predict_batch"):
        assert arguments(DATAFLOW, component) == expected
    assert arguments(DATAFLOW, "evaluate_model") == []
    assert arguments(f"{DATAFLOW}  components: [evaluate_model]", "evaluate_model") == expected
    assert arguments(f"{DATAFLOW}  components: [evaluate_model]", "predict_batch") == []


def test_an_override_changes_options_one_by_one():
    more = (
        f"{DATAFLOW}  overrides: {{predict_batch: {{options: {{num_workers: 9, region: null}}}}}}\n"
    )
    more += "targets: {vertex: {region: europe-west1}}"
    assert "--num_workers=9" in arguments(more, "predict_batch")
    assert "--region=europe-west1" in arguments(more, "predict_batch")
    assert "--num_workers=9" not in arguments(more, "transform_features")


def test_an_override_with_another_runner_has_its_own_options_alone():
    more = (
        f"{DATAFLOW}  overrides:\n    evaluate_model: {{runner: portable, worker_image: b/c:2, options: "
        "{job_endpoint: 'jobs:8099', environment_type: DOCKER}}\n    predict_batch: {runner: in_process}\n"
    )
    assert arguments(more, "evaluate_model") == [
        "--runner=PortableRunner",
        "--job_name=orders",
        "--job_endpoint=jobs:8099",
        "--environment_type=DOCKER",
        "--environment_config=b/c:2",
    ]
    assert arguments(more, "predict_batch") == []
    assert "--runner=DataflowRunner" in arguments(more, "compute_statistics")


def test_an_override_alone_names_the_one_component_that_runs_elsewhere():
    more = "engine: {overrides: {transform_features: {runner: direct}}}"
    assert arguments(more, "transform_features") == ["--runner=DirectRunner"]
    assert arguments(more, "compute_statistics") == []


def test_workers_start_from_the_image_of_their_task():
    more = DATAFLOW + "tasks: {transform_features: {image: acme.example/team/wide:3}}"
    image = "--sdk_container_image=acme.example/team/wide:3"
    assert image in arguments(more, "transform_features")
    assert image not in arguments(more, "compute_statistics")
    more += "\n" + CONFIG.splitlines()[-1].replace("image:", "#")
    own = more.replace("engine:", "engine:\n  worker_image: acme.example/team/workers:4")
    assert "--sdk_container_image=acme.example/team/workers:4" in arguments(
        own, "transform_features"
    )


def test_dataflow_takes_project_region_and_labels_of_vertex_ai_where_it_has_none():
    more = (
        "engine: {runner: dataflow, options: {project: acme}}\n"
        "targets: {vertex: {project: other, region: europe-west1, labels: {team: ml}}}"
    )
    found = arguments(more, "compute_statistics")
    assert {"--project=acme", "--region=europe-west1", "--labels=team=ml"} <= set(found)
    own = more.replace("project: acme", "project: acme, label: [stage=test]")
    found = arguments(own, "compute_statistics")
    assert "--label=stage=test" in found
    assert "--labels=team=ml" not in found


def test_variables_may_stand_in_options(monkeypatch):
    monkeypatch.setenv("WORKERS", "7")
    more = DATAFLOW.replace(
        "region: r", "region: '${REGION:-europe-west1}', num_workers: '${WORKERS}'"
    )
    found = arguments(more, "compute_statistics")
    assert {"--region=europe-west1", "--num_workers=7"} <= set(found)


@pytest.mark.parametrize(
    ("section", "line"),
    [
        (
            "  runner: flnk",
            "6: 'engine.runner' is 'flnk', which is no runner. Did you mean 'flink'?",
        ),
        ("  runner: dask", "6: 'engine.runner' is 'dask', which wrote an empty file"),
        (
            "  runner: direct\n  options:\n    streaming: true\n    projct: a",
            "9: 'engine.options.projct' is no option of Beam's. Did you mean 'project'?",
        ),
        (
            "  runner: direct\n  options:\n    direct_num_workers: two",
            "8: 'engine.options.direct_num_workers' must be a whole number and is 'two'.",
        ),
        (
            "  runner: direct\n  options: {runner: flink}",
            "7: the runner has its own setting: write it as engine.runner.",
        ),
        (
            "  runner: direct\n  options: {no_wait_until_finish: true}",
            "7: 'engine.options.no_wait_until_finish' has Beam go on before the job is done, and the task needs",
        ),
        ("  runner: dataflow", "6: Dataflow needs the option 'project'"),
        (
            "  options: {project: a}",
            "6: 'engine.options' is for an engine, and engine.runner is in_process",
        ),
        (
            "  worker_image: a/b:1",
            "6: 'engine.worker_image' is for an engine, and engine.runner is in_",
        ),
        (
            "  runner: direct\n  overrides:\n    predict_batch: {runner: in_process, options: {region: a}}",
            "8: 'engine.overrides.predict_batch.options' is for an engine, and",
        ),
        (
            "  overrides:\n    predict_batch:\n      runner: portable",
            "8: PortableRunner needs the option 'job_endpoint'",
        ),
        (
            "  runner: prism\n  options: {job_endpoint: 'a:1', environment_type: external}",
            "7: 'engine.options.environment_type' is 'external', which Beam does not know. Did you mean",
        ),
        (
            "  runner: direct\n  components: [predict_batch]\n  overrides: {evaluate_model: {}}",
            "5: 'engine': overrides names evaluate_model, which is not in components",
        ),
        ("  components: [train_model]", "6: 'engine.components.0' is 'train_model'"),
        ("  runner: direct\n  overrides: {train_model: {}}", "7: 'engine.overrides.train_model'"),
    ],
)
def test_a_mistake_is_named_with_its_line(section, line):
    with pytest.raises(RetrainerError) as raised:
        arguments(f"engine:\n{section}\n", "compute_statistics")
    assert f"retrain.yaml:{line}" in str(raised.value)


def test_what_beam_got_as_arguments_still_reaches_all_four():
    more = "beam_args: [--runner=DataflowRunner, --project, acme, '--region=r', --label=a=b, --label=c=d]"
    for component in (
        "compute_statistics",
        "transform_features",
        "evaluate_model",
        "predict_batch",
    ):
        assert arguments(more, component) == [
            "--runner=DataflowRunner",
            "--job_name=orders",
            "--project=acme",
            "--region=r",
            "--label=a=b",
            "--label=c=d",
            "--sdk_container_image=acme.example/team/retrainer:1",
        ]
    assert arguments("beam_args: []", "evaluate_model") == []
    assert arguments("beam_args: [--direct_num_workers=2]", "evaluate_model") == [
        "--runner=DirectRunner",
        "--direct_num_workers=2",
    ]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (
            "beam_args: [--runer=Direct]",
            "5: 'engine.options.runer' is no option of Beam's. Did you mean",
        ),
        ("beam_args:\n- --streaming\n- foo", "7: 'foo' is no option"),
        ("engine: {runner: direct}\nbeam_args: [--streaming]", "6: 'beam_args' is an old spelling"),
    ],
)
def test_a_mistake_in_such_arguments_is_named_with_its_line(more, text):
    with pytest.raises(RetrainerError) as raised:
        arguments(more, "evaluate_model")
    assert f"retrain.yaml:{text}" in str(raised.value)


def test_what_the_page_of_engines_shows_is_right():
    page = (Path(__file__).resolve().parents[3] / "docs/engines.md").read_text()
    examples = [text for text in re.findall(r"```yaml\n(.*?)```", page, re.S) if "engine:" in text]
    assert len(examples) >= 5
    for number, text in enumerate(examples):
        before = "".join(
            line for line in CONFIG.splitlines(True) if f"\n{line[:5]}" not in f"\n{text}"
        )
        config = read_config(before + text, f"example {number}").config
        assert engine_arguments(config, "transform_features")
