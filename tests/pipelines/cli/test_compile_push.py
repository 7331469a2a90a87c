"""`retrainer compile --push`, and runs of what was pushed."""

import json

import pytest
from servers.registry import RegistryServer

from retrainer.components.lib.errors import RetrainerError


@pytest.fixture
def registry():
    with RegistryServer() as server:
        yield server


def test_what_is_pushed_is_named_by_its_digest_and_is_run_by_it(
    retrainer, project, registry, tmp_path
):
    repository = registry.repository
    said = retrainer(
        "compile", project, "-o", tmp_path / "pipeline.yaml", "--push", "--tag", "stable",
        "--template-repository", repository,
    )  # fmt: skip
    pushed = said.splitlines()[-1].removeprefix("pushed ")
    assert pushed.startswith(f"{repository}/orders/sha256:")
    # A service takes templates of Artifact Registry alone, so that the request is only looked at.
    template = f"{repository}/orders/stable"
    said = retrainer("submit", project, "--to", "vertex", "--template", template, "--dry-run")
    body = json.loads(said)["body"]
    assert body["templateUri"] == pushed
    assert "pipelineSpec" not in body


@pytest.fixture
def pushed(retrainer, project, registry, tmp_path):
    """Push the project's pipeline: its URI. Then let the project have another image and a model with a mistake."""
    output = tmp_path / "pipeline.yaml"
    uri = retrainer(
        "compile", project, "-o", output, "--push", "--template-repository", registry.repository
    ).splitlines()[-1].removeprefix("pushed ")  # fmt: skip
    file = project / "retrain.yaml"
    kept = [line for line in file.read_text().splitlines() if not line.startswith("image:")]
    file.write_text("\n".join(kept))
    (project / "model.py").write_text("this is no Python")
    return uri


def test_a_template_runs_whatever_image_and_model_this_machine_has(retrainer, project, pushed):
    said = retrainer("submit", project, "--to", "vertex", "--template", pushed, "--dry-run")
    assert json.loads(said)["body"]["templateUri"] == pushed


def test_a_schedule_of_a_template_needs_nothing_of_this_machine_either(retrainer, project, pushed):
    create = ("schedule", "create", project, "--to", "vertex", "--cron", "@daily", "--dry-run")
    body = json.loads(retrainer(*create, "--template", pushed))["body"]
    assert body["createPipelineJobRequest"]["pipelineJob"]["templateUri"] == pushed


def test_parameters_are_those_of_the_template(retrainer, project, pushed, registry):
    package, digest = pushed.split("/")[-2:]
    text = registry.versions[package, digest]
    registry.versions[package, digest] = text.replace("allow_older", "allow_old")
    submit = ("submit", project, "--to", "vertex", "--template", pushed, "--dry-run")
    with pytest.raises(RetrainerError, match="has no parameter 'allow_older'; it has allow_old, "):
        retrainer(*submit, "--allow-older")


def test_an_image_is_not_for_a_template(retrainer, project, pushed):
    with pytest.raises(RetrainerError, match="--image does not apply to templates"):
        retrainer("submit", project, "--to", "vertex", "--template", pushed, "--image", "a/b:1")


def test_a_template_whose_store_lies_on_one_machine_is_refused(
    retrainer, project, pushed, registry
):
    for key, text in registry.versions.items():
        registry.versions[key] = text.replace("gs://acme-ml/store", "/home/me/store")
    with pytest.raises(RetrainerError, match="store is '/home/me/store', a folder of this machine"):
        retrainer("submit", project, "--to", "vertex", "--template", pushed)


@pytest.mark.parametrize("text", ["a: [", "just: text"])
def test_a_template_that_is_no_pipeline_is_refused(retrainer, project, pushed, registry, text):
    registry.versions = dict.fromkeys(registry.versions, text)
    with pytest.raises(RetrainerError, match="holds no compiled pipeline"):
        retrainer("submit", project, "--to", "vertex", "--template", pushed)


def test_there_must_be_somewhere_to_push_to(retrainer, project, tmp_path):
    with pytest.raises(RetrainerError, match=r"targets\.vertex\.template_repository"):
        retrainer("compile", project, "-o", tmp_path / "pipeline.yaml", "--push")
