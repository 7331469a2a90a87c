import json
import shutil
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.runs.run_records import RunKey, note_submission, recording
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.spans import stored_spans
from retrainer.components.lib.store import Store
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.runs.record_store import save_run
from retrainer.pipelines.runs.records import ArtifactRecord, RunRecord, TaskRecord

CONFIG = """\
name: orders
data: {{pattern: "in/{{span}}.csv", label: label}}
model: {{module: model.py}}
evaluation: {{metrics_specs: [{{metrics: [{{class_name: AUC}}]}}]}}
store: {store}
"""


@pytest.fixture
def project(tmp_path):
    """A project whose spans 1 and 2 are ingested, 2 in two versions: `first` and the newest."""

    class Project:
        store = str(tmp_path / "store")
        file = str(tmp_path / "retrain.yaml")
        examples = str(tmp_path / "examples")

        def ingest(self, pattern="{span}.csv", span="latest"):
            source, settings = str(tmp_path / "in" / pattern), IngestSettings("label")
            return ingest(source, self.store, settings, self.examples, span)

        def write(self, span, rows):
            text = "id,label\n" + "".join(f"{row},0\n" for row in range(rows)) + "x,\n"
            (tmp_path / "in" / f"{span}.csv").write_text(text)

        def call(self, *arguments):
            done = CliRunner().invoke(cli, ["spans", *arguments, "--file", self.file])
            if done.exception:
                raise done.exception
            return done.output

        def versions(self):
            described = json.loads(self.call("show", "2", "--json"))
            return [version["version"] for version in described["versions"]]

        def record(self, metadata, state="succeeded", **more):
            artifact = ArtifactRecord("system.Dataset", self.examples, metadata=metadata)
            task = TaskRecord("ingest-spans", output_artifacts={"examples": artifact})
            run = RunRecord("run-1", "orders", self.store, state, tasks={task.name: task}, **more)
            save_run(run)

    made = Project()
    (tmp_path / "in").mkdir()
    (tmp_path / "model.py").touch()
    (tmp_path / "retrain.yaml").write_text(CONFIG.format(store=made.store))
    made.write(1, 3)
    made.write(2, 4)
    made.first = made.ingest().versions["2"]
    shutil.copytree(made.examples, tmp_path / "first")
    made.write(2, 5)
    made.ingest()
    made.first_examples = str(tmp_path / "first")
    return made


def test_list_has_a_line_for_each_span(project):
    lines = project.call("list").splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:4] == ["1", "1", "3", "1"]
    assert lines[2].split()[:5] == ["2", "2", "5", "1", "unlabelled"]
    described = json.loads(project.call("list", "--json"))
    assert [(one["span"], len(one["versions"])) for one in described] == [("1", 1), ("2", 2)]
    newest = described[1]["versions"][-1]
    assert (newest["rows"], newest["set_aside"], len(newest["sources"])) == (
        5,
        {"unlabelled": 1},
        1,
    )
    assert newest["bytes"] > 0
    assert newest["replaced"] == project.first


def test_show_lists_sources_counts_and_columns_newest_first(project):
    shown = project.call("show", "2")
    assert shown.index("(newest)") < shown.index(f"version {project.first}")
    for text in ("in/2.csv (", "5 kept, 1 unlabelled", "id string, label int64"):
        assert text in shown


def test_show_counts_converted_cells(project, tmp_path):
    (tmp_path / "in" / "1.csv").write_text("id,label\n0700,0\n700,1\n")
    project.ingest()
    note = "'id' is text, because of cells such as '0700' (leading zeros): if they are numbers,"
    assert note in project.call("show", "1")


def test_a_span_that_is_not_there_names_near_ones(project):
    with pytest.raises(RetrainerError, match=r"no span '22' .*such as 2 \(retrainer spans list\)"):
        project.call("show", "22")


def test_prune_removes_what_nobody_refers_to(project):
    said = project.call("prune", "--older-than", "0", "--dry-run")
    assert f"would free 2 {project.first}" in said
    assert len(project.versions()) == 2
    assert "freed 1 version," in project.call("prune", "--older-than", "0")
    assert project.first not in project.versions()
    assert "freed 0 versions" in project.call("prune", "--older-than", "0")


def test_prune_keeps_what_a_newer_version_followed_lately(project):
    assert "freed 0 versions" in project.call("prune")
    assert len(project.versions()) == 2


def test_prune_refuses_days_before_the_calendar_begins(project):
    with pytest.raises(SystemExit):
        project.call("prune", "--older-than", "1e9")
    assert "freed 0 versions" in project.call("prune", "--older-than", "36500")


def test_two_prunes_at_once_are_both_content(project, monkeypatch):
    removed = stored_spans.remove_version
    # The other one is faster.
    monkeypatch.setattr(stored_spans, "remove_version", lambda one: (removed(one), removed(one)))
    assert "freed 1 version," in project.call("prune", "--older-than", "0")


def test_prune_keeps_what_a_run_used(project):
    project.record({"spans": {"2": project.first}})
    said = project.call("prune", "--older-than", "0")
    assert "kept for runs and models that used them: 1 version" in said
    assert project.first in project.versions()


def test_prune_keeps_what_a_run_used_that_spells_the_span_otherwise(project, tmp_path):
    (tmp_path / "in" / "2024").mkdir()
    project.write("2024/01-01", 3)
    project.write("2024/01-02", 4)
    first = project.ingest("{span:%Y/%m-%d}.csv").versions["2024/01-02"]
    project.write("2024/01-02", 5)
    project.ingest("{span:%Y/%m-%d}.csv")
    project.record({"spans": {"2024-01-02": first}})
    said = project.call("prune", "--older-than", "0")
    assert "kept for runs and models that used them: 1 version" in said


def test_prune_finds_the_versions_of_a_run_that_noted_none_in_its_manifest(project):
    project.examples = project.first_examples
    project.record({})
    project.call("prune", "--older-than", "0")
    assert project.first in project.versions()


def test_prune_names_the_runs_and_the_champion_without_noted_versions(project, tmp_path):
    project.examples = str(tmp_path / "gone")
    project.record({})
    registry = Registry(Store(project.store).models_uri)
    (tmp_path / "model").mkdir()
    version = registry.add(str(tmp_path / "model"), "0" * 64, {"run": "on-vertex"}).version
    registry.move_alias(CHAMPION, version, None, {})
    said = project.call("prune", "--dry-run")
    assert "run run-1 does not say which versions it used" in said
    assert "champion 1: its run (on-vertex) left no record; its spans are not known" in said


def note(project, job, **notes):
    """What ingest_spans notes of a run on Vertex AI or Kubeflow."""
    with recording(project.store, "ingest_spans", "orders-1", "", job) as record:
        record.note(**notes)


def test_prune_keeps_what_a_run_elsewhere_used(project):
    note(project, "u1", spans={"2": project.first})
    said = project.call("prune", "--older-than", "0")
    assert "kept for runs and models that used them: 1 version" in said
    assert project.first in project.versions()


def test_prune_keeps_the_spans_of_a_champion_whose_run_left_no_record(project, tmp_path):
    registry = Registry(Store(project.store).models_uri)
    (tmp_path / "model").mkdir()
    info = {"run": "before-records", "train_spans": ["1"], "eval_spans": ["2"]}
    version = registry.add(str(tmp_path / "model"), "0" * 64, info).version
    registry.move_alias(CHAMPION, version, None, {})
    said = project.call("prune", "--older-than", "0")
    assert "champion 1: its run (before-records) left no record; its spans are kept whole" in said
    assert project.first in project.versions()


def test_a_champion_whose_run_is_recorded_keeps_no_more_than_it_used(project, tmp_path):
    registry = Registry(Store(project.store).models_uri)
    (tmp_path / "model").mkdir()
    info = {"run": "orders-1", "train_spans": ["1"], "eval_spans": ["2"]}
    version = registry.add(str(tmp_path / "model"), "0" * 64, info).version
    registry.move_alias(CHAMPION, version, None, {})
    note(project, "u1", spans={"2": project.versions()[-1]})
    assert "freed 1 version" in project.call("prune", "--older-than", "0")


def test_prune_forgets_old_runs_if_asked_and_never_the_champions(project, tmp_path):
    note(project, "u1", spans={"2": project.first})
    old = ("prune", "--older-than", "0", "--runs-older-than")
    assert "freed 0 versions" in project.call(*old, "1")
    assert "would free 1 version" in project.call(*old, "0", "--dry-run")
    registry = Registry(Store(project.store).models_uri)
    (tmp_path / "model").mkdir()
    version = registry.add(str(tmp_path / "model"), "0" * 64, {"run": "orders-1"}).version
    registry.move_alias(CHAMPION, version, None, {})
    assert "freed 0 versions" in project.call(*old, "0")


def test_prune_forgets_old_runs_of_this_machine_unless_they_go_on(project):
    project.record({"spans": {"2": project.first}}, started="2024-06-01T00:00:00+00:00")
    assert "would free 1 version" in project.call(
        "prune", "--older-than", "0", "--runs-older-than", "1", "--dry-run"
    )
    long = {"started": "2024-06-01T00:00:00+00:00", "resumed": [datetime.now(UTC).isoformat()]}
    project.record({"spans": {"2": project.first}}, **long)
    assert "freed 0 versions" in project.call(
        "prune", "--older-than", "0", "--runs-older-than", "1"
    )


def test_prune_names_runs_elsewhere_that_may_still_choose_their_spans(project):
    note_submission(project.store, RunKey("orders-2", "u2"), {"target": "kubeflow"})
    said = project.call("prune", "--dry-run")
    assert "run orders-2 has not recorded yet which versions it uses" in said
    long_ago = {"target": "kubeflow", "created_at": "2024-01-01T00:00:00+00:00"}
    note_submission(project.store, RunKey("orders-2", "u2"), long_ago)
    assert "orders-2" not in project.call("prune", "--dry-run")


def test_a_pruned_version_is_ingested_again_when_its_source_comes_back(project):
    project.call("prune", "--older-than", "0")
    project.write(2, 4)
    assert project.ingest().versions["2"] == project.first
    assert project.versions()[-1] == project.first


def test_a_store_without_spans_is_named(project):
    shutil.rmtree(project.store)
    assert project.call("list").strip() == f"no spans yet in '{project.store}'"
    assert project.call("list", "--json").strip() == "[]"


def test_an_excluded_span_is_not_used_until_it_is_included_again(project):
    project.write(3, 6)
    assert "next run skips it" in project.call("exclude", "2", "--why", "counter stuck")
    ingested = project.ingest()
    assert list(ingested.versions) == ["1", "3"]
    assert ingested.verdict.endswith("excluded: 2 (counter stuck)")
    listed = project.call("list")
    assert "2 (excluded)" in listed
    assert "excluded: 2, counter stuck (" in listed
    described = {one["span"]: one for one in json.loads(project.call("list", "--json"))}
    assert described["2"]["excluded"]["why"] == "counter stuck"
    assert described["1"]["excluded"] is None
    with pytest.raises(
        RetrainerError, match=r"span '2' is excluded: counter stuck .*spans include 2"
    ):
        project.ingest(span="2")
    assert "included 2, excluded on" in project.call("include", "2")
    assert list(project.ingest().versions) == ["1", "2", "3"]


def test_a_span_that_is_excluded_before_its_first_run_has_to_be_in_the_source(project):
    project.write(4, 6)
    project.call("exclude", "4", "--why", "known to be wrong")
    assert "excluded: 4, known to be wrong" in project.call("list")
    with pytest.raises(RetrainerError, match=r"no span '5', neither in .* nor in the data"):
        project.call("exclude", "5", "--why", "typed wrongly")
    with pytest.raises(RetrainerError, match="--why is empty"):
        project.call("exclude", "4", "--why", " ")
