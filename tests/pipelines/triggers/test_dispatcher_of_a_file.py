import pytest
from servers.memory_target import MemoryTarget
from servers.small_project import MODEL
from servers.trigger_messages import message

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.triggers.dispatch import make_dispatcher
from retrainer.pipelines.triggers.types import Result

SMALLEST = """\
name: orders
data: {pattern: "gs://acme/day={span}/*.csv", label: returned}
evaluation: {metrics_specs: [{metrics: [{class_name: AUC}]}]}
"""


@pytest.fixture
def project(tmp_path):
    def write(text):
        (tmp_path / "model.py").write_text(MODEL)
        (tmp_path / "retrain.yaml").write_text(SMALLEST + text)
        return load_config(tmp_path)

    return write


def test_a_dispatcher_of_a_file_claims_in_its_store(project, tmp_path):
    loaded = project("triggers: {ask: {kind: request}}\n")
    dispatcher = make_dispatcher(loaded, MemoryTarget(names_runs=False))
    assert dispatcher.handle(message({"id": "q1"})).result == Result.STARTED
    (folder,) = (tmp_path / "store" / "claims" / "runs").iterdir()
    assert folder.name.startswith("orders-q1-")


def test_a_relative_folder_of_claims_starts_at_the_file(project, tmp_path):
    loaded = project("triggers: {ask: {kind: request}}\ntrigger_service: {claims: here}\n")
    make_dispatcher(loaded, MemoryTarget(names_runs=False))
    assert (tmp_path / "here" / "probe").is_dir()


def test_where_nothing_is_claimed_or_counted_nothing_is_written(project, tmp_path):
    loaded = project("triggers: {ask: {kind: request}}\n")
    make_dispatcher(loaded, MemoryTarget(names_runs=True)).handle(message({}))
    assert not (tmp_path / "store").exists()


def test_limits_are_counted_whatever_the_target(project, tmp_path):
    loaded = project("triggers: {ask: {kind: request, daily_limit: 1}}\n")
    dispatcher = make_dispatcher(loaded, MemoryTarget(names_runs=True))
    assert dispatcher.handle(message({"id": "q1"})).result == Result.STARTED
    assert dispatcher.handle(message({"id": "q2"})).result == Result.DEFERRED


def test_a_file_without_triggers_says_so(project):
    with pytest.raises(RetrainerError, match="has no triggers"):
        make_dispatcher(project(""), MemoryTarget(names_runs=True))
