"""What logs hold in practice: no JSON, no ids, failed requests, wrong clocks."""

import os
from datetime import UTC, datetime

import pytest
from servers.log_project import DAY, NOON, NOW, Project, line, row

from retrainer.components.lib.errors import RetrainerError


def test_what_can_not_be_used_is_quarantined_with_its_reason(project: Project) -> None:
    project.log(
        "a.jsonl",
        [
            line("good", [row()], [0.5]),
            b"<html>not json</html>",
            b'["a list"]',
            line("no-json", "distance=7", [0.5]),
            line("html", [row()], "<html>"),
            line("more", [row()], [0.5, 0.6]),
            line("no-names", "[[1, 2, 3]]", [0.5]),
            line("cell", [row("far"), row(7)], [0.5, 0.25]),
            line("fraction", [row(hour=7.5)], [0.5]),
            line("word", [row()], ["late"]),
            line("large", [], None, request=None),
            b'{"request_id": "cut", "time": "2026-11-02T1',
        ],
        at="2026-11-02T23:00:00Z",
    )
    ingested = project.ingest()
    table = project.table()
    assert table["request_id"].to_pylist() == ["good", "cell"]
    assert table["row"].to_pylist() == [0, 1]
    assert project.counts()["quarantined"] == {
        "its payload is no JSON": 3,
        "a cell is not of its column's type": 2,
        "its line is no JSON object": 1,
        "another number of predictions than instances": 1,
        "its instances have no column names": 1,
        "its prediction is no number, or not as many numbers as the model returns": 1,
        "its body was not logged": 1,
        "it is cut off": 1,
    }
    assert "11 quarantined" in ingested.verdict
    quarantine = (project.folder / ingested.made[0].uri / "unreadable.jsonl").read_text()
    assert "'distance' is no number" in quarantine
    assert '"line": 3' in quarantine


def test_requests_that_failed_are_rows(project: Project) -> None:
    project.log(
        "a.jsonl",
        [
            line("r1", [row(), row(2)], '{"error": "no such model"}', status=404),
            line("r2", "no json at all", '{"error": "bad request"}', status=400),
            line("r3", [row("far")], None, status=502, error="target unreachable"),
            line("r4", [row()], [float("nan")]),
            line("r5", [row()], [0.5]),
        ],
    )
    project.ingest()
    table = project.table()
    assert table["request_id"].to_pylist() == ["r1", "r1", "r2", "r3", "r4", "r5"]
    assert table["status"].to_pylist() == ["error"] * 5 + ["ok"]
    assert table["error"].to_pylist() == [
        "status 404: no such model",
        "status 404: no such model",
        "status 400: bad request",
        "status 502: target unreachable",
        "the model returned no finite number",
        None,
    ]
    assert table["distance"].to_pylist() == [100.5, 2.0, None, None, 100.5, 100.5]
    assert table["prediction"].null_count == 5
    assert project.record()["errors"] == 5
    assert project.counts()["quarantined"] == {}


def test_requests_without_an_id_get_one_and_are_counted(project: Project) -> None:
    bare = {name: value for name, value in line("", [row()], [0.5]).items() if name != "request_id"}
    project.log("a.jsonl", [bare, bare])
    project.log("b.jsonl", [bare])
    project.ingest()
    ids = project.table()["request_id"].to_pylist()
    assert len(set(ids)) == 3
    assert project.counts()["without_id"] == 3
    project.log("c.jsonl", [line("r1", [row()], [0.5])])
    project.ingest()
    assert set(ids) < set(project.table()["request_id"].to_pylist())


def test_a_clock_that_is_hours_ahead_does_not_count(project: Project) -> None:
    project.log(
        "a.jsonl",
        [
            line("ahead", [row()], [0.5], "2026-11-02T18:00:00Z"),
            line("little", [row()], [0.5], "2026-11-02T12:59:00Z"),
            line("far", [row()], [0.5], "2031-01-01T00:00:00Z"),
            line("none", [row()], [0.5], "yesterday"),
            line("behind", [row()], [0.5], "2026-11-01T20:00:00Z"),
        ],
        at="2026-11-02T12:00:00Z",
    )
    ingested = project.ingest()
    assert [one.span for one in ingested.made] == ["2026-11-01", DAY]
    assert "2 with a time later than their file" in ingested.verdict
    assert "1 without a readable time" in ingested.verdict
    table = project.table()
    noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    assert dict(zip(table["request_id"].to_pylist(), table["occurred_at"].to_pylist(), strict=True)) == {
        "ahead": noon, "little": noon.replace(minute=59), "far": noon, "none": noon,
    }  # fmt: skip
    assert project.counts()["clock_ahead"] == 2
    assert project.counts()["without_time"] == 1


def test_if_nothing_can_be_used_the_error_names_the_settings(project: Project) -> None:
    project.log("a.jsonl", [{"time": NOON, "body": "x"}, {"time": NOON, "body": "y"}])
    with pytest.raises(
        RetrainerError, match=r"none of 2 records of 2026-11-02.*a\.jsonl' line 1.*mapping"
    ):
        project.ingest()
    assert project.sets() == []


def test_private_columns_are_hashed_or_left_out_and_shown_nowhere(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRAINER_HASH_KEY", "0123456789abcdef")
    digest = "ab" * 32
    records = [
        line("r1", [{**row(), "mail": "ann@example.com", "ssn": "123"}], [0.5]),
        line("r2", [{**row(), "mail": digest}], [0.5]),
        line("r3", [{**row("ann@example.com"), "mail": "x"}], [0.5]),
    ]
    project.log("a.jsonl", records)
    project.ingest(key=["mail"], hash=["mail"], drop=["ssn"])
    table = project.table()
    first, second = table["mail"].to_pylist()
    assert len(first) == 64
    assert second == digest
    for file in (project.folder / "store").rglob("*"):
        if file.is_file():
            assert b"ann@example.com" not in file.read_bytes()
    assert "ssn" not in table.column_names
    assert project.record()["unknown_columns"] == {"ssn": 1}


def test_a_torn_gzip_is_read_up_to_where_it_ends(project: Project) -> None:
    records = [line(f"r{n}", [row(n)], [0.5]) for n in range(400)]
    path = project.log("a.jsonl.gz", records)
    project.file("b.jsonl", b"")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    project.ingest()
    assert 0 < project.record()["rows"] < 400
    assert project.counts()["quarantined"] == {"it is cut off": 1}


def test_a_packed_file_that_is_still_written_is_read_again(project: Project) -> None:
    path = project.log("a.jsonl.gz", [line(f"r{n}", [row(n)], [0.5]) for n in range(50)])
    whole = path.read_bytes()
    project.file("a.jsonl.gz", b"")
    path.write_bytes(whole[:40])
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert project.ingest().verdict == "nothing new in the log"
    # Its writer was killed: an hour later that is a fault.
    path.write_bytes(whole[:40])
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    with pytest.raises(RetrainerError, match=r"a\.jsonl\.gz' line 1: it is cut off"):
        project.ingest(NOW.replace(day=12))
    path.write_bytes(whole)
    assert project.ingest(NOW.replace(day=12)).made[0].rows == 50


def test_an_hour_of_nothing_but_faults_is_a_set_without_rows(project: Project) -> None:
    project.log("a.jsonl", [line("r1", [row()], [0.5])])
    project.ingest()
    bad = line("r2", "no JSON", [0.5], "2026-11-03T12:00:00Z")
    project.log("b.jsonl", [bad], at="2026-11-04T00:00:00Z")
    (made,) = project.ingest().made
    assert (made.span, made.rows) == ("2026-11-03", 0)
    assert project.counts("2026-11-03")["quarantined"] == {"its payload is no JSON": 1}
    assert project.ingest().made == ()
