import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import fsspec
import pytest

from retrainer.components.lib import folders
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.spans import stored_spans
from retrainer.components.lib.spans.stored_spans import (
    find_superseded,
    find_version,
    list_stored,
    list_versions,
    measure_version,
    read_version,
    remove_span_leftovers,
    remove_version,
)
from retrainer.components.lib.uris import read_json, write_json


@pytest.fixture
def add(tmp_path):
    """Gives a function that puts a version of a span into the store at `tmp_path`."""

    def put(span, version, **content):
        folder = tmp_path / "spans" / span.replace("/", "-") / version
        folder.mkdir(parents=True)
        known = {
            "span": span,
            "version": version,
            "parts": {"all": {"rows": 3, "files": []}},
            "counts": {"read": 5, "kept": 3, "unlabelled": 2, "unreadable": 0, "duplicate": 0},
            "source_columns": ["a"],
        }
        (folder / "span.json").write_text(json.dumps({**known, **content}))
        return str(folder)

    return put


def test_the_time_of_ingestion_is_now_with_microseconds():
    before = datetime.now(UTC)
    first, second = (datetime.fromisoformat(stored_spans.now()) for _ in range(2))
    assert before <= first <= second <= datetime.now(UTC)


def test_versions_are_ordered_by_the_time_of_their_ingestion(add, tmp_path):
    add("1", "f" * 16, ingested="2024-01-01T00:00:00+00:00")
    add("1", "0" * 16, ingested="2024-01-02T00:00:00+00:00")
    assert [one.version[0] for one in list_versions(str(tmp_path), "1")] == ["f", "0"]
    assert list_versions(str(tmp_path), "2") == []


def test_spans_are_listed_with_the_names_they_have_in_the_source(add, tmp_path):
    for span in ("2024/10", "2024/9"):
        add(span, "a" * 16)
    assert list(list_stored(str(tmp_path))) == ["2024/9", "2024/10"]


def test_a_folder_that_is_no_whole_version_is_not_listed(add, tmp_path):
    add("1", "a" * 16)
    add("1", ".writing-abc")
    add("1", f"{'b' * 16}.0123.tmp")
    (tmp_path / "spans" / "1" / ("c" * 16)).mkdir()
    (tmp_path / "spans" / "1" / "seen").mkdir()
    (tmp_path / "spans" / "2" / ".writing-abc").mkdir(parents=True)
    assert [one.version for one in list_stored(str(tmp_path))["1"]] == ["a" * 16]
    assert list(list_stored(str(tmp_path))) == ["1"]


def test_a_version_that_is_removed_while_versions_are_listed_is_not_there(
    add, tmp_path, monkeypatch
):
    add("1", "a" * 16)
    gone = add("1", "b" * 16)

    def read(uri):
        shutil.rmtree(gone, ignore_errors=True)
        return read_version(uri)

    monkeypatch.setattr(stored_spans, "read_version", read)
    assert [one.version[0] for one in list_versions(str(tmp_path), "1")] == ["a"]
    assert find_version(gone) is None


def test_an_empty_store_has_no_spans(tmp_path):
    assert list_stored(str(tmp_path / "none")) == {}


def test_rows_and_what_was_quarantined(add):
    version = read_version(add("1", "a" * 16))
    assert version.rows == 3
    assert version.quarantined == {"unlabelled": 2}


@pytest.mark.parametrize("damage", ["{}", "null", '{"counts": 7}', '{"parts": [1]}', "7"])
def test_a_damaged_record_is_named(add, damage):
    uri = add("1", "a" * 16)
    record, content = f"{uri}/span.json", json.loads(damage)
    if isinstance(content, dict) and content:
        content = {**read_json(record), **content}
    write_json(record, content)
    with pytest.raises(RetrainerError, match=r"span\.json' is not what retrainer writes"):
        read_version(uri)


def test_a_version_is_superseded_when_a_newer_one_followed_long_enough_ago(add, tmp_path):
    add("1", "a" * 16, ingested="2024-01-01T00:00:00+00:00")
    add("1", "b" * 16, ingested="2024-02-01T00:00:00+00:00")
    add("1", "c" * 16, ingested="2024-03-01T00:00:00+00:00")
    add("2", "d" * 16, ingested="2023-01-01T00:00:00+00:00")

    def names(*date):
        found = find_superseded(list_stored(str(tmp_path)), datetime(*date, tzinfo=UTC))
        return [one.version[0] for one in found]

    assert names(2024, 1, 15) == []
    assert names(2024, 2, 15) == ["a"]
    assert names(2024, 3, 15) == ["a", "b"]


def test_versions_without_a_time_are_never_superseded_among_themselves(add, tmp_path):
    add("1", "a" * 16)
    add("1", "b" * 16)
    assert find_superseded(list_stored(str(tmp_path)), datetime.now(UTC)) == []


def test_a_removed_version_is_gone_and_the_others_stay(add, tmp_path):
    add("1", "a" * 16)
    add("1", "b" * 16)
    first, second = list_versions(str(tmp_path), "1")
    assert measure_version(first) == os.path.getsize(f"{first.uri}/span.json")
    remove_version(first)
    assert os.listdir(tmp_path / "spans" / "1") == [second.version]


def test_leftovers_are_removed_when_nobody_can_be_writing_them(add, tmp_path):
    whole = add("1", "a" * 16)
    home = tmp_path / "spans" / "1"
    names = [".removed-x", ".writing-old", ".writing-new", "old.tmp"]
    for name in names:
        (home / name).mkdir()
        (home / name / "span.json").write_text("{}")
    day_ago = time.time() - 25 * 3600
    for name in (".writing-old", "old.tmp", whole, f"{whole}/span.json"):
        os.utime(home / name, (day_ago, day_ago))
    assert remove_span_leftovers(str(tmp_path)) == 3
    assert sorted(path.name for path in home.iterdir()) == [".writing-new", os.path.basename(whole)]


def test_what_goes_while_leftovers_are_looked_for_is_nobodys_leftover(add, tmp_path, monkeypatch):
    home = tmp_path / "spans" / "1"
    add("1", "a" * 16)
    (home / ".writing-abc").mkdir()
    now = time.time

    def late():
        shutil.rmtree(home / ".writing-abc", ignore_errors=True)
        return now()

    monkeypatch.setattr(folders.time, "time", late)
    assert remove_span_leftovers(str(tmp_path)) == 0


def test_a_version_that_was_removed_has_no_size(add):
    version = read_version(add("1", "a" * 16))
    assert measure_version(version) > 0
    remove_version(version)
    assert measure_version(version) == 0


def test_half_a_version_on_a_bucket_is_removed_when_it_is_old():
    memory = fsspec.filesystem("memory")
    store = "memory://half-versions"
    for version, days in (("a" * 16, 2), ("b" * 16, 0)):
        file = f"/half-versions/spans/1/{version}/all-00000.parquet"
        memory.pipe(file, b"rows")
        memory.store[file].modified = datetime.now(UTC) - timedelta(days=days)
    assert remove_span_leftovers(store) == 1
    assert memory.find("/half-versions") == [f"/half-versions/spans/1/{'b' * 16}/all-00000.parquet"]


def test_a_removal_that_is_killed_leaves_no_half_version(add, tmp_path):
    uri = add("1", "a" * 16)
    for number in range(5_000):
        with open(f"{uri}/{number}.parquet", "wb"):
            pass
    code = (
        "from retrainer.components.lib.spans.stored_spans import *; "
        f"remove_version(read_version({uri!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    home = tmp_path / "spans" / "1"
    while not list(home.glob(".removed-*")):
        assert process.poll() is None
    process.kill()
    assert process.wait() != 0
    assert list_versions(str(tmp_path), "1") == []
    assert not os.path.exists(uri)
    assert remove_span_leftovers(str(tmp_path)) == 1
    assert list(home.iterdir()) == []
