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


def test_there_must_be_somewhere_to_push_to(retrainer, project, tmp_path):
    with pytest.raises(RetrainerError, match=r"targets\.vertex\.template_repository"):
        retrainer("compile", project, "-o", tmp_path / "pipeline.yaml", "--push")
