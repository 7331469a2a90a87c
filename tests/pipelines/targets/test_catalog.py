"""A target that one module describes is everywhere once the list names the module."""

import json
import subprocess
import sys

import pytest
from servers.small_project import MODEL

BATCH = '''
"""A cluster that takes runs as files in a folder."""

import json
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from retrainer.pipelines.project.sections.section import Section
from retrainer.pipelines.targets.errors import RefusedError
from retrainer.pipelines.targets.interface import TargetKind
from retrainer.pipelines.targets.types import RemoteRun, RemoteState, Submission


class BatchConfig(Section):
    """A batch system."""

    queue_folder: str | None = Field(None, description="Folder that it takes runs from.")
    priority: int = Field(1, ge=1, le=9, description="Which runs are first.")


class BatchTarget:
    name = "batch"
    names_runs = True

    def __init__(self, settings, pipeline):
        self.place = {"queue_folder": settings.queue_folder}
        self._settings, self._pipeline = settings, pipeline

    def describe(self, request):
        return {"run": request.run_id, "priority": self._settings.priority}

    def submit(self, request):
        file = Path(self._settings.queue_folder) / f"{request.run_id}.json"
        existed = file.exists()
        body = {**self.describe(request), "pipeline": self._pipeline.spec["pipelineInfo"]["name"]}
        file.write_text(json.dumps(body))
        return self._submission(request.run_id, existed)

    def list_runs(self, most):
        files = sorted(Path(self._settings.queue_folder).glob("*.json"))
        return [
            RemoteRun(self._submission(file.stem, True), RemoteState.PENDING)
            for file in files[:most]
        ]

    def _submission(self, run_id, existed):
        created = datetime(2026, 1, 1, tzinfo=UTC)
        return Submission(run_id, f"batch/{run_id}", "https://batch", created, existed)


def open_batch(loaded, settings, pipeline, *, deadline_seconds, starts_runs):
    return BatchTarget(settings, pipeline)


def wrong_values(settings):
    if settings.queue_folder == "/":
        yield "queue_folder", "targets.batch.queue_folder is '/', and must be a folder of its own."


TARGET = TargetKind(
    title="Batch",
    section=BatchConfig,
    open=open_batch,
    is_configured=lambda settings: bool(settings.queue_folder),
    wrong_values=wrong_values,
)
'''
COMMANDS = """
import json, sys
from retrainer.pipelines.project.sections.targets import TARGETS

TARGETS["batch"] = "batch_target"
from click.testing import CliRunner
from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli.main import cli

results = []
for arguments in json.loads(sys.argv[1]):
    result = CliRunner().invoke(cli, arguments)
    error = str(result.exception) if isinstance(result.exception, RetrainerError) else ""
    results.append([result.exit_code, result.output + error])
print(json.dumps(results))
"""


@pytest.fixture
def ask(tmp_path, project):
    """Run commands in a process whose list of targets has one more line."""
    (tmp_path / "batch_target.py").write_text(BATCH)

    def run(*commands: list[object]) -> list[list]:
        arguments = json.dumps([[str(argument) for argument in command] for command in commands])
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", COMMANDS, arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture
def project(tmp_path):
    """A project that runs on that target."""
    (tmp_path / "queue").mkdir()
    (tmp_path / "model.py").write_text(MODEL)
    file = tmp_path / "retrain.yaml"
    file.write_text(
        "name: orders\n"
        "image: europe-west1-docker.pkg.dev/acme-ml/images/retrainer@sha256:" + "0" * 64 + "\n"
        "store: memory://store\n"
        "data: {pattern: 'gs://acme-ml/day={span}/*.parquet', label: returned}\n"
        "evaluation: {metrics_specs: [{metrics: [{class_name: AUC}]}]}\n"
        f"targets:\n  batch: {{queue_folder: {tmp_path / 'queue'}}}\n"
    )
    return file


def test_a_target_is_added_by_one_module_and_one_line_of_the_list(tmp_path, project, ask):
    submit = ["submit", project, "--to", "batch", "--run-id", "orders-1", "--priority", "7"]
    started, again, listed, helped, schema = ask(
        submit,
        submit,
        ["runs", "list", "--file", project, "--to", "batch", "--json"],
        ["submit", "--help"],
        ["config", "json-schema"],
    )
    assert started[0] == 0, started
    assert "run orders-1 submitted: https://batch" in started[1]
    assert "orders-1 exists already" in again[1]
    sent = json.loads((tmp_path / "queue" / "orders-1.json").read_text())
    assert sent == {"run": "orders-1", "priority": 7, "pipeline": "orders"}
    assert listed[0] == 0, listed
    assert '"target": "batch"' in listed[1]
    assert "vertex|kubeflow|batch" in helped[1]
    assert "Batch: Folder that it takes runs from." in " ".join(helped[1].split())
    keys = json.loads(schema[1])["$defs"]["TargetsConfig"]["properties"]["batch"]["properties"]
    assert sorted(keys) == ["priority", "queue_folder"]


def test_its_settings_are_checked_as_those_of_other_targets(project, ask):
    text = project.read_text()
    spoilt = {}
    for name, setting in {
        "key": "prioritty: 3",
        "value": "priority: 12",
        "target": "queue_folder: /",
    }.items():
        spoilt[name] = project.with_name(f"{name}.yaml")
        spoilt[name].write_text(
            text.partition("targets:")[0] + f"targets: {{batch: {{{setting}}}}}\n"
        )
    unknown = project.with_name("unknown.yaml")
    unknown.write_text(text.replace("  batch:", "  bach:"))
    said = [
        said
        for _, said in ask(*(["config", "check", file] for file in [*spoilt.values(), unknown]))
    ]
    assert "unknown key 'targets.batch.prioritty'. Did you mean 'priority'?" in said[0]
    assert "'targets.batch.priority' is 12" in said[1]
    assert "targets.batch.queue_folder is '/', and must be a folder of its own." in said[2]
    assert "unknown key 'targets.bach'" in said[3]
