"""Which spans a run takes: window, split, missing, incomplete and excluded ones."""

from datetime import datetime

import pytest

from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.spans.exclusions import exclude

HEADER = "id,city,amount,label\n"


def test_the_newest_spans_evaluate_and_the_older_ones_train(project):
    examples, verdict = project.run()
    assert [part.span for part in examples.splits["train"]] == ["1", "2"]
    assert [part.span for part in examples.splits["eval"]] == ["3"]
    assert (examples.rows("train"), examples.rows("eval")) == (20, 10)
    assert verdict.startswith("3 ingested (1, 2, 3); 20 rows to train, 10 to evaluate")


def test_one_span_alone_says_that_there_is_nothing_to_train_on(project):
    with pytest.raises(RetrainerError, match=r"only 1 span .*nothing is left"):
        project.run(span="1")


@pytest.mark.parametrize(("setting", "least"), [("window", 1), ("eval_spans", 1), ("min_spans", 0)])
def test_a_number_of_spans_that_cannot_be_is_named(project, setting, least):
    with pytest.raises(RetrainerError, match=rf"{setting} is {least - 1}; .*data\.{setting}"):
        project.run(**{setting: least - 1})


def test_by_default_the_newest_of_three_spans_evaluates(project, tmp_path):
    project.span("4", HEADER + "1,Ulm,1,0\n")
    out = str(tmp_path / "examples")
    found = ingest(project.pattern, project.store, IngestSettings("label"), out)
    examples = Examples.read(out)
    assert (found.newest_span, examples.spans) == ("4", ("2", "3", "4"))
    assert [part.span for part in examples.splits["eval"]] == ["4"]
    assert found.versions == examples.versions
    (tmp_path / "in" / "3.csv").unlink()
    with pytest.raises(RetrainerError, match="1 span is missing: 3"):
        ingest(project.pattern, project.store, IngestSettings("label"), out)


def test_a_missing_span_stops_the_run_unless_enough_are_there(project, tmp_path):
    (tmp_path / "in" / "2.csv").unlink()
    with pytest.raises(RetrainerError, match=r"missing: 2\."):
        project.run()
    assert not (tmp_path / "store").exists()
    examples, _ = project.run(min_spans=2)
    assert examples.spans == ("1", "3")


def test_a_newest_span_without_its_marker_waits_and_is_mentioned(project, tmp_path):
    for name in "12":
        (tmp_path / "in" / f"{name}.ok").touch()
    examples, verdict = project.run(marker="{span}.ok")
    assert examples.spans == ("1", "2")
    assert verdict.endswith("; incomplete, without {span}.ok: 3")
    assert "not there" not in project.run(marker="{span}.ok", span="2")[1]
    (tmp_path / "in" / "3.ok").touch()
    examples, verdict = project.run(marker="{span}.ok")
    assert examples.spans == ("1", "2", "3")
    assert "not there" not in verdict


def test_of_excluded_and_incomplete_spans_those_of_the_window_are_mentioned(project, tmp_path):
    for name in "456":
        project.span(name, HEADER + f"{name},Ulm,1,0\n")
    for name in "12345":
        (tmp_path / "in" / f"{name}.ok").touch()
    for name in "135":
        exclude(project.store, name, f"wrong {name}", "Ada")
    examples, verdict = project.run(marker="{span}.ok", window=2)
    assert examples.spans == ("2", "4")
    assert "wrong 3" in verdict
    assert "wrong 5" in verdict
    assert "wrong 1" not in verdict
    assert verdict.endswith("; incomplete, without {span}.ok: 6")
    assert examples.excluded == ("1", "3", "5")
    _, older = project.run(marker="{span}.ok", window=2, span="4")
    assert "wrong 3" in older
    assert "wrong 5" not in older
    assert "incomplete" not in older
    with pytest.raises(RetrainerError, match=r"span '3' is excluded: wrong 3 \(.*spans include 3"):
        project.run(marker="{span}.ok", span="3")


def test_a_span_is_called_as_its_pattern_has_it_whoever_ingested_its_rows(project, tmp_path):
    for name in ("2024/01/30.csv", "2024/01/31.csv", "2024-01-30.csv", "2024-01-31.csv"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(HEADER + f"{name[-6:-4]},Ulm,1,0\n")
    for date_format in ("%Y/%m/%d", "%Y-%m-%d"):
        project.pattern = str(tmp_path / "in" / f"{{span:{date_format}}}.csv")
        examples, _ = project.run()
        assert examples.newest_span == f"{datetime(2024, 1, 31):{date_format}}"
        assert list(examples.versions) == list(examples.spans)
        (part,) = examples.splits["eval"]
        assert part.span == examples.newest_span
