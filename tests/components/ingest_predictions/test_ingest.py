"""Ingesting a log: spans of time, versions of them, and what the table has."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from servers.log_project import DAY, NOW, Project, line, row

from retrainer.components.ingest_predictions import file_log, log_files, table_maker
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.folders import publish_folder
from retrainer.components.lib.predictions.prediction_sets import list_predictions
from retrainer.components.lib.predictions.prediction_table import read_columns


def test_a_request_of_several_instances_becomes_their_rows(project: Project) -> None:
    project.log(
        "a.jsonl.gz",
        [
            line("r1", [row(), row(1, 8.0, "ÅÄ")], [[0.25], [0.75]]),
            line("r2", [row(None, 9, "DL")], [0.5], variant="canary", sample_rate=0.1),
        ],
    )
    ingested = project.ingest()
    assert ingested.verdict == "3 rows of span 2026-11-02 ingested"
    table = project.table()
    assert table["request_id"].to_pylist() == ["r1", "r1", "r2"]
    assert table["row"].to_pylist() == [0, 1, 0]
    assert set(table["occurred_at"].to_pylist()) == {datetime(2026, 11, 2, 12, tzinfo=UTC)}
    assert table["model_version"].to_pylist() == [1, 1, 1]
    assert table["variant"].to_pylist() == ["stable", "stable", "canary"]
    assert table["sample_rate"].to_pylist() == [1.0, 1.0, 0.1]
    assert table["latency_ms"].to_pylist() == [3.25] * 3
    # As the model takes them, whatever spelling JSON had.
    assert table["distance"].to_pylist() == [100.5, 1.0, None]
    assert table["hour"].to_pylist() == [7, 8, 9]
    assert table["carrier"].to_pylist() == ["UA", "ÅÄ", "DL"]
    assert table["prediction"].to_pylist() == [0.25, 0.75, 0.5]
    assert read_columns(table.schema).features == ("carrier", "distance", "hour")
    record = project.record()
    assert record["model_versions"] == {"1": 3}
    assert record["variants"] == {"canary": 1, "stable": 2}
    assert record["period"]["end"] == "2026-11-03T00:00:00+00:00"


def test_rows_go_to_the_span_of_their_time_and_only_spans_that_are_over_are_written(
    project: Project,
) -> None:
    times = ["2026-11-02T10:59:59.999999Z", "2026-11-02T11:00:00Z", "2026-11-02T13:30:00+01:00"]
    records = [line(f"r{n}", [row()], [0.5], time) for n, time in enumerate(times)]
    project.log("a.jsonl", records, at="2026-11-02T12:40:00Z")
    now = datetime(2026, 11, 2, 13, 9, tzinfo=UTC)
    ingested = project.ingest(now, period="hour")
    assert [one.span for one in ingested.made] == ["2026-11-02T10", "2026-11-02T11"]
    assert ingested.verdict.endswith("not over: 2026-11-02T12")
    # The wait is over a minute later.
    later = project.ingest(now.replace(minute=10), period="hour")
    assert [one.span for one in later.made] == ["2026-11-02T12"]
    assert [one.span for one in later.sets] == ["2026-11-02T10", "2026-11-02T11", "2026-11-02T12"]


def test_unchanged_logs_cost_nothing_and_late_rows_make_a_new_version(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.log("a.jsonl", [line("r1", [row()], [0.5])])
    first = project.ingest().made[0]
    with monkeypatch.context() as patch:
        patch.setattr(file_log, "open_log", _fail)
        patch.setattr(log_files, "open_log", _fail)
        again = project.ingest()
        assert (again.made, again.sets) == ((), (first,))
        assert again.verdict == "nothing new in the log; 1 span ingested before"
        # Copied, with another time: read, and found to be the same.
    os.utime(project.logs / "a.jsonl")
    assert project.ingest().made == ()
    project.log("b/late.jsonl", [line("r2", [row()], [0.75])], at="2026-11-05T00:00:00Z")
    (second,) = project.ingest().made
    assert second.version != first.version
    assert project.record()["replaced"] == first.version
    assert project.table()["request_id"].to_pylist() == ["r1", "r2"]
    # Logs are deleted after a while; what was read of them stays.
    (project.logs / "a.jsonl").unlink()
    assert project.ingest().sets == (second,)
    project.log("c.jsonl", [line("r3", [row()], [0.25])], at="2026-11-06T00:00:00Z")
    (third,) = project.ingest().made
    assert project.table()["request_id"].to_pylist() == ["r1", "r2", "r3"]
    assert project.ingest().sets[0] == third
    # Another model takes other columns, which can't be had of logs that are gone.
    project.push({"distance": 1})
    assert project.ingest().sets[0] == third


def _fail(*_: object) -> None:
    raise AssertionError("a file was opened")


def test_a_log_that_is_written_elsewhere_is_added_to_what_was_read(project: Project) -> None:
    project.log("old/a.jsonl", [line("r1", [row()], [0.5])])
    project.ingest(uri=str(project.logs / "old"))
    record = {"request_id": "r2", "occurred_at": f"{DAY}T13:00:00Z", "prediction": 0.25, **row()}
    project.log("new/a.jsonl", [record])
    settings = {"uri": str(project.logs / "new"), "format": "json_lines"}
    project.ingest(**settings)
    assert project.table()["request_id"].to_pylist() == ["r1", "r2"]
    assert project.ingest(**settings).made == ()


def test_equal_logs_in_other_files_make_the_same_version(project: Project, tmp_path: Path) -> None:
    records = [line(f"r{n}", [row(n)], [0.5]) for n in range(4)]
    project.log("a.jsonl", records)
    first = project.ingest().made[0]
    other = Project.__new__(Project)
    (tmp_path / "other").mkdir()
    Project.__init__(other, tmp_path / "other")
    other.push()
    other.log("renamed.jsonl.gz", records, at="2026-11-04T00:00:00Z")
    assert other.ingest().made[0].version == first.version


def test_a_growing_file_is_read_again_only_for_spans_that_have_new_lines(project: Project) -> None:
    early = line("r1", [row()], [0.5], "2026-11-02T09:30:00Z")
    project.log("app.log", [early], at="2026-11-02T10:20:00Z")
    now = datetime(2026, 11, 2, 10, 20, tzinfo=UTC)
    first = project.ingest(now, period="hour").made[0]
    half = b'{"request_id": "r3", "time": "2026-11-02T11:4'
    late = line("r2", [row()], [0.75], "2026-11-02T10:30:00Z")
    project.log("app.log", [early, late, half], at="2026-11-02T11:20:00Z")
    ingested = project.ingest(now.replace(hour=11), period="hour")
    assert [one.span for one in ingested.made] == ["2026-11-02T10"]
    assert ingested.sets[0] == first


def test_the_same_request_counts_once_and_the_later_record_wins(project: Project) -> None:
    failed = line("r1", [row()], None, status=503, response='{"error": "overloaded"}')
    again = line("r1", [row()], [0.5])
    project.log("a.jsonl", [failed, again, again])
    project.log("copy.jsonl", [failed, again, again])
    project.ingest()
    assert project.table()["prediction"].to_pylist() == [0.5]
    assert project.counts()["duplicates"] == 5


def test_rows_of_two_models_stay_apart_by_their_version(project: Project) -> None:
    project.push()
    project.log(
        "a.jsonl",
        [
            line("r1", [row()], [0.1], model_version="1"),
            line("r2", [row()], [0.2], model_version="2"),
            line("r3", [row()], [0.3], model_version="xgb-77"),
            line("r4", [row()], [0.4], model_version="nobody-knows"),
        ],
    )
    project.ingest(versions={"xgb-77": 1.0})
    assert project.table()["model_version"].to_pylist() == [1, 2, 1, None]
    record = project.record()
    assert record["model_versions"] == {"1": 2, "2": 1, "unknown": 1}
    assert record["model_version"] is None
    assert record["counts"]["unversioned"] == 1


def test_rows_without_a_version_are_the_champions_of_their_moment(project: Project) -> None:
    moves = project.registry.alias("champion").moves()
    assert moves[-1].version == 1
    project.log("a.jsonl", [line("r1", [row()], [0.1], model_version=None)])
    project.ingest()
    # The champion of then was pushed without a time, so it always was.
    assert project.table()["model_version"].to_pylist() == [1]
    assert project.counts()["unversioned"] == 1
    project.ingest(unversioned="unknown")
    assert project.table()["model_version"].to_pylist() == [None]


def test_a_span_of_batch_predictions_is_not_mixed_with_a_log(project: Project) -> None:
    project.log("a.jsonl", [line("r1", [row()], [0.5])])
    project.ingest()
    found = project.sets()[0]
    text = Path(found.uri, "predictions.json").read_text()
    Path(found.uri, "predictions.json").write_text(
        text.replace("ingest_predictions", "predict_batch")
    )
    project.log("b.jsonl", [line("r2", [row()], [0.5])])
    with pytest.raises(RetrainerError, match=r"predict\.output.*monitoring\.predictions\.period"):
        project.ingest()


def test_without_a_model_or_a_folder_the_error_says_so(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with pytest.raises(RetrainerError, match="no model is in service"):
        project.ingest()
    project.push()
    assert project.ingest().verdict == "the log is empty"
    project.file("a.jsonl.zst", b"x")
    assert "there is a.jsonl.zst" in project.ingest().verdict
    with pytest.raises(RetrainerError, match=r"Fix monitoring\.predictions\.uri"):
        project.ingest(uri=str(tmp_path / "nowhere"))


def test_since_leaves_out_what_is_older(project: Project) -> None:
    days = [f"2026-11-0{day}T12:00:00Z" for day in (1, 2, 3)]
    project.log("a.jsonl", [line(d, [row()], [0.5], d) for d in days], at="2026-11-04T00:00:00Z")
    assert [one.span for one in project.ingest(since=DAY).made] == [DAY, "2026-11-03"]
    assert [one.span for one in project.ingest(NOW).made] == ["2026-11-01"]


def test_sets_that_were_replaced_long_ago_are_removed(project: Project) -> None:
    versions = []
    for number in range(3):
        project.log(f"{number}.jsonl", [line(f"r{number}", [row()], [0.5])])
        versions.append(project.ingest().made[0].version)
    assert [one.version for one in project.sets()] == versions
    for days, one in zip((9, 2), project.sets(), strict=False):
        record = Path(one.uri, "predictions.json")
        earlier = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        record.write_text(json.dumps({**json.loads(record.read_text()), "scored": earlier}))
    project.log("3.jsonl", [line("r3", [row()], [0.5])])
    versions.append(project.ingest().made[0].version)
    # The second is read still, perhaps: it was replaced a moment ago.
    assert [one.version for one in project.sets()] == versions[1:]


def test_a_look_that_is_killed_leaves_no_half_set_and_two_at_once_make_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [f"2026-11-0{day}T12:00:00Z" for day in (1, 2, 3)]
    project.log("a.jsonl", [line(d, [row()], [0.5], d) for d in days], at="2026-11-04T00:00:00Z")
    published = []

    def publish(*place: str) -> bool:
        published.append(place)
        if len(published) == 2:
            raise KeyboardInterrupt
        return publish_folder(*place)

    with monkeypatch.context() as patch:
        patch.setattr(table_maker, "publish_folder", publish)
        with pytest.raises(KeyboardInterrupt):
            project.ingest()
    whole = [one.span for one in list_predictions(project.store)]
    assert whole == ["2026-11-01"]
    assert os.listdir(f"{project.store}/predictions/{DAY}") == []
    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(project.ingest) for _ in range(2)]
        spans = [[one.span for one in look.result().sets] for look in looks]
    assert spans == [["2026-11-01", DAY, "2026-11-03"]] * 2
    assert len(list_predictions(project.store)) == 3
