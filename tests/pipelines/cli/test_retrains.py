"""Runs of incidents on this machine: started, noted, resumed, and what follows from their end."""

import json
import multiprocessing
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml
from click.testing import CliRunner
from kfp import compiler, dsl
from servers.memory_target import MemoryTarget
from servers.small_project import MODEL

from retrainer.components.lib.monitoring.incident import Detection, Group, IncidentState
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.lib.runs.run_records import recording
from retrainer.components.lib.uris import read_text
from retrainer.pipelines.cli import retrains
from retrainer.pipelines.cli import run as run_module
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.cli.retrains import print_retrains, retrain_here, retrain_on
from retrainer.pipelines.local.run_pages import INDEX, write_pages
from retrainer.pipelines.local.runner import LocalRunner
from retrainer.pipelines.runs.record_store import load_run, save_run
from retrainer.pipelines.runs.records import RunRecord, RunState, now
from retrainer.pipelines.triggers.incidents import incident_run_id

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
YAML = """\
name: orders
data: {pattern: "data/{span}.csv", label: returned}
evaluation: {metrics_specs: [{metrics: [{class_name: AUC}]}]}
retraining: {cool_down_seconds: 0}
"""


class Machine:
    """A project on this machine whose runs end as the test says."""

    def __init__(self, folder, monkeypatch):
        self.file = folder / "retrain.yaml"
        self.file.write_text(YAML)
        (folder / "model.py").write_text(MODEL)
        self.store = str(folder / "store")
        self.records = IncidentRecords(self.store)
        self.ran: list[tuple[str, str | None]] = []
        self.states: dict[str, IncidentState] = {}
        self.ends = RunState.SUCCEEDED
        self.outcome = "refused"

        @contextmanager
        def warm():
            yield None

        monkeypatch.setattr(retrains, "warm_runner", warm)
        monkeypatch.setattr(retrains, "run_locally", self._run)

    def _run(self, _, loaded, observer, *, run_id, resume=None):
        record = RunRecord(run_id, loaded.config.name, self.store, started=now())
        record.uid = uuid.uuid4().hex
        save_run(record)
        observer.run_started(record)
        self.ran.append((run_id, resume))
        self.states[run_id] = self.incident.state
        if self.ends == RunState.INTERRUPTED:
            record.state = RunState.INTERRUPTED
            save_run(record)
            raise KeyboardInterrupt
        with recording(self.store, "push_model", run_id) as task:
            task.note(outcome=self.outcome, version=None)
            task.verdict = "AUC fell."
        record.state = self.ends
        save_run(record)
        return record

    @property
    def incident(self):
        return self.records.all()[0]

    def ask(self):
        found = Detection("estimated_quality/auc", "7", "AUC is bad.")
        made = self.records.open(Group.MODEL, 3, [found], NOON)
        self.records.change(
            made.id,
            lambda one: replace(one.changed(IncidentState.OPEN, NOON, "asked"), wants_run=True),
        )


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Machine(tmp_path, monkeypatch)


def test_a_run_is_noted_when_it_begins_and_judged_when_it_has_ended(machine, capsys):
    machine.ask()
    found = retrain_here(machine.file)
    assert [(one.incident, one.result) for one in found] == [("v3-model-1", "started")]
    (run_id,) = machine.states
    assert machine.states[run_id] == IncidentState.RETRAINING
    assert machine.incident.state == IncidentState.ESCALATED
    assert f"run {run_id} was refused by the gate: AUC fell" in machine.incident.reason
    assert print_retrains(found) == 0
    shown = capsys.readouterr().out.splitlines()[-1]
    assert shown.startswith(f"incident v3-model-1: started run {run_id}; now escalated: run")
    assert retrain_here(machine.file) == []
    assert len(machine.ran) == 1


def test_a_run_that_a_signal_ended_is_resumed_by_the_next_command(machine):
    machine.ask()
    machine.ends = RunState.INTERRUPTED
    with pytest.raises(KeyboardInterrupt):
        retrain_here(machine.file)
    assert machine.incident.state == IncidentState.RETRAINING
    machine.ends = RunState.SUCCEEDED
    (found,) = retrain_here(machine.file)
    run_id = machine.incident.run
    assert (found.result, found.run) == ("resumed", run_id)
    assert machine.ran == [(run_id, None), (run_id, run_id)]
    assert retrain_here(machine.file) == []


def test_without_incidents_nothing_is_loaded(machine, monkeypatch):
    monkeypatch.setattr(retrains, "warm_runner", None)
    assert retrain_here(machine.file) == []


def test_without_the_section_nothing_is_started(machine):
    machine.ask()
    machine.file.write_text(YAML.replace("retraining: {cool_down_seconds: 0}\n", ""))
    assert retrain_here(machine.file) == []
    assert retrain_on("vertex", machine.file, None, {}) == []
    assert machine.incident.wants_run


def test_a_service_gets_the_run_once(machine, monkeypatch):
    machine.ask()
    target = MemoryTarget(names_runs=True)
    monkeypatch.setattr(retrains, "prepare", lambda file, *_: (retrains.load_config(file), None))
    starts = [
        retrain_on("vertex", machine.file, None, {}, opened=lambda *_: target) for _ in range(2)
    ]
    assert [[one.result for one in found] for found in starts] == [["started"], []]
    assert machine.incident.run == target.ids[0]
    assert print_retrains(starts[0]) == 0


def test_the_run_and_its_page_name_the_incident(machine, capsys):
    machine.ask()
    (found,) = retrain_here(machine.file)
    arguments = ["runs", "show", found.run, "--file", str(machine.file)]
    shown = CliRunner().invoke(cli, arguments, obj=False)
    assert "incident: v3-model-1, AUC is bad" in shown.output
    as_json = CliRunner().invoke(cli, [*arguments, "--json"], obj=False)
    assert json.loads(as_json.output)["incident"] == "v3-model-1"
    record = load_run(machine.store, found.run)
    write_pages(record)
    page = read_text(record.locate(INDEX))
    assert "v3-model-1: AUC is bad" in page


@dsl.component(install_kfp_package=False)
def refuse(store: str, run: str, gate: str):
    import os
    import time

    from retrainer.components.lib.runs.run_records import recording

    while os.path.exists(gate):
        time.sleep(0.02)
    with recording(store, "push_model", run) as task:
        task.note(outcome="refused", version=None)
        task.verdict = "AUC fell."


@pytest.fixture
def toy(machine, tmp_path, monkeypatch):
    """The same project on the real runner, whose pipeline is one task that refuses its model."""

    @dsl.pipeline(name="orders")
    def pipeline(span: str = "", pattern: str = "", store: str = "", allow_older: str = ""):
        gate = str(tmp_path / "gate")
        refuse(store=store, run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER, gate=gate)

    compiler.Compiler().compile(pipeline, str(tmp_path / "toy.yaml"))
    spec = next(iter(yaml.safe_load_all((tmp_path / "toy.yaml").read_text())))
    spec["root"]["inputDefinitions"]["parameters"]["store"]["defaultValue"] = machine.store
    monkeypatch.setattr(run_module, "compile_spec", lambda _: spec)
    monkeypatch.setattr(retrains, "run_locally", run_module.run_locally)

    @contextmanager
    def warm():
        with LocalRunner(libraries=("kfp.dsl.executor_main",)) as runner:
            yield runner

    monkeypatch.setattr(retrains, "warm_runner", warm)
    return machine


def test_a_real_run_is_noted_judged_and_not_repeated(toy):
    toy.ask()
    (found,) = retrain_here(toy.file, quiet=True)
    assert (found.result, found.run) == ("started", toy.incident.run)
    assert load_run(toy.store, found.run).state == RunState.SUCCEEDED
    assert toy.incident.state == IncidentState.ESCALATED
    assert "was refused by the gate: AUC fell" in toy.incident.reason
    assert retrain_here(toy.file, quiet=True) == []


def test_after_a_crash_of_the_machine_the_run_is_resumed(toy, tmp_path):
    toy.ask()
    gate = tmp_path / "gate"
    gate.touch()
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=retrain_here, args=(toy.file,), kwargs={"quiet": True})
    process.start()
    while toy.incident.state != IncidentState.RETRAINING:
        time.sleep(0.02)
    process.kill()
    process.join()
    run_id = incident_run_id("orders", toy.incident.id)
    assert load_run(toy.store, run_id).state == RunState.DIED
    gate.unlink()
    found = retrain_here(toy.file, quiet=True)
    assert [(one.result, one.run) for one in found] == [("resumed", run_id)]
    assert (toy.incident.state, toy.incident.run) == (IncidentState.ESCALATED, run_id)
