"""A run's index and the headers of its reports."""

import json
import re
from pathlib import Path

import pytest

from retrainer.components.lib.report.page import RUN_MARKER, render_page
from retrainer.pipelines.local.run_pages import write_pages
from retrainer.pipelines.runs.records import (
    ArtifactRecord,
    RunRecord,
    RunState,
    TaskRecord,
    TaskState,
)


@pytest.fixture
def run(tmp_path):
    """A finished run with two reports, one of another program's."""
    record = RunRecord(
        "june-1",
        "orders",
        str(tmp_path / "store"),
        RunState.SUCCEEDED,
        "2026-06-01T10:00:00.000+00:00",
        seconds=83.2,
        parameters={"span": "latest"},
    )
    for name, html in (
        ("validate-examples", render_page("Validation", "fine", True, {}, "")),
        ("evaluate-model", render_page("Evaluation", "fine", True, {}, "")),
        ("other", "<html>mine</html>"),
    ):
        report = f"reports/{name}.html"
        record.tasks[name] = TaskRecord(
            name,
            title=name.replace("-", "_"),
            state=TaskState.SUCCEEDED,
            seconds=1.5,
            outputs={"verdict": "no <errors>"},
            reports=[report],
        )
        path = Path(record.locate(report))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html)
    record.tasks["push-model"] = TaskRecord(
        "push-model",
        title="push_model",
        state=TaskState.SUCCEEDED,
        outputs={"verdict": "version 1"},
    )
    return record


def read(run, path):
    return Path(run.locate(path)).read_text()


def test_each_report_names_its_run_and_links_to_the_others(run):
    write_pages(run)
    page = read(run, "reports/evaluate-model.html")
    assert "orders, run june-1, started 2026-06-01 10:00 UTC" in page
    assert "<b>evaluate_model</b>" in page
    for url in re.findall(r'href="([^"]+)"', page):
        assert (Path(run.locate("reports")) / url).is_file()
    assert len(re.findall(r'href="', page)) == 3, "the index and the two other reports"
    assert read(run, "reports/other.html") == "<html>mine</html>"


def test_a_second_writing_replaces_the_first(run):
    write_pages(run)
    once = read(run, "reports/evaluate-model.html")
    write_pages(run)
    assert read(run, "reports/evaluate-model.html") == once
    assert once.count(RUN_MARKER) == 1


def test_the_index_has_every_task_with_its_result_and_its_report(run):
    write_pages(run)
    page = read(run, "index.html")
    assert "Run june-1" in page
    assert "version 1" in page
    assert "1 min 23 s" in page
    assert page.count("no &lt;errors&gt;") == 3
    assert '<a href="reports/validate-examples.html">validate_examples</a>' in page
    assert "span" in page


def test_the_index_of_a_failed_run_says_what_failed(run):
    task = run.tasks["evaluate-model"]
    task.state, task.error = TaskState.FAILED, "no rows.\nSecond line"
    run.state, run.error = RunState.FAILED, "evaluate_model: no rows."
    write_pages(run)
    page = read(run, "index.html")
    assert "evaluate_model: no rows." in page
    assert 'class="verdict bad"' in page
    assert "no rows.<br>Second line" in page


def test_the_index_draws_what_training_wrote_of_its_epochs(run, tmp_path):
    epochs = [
        {"loss": 0.9, "val_loss": 0.8},
        {"loss": 0.5, "val_loss": 0.6},
        {"loss": 0.3, "val_loss": 0.7},
    ]
    curve = tmp_path / "metrics" / "learning_curve.json"
    curve.parent.mkdir()
    curve.write_text(json.dumps({"format": 1, "epochs": epochs, "best_epoch": 2}))
    artifact = ArtifactRecord("system.Metrics", str(curve.parent))
    run.tasks["train-model"] = TaskRecord("train-model", output_artifacts={"metrics": artifact})
    write_pages(run)
    page = read(run, "index.html")
    assert page.count("<polyline") == 2, "training and held out"
    assert "weights of epoch 2 of 3" in page
    curve.write_text(json.dumps({"format": 1, "epochs": epochs[:1], "best_epoch": 1}))
    write_pages(run)
    assert "Learning curve" not in read(run, "index.html"), "one epoch has no curve"
