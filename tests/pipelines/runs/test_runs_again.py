"""Runs on the same data again: a champion that changes meanwhile, by a real push, and results that the store has."""

import shutil
from pathlib import Path

import pytest

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.verdicts import Blessing
from retrainer.components.push_model.push import push
from retrainer.pipelines.cli.run import run_locally
from retrainer.pipelines.cli.warm import warm_runner
from retrainer.pipelines.local.observer import RunObserver
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.runs.run_words import describe_failure, outcome


class OtherRun(RunObserver):
    """Pushes a model of its own as soon as this run's model is judged."""

    def __init__(self, store: str, folder: Path):
        self.store, self.folder, self.pushed = store, folder, ""

    def task_finished(self, record, task):
        if task.name != "evaluate-model" or self.pushed:
            return
        trained = record.tasks["train-model"].output_artifacts["model"].uri
        model = self.folder / "model"
        shutil.copytree(trained, model)
        # Serves the same, and is another model.
        (model / "assets.extra" / "of_the_other_run").write_text("other")
        digest = digest_folder(model)
        Blessing(True, (), "blessed: by the other run", digest, None).write(
            str(self.folder / "blessing")
        )
        self.pushed = push(
            str(model), str(self.folder / "blessing"), None, self.store, str(self.folder / "out")
        )


@pytest.fixture(scope="module")
def project(warm_retrainer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("changed") / "project"
    assert warm_retrainer("init", folder).returncode == 0
    file = folder / "retrain.yaml"
    text = file.read_text()
    assert "\nevaluation:\n" in text
    file.write_text(
        text.replace("\nevaluation:\n", "\nevaluation:\n  champion_changed: judge_again\n")
    )
    return folder


def run(project, observer):
    with warm_runner() as local:
        return run_locally(local, load_config(project / "retrain.yaml"), observer)


def test_a_model_whose_champion_changed_is_judged_again_and_pushed(project, tmp_path):
    other = OtherRun(str(project / "store"), tmp_path)
    record = run(project, other)
    assert record.state == "succeeded", describe_failure(record)
    assert other.pushed.startswith("pushed as version 1")
    tasks = record.tasks
    assert tasks["push-model"].verdict.startswith("judged again: the champion changed")
    assert "champion version 1" in tasks["evaluate-model-2"].verdict
    assert tasks["push-model-2"].verdict.startswith("pushed as version 2, in place of version 1")
    assert outcome(record) == tasks["push-model-2"].verdict
    champion = Registry(str(project / "store" / "models")).resolve("champion")
    assert champion.version == 2
    assert champion.info["run"] == record.run_id


def test_where_nothing_changed_the_second_try_passes_the_verdict_on(project):
    record = run(project, RunObserver())
    assert record.state == "succeeded", describe_failure(record)
    tasks = record.tasks
    assert tasks["push-model"].verdict == "unchanged, already the champion (version 2)"
    assert tasks["evaluate-model-2"].verdict.startswith("not needed: unchanged")
    assert tasks["push-model-2"].verdict == tasks["push-model"].verdict == outcome(record)


@pytest.mark.slow
def test_without_its_artifacts_a_run_takes_the_results_that_the_store_has(project):
    run(project, RunObserver())
    shutil.rmtree(project / "store" / "pipeline_root")
    record = run(project, RunObserver())
    assert record.state == "succeeded", describe_failure(record)
    tasks = record.tasks
    assert {task.state for task in tasks.values()} == {"succeeded"}
    reused = {name for name, task in tasks.items() if "; reused, made 20" in task.verdict}
    assert reused == {
        "compute-statistics", "transform-features", "train-model", "evaluate-model", "check-serving",
    }  # fmt: skip
    assert tasks["train-model"].metrics["auc"] > 0.5
    assert tasks["evaluate-model"].metrics["auc"] > 0.5
    assert tasks["push-model"].verdict.startswith("unchanged, already the champion")
