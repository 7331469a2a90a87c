"""Files of buckets, on this machine for the while that they are read."""

import hashlib
import os
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.ingest_spans.span import ingest_span
from retrainer.components.lib.bigquery.bigquery_tables import SCHEME
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows.download import digest_source, downloaded
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.spans.span_discovery import find_spans


@pytest.fixture
def bucket():
    """A function that writes an object."""
    fs = fsspec.filesystem("memory")

    def write(path, content):
        fs.pipe_file(f"/download/{path}", content)
        return SourceFile(f"memory://download/{path}", len(content), "")

    yield write
    fs.rm("/download", recursive=True)


def test_an_object_comes_down_under_its_name_and_is_removed(bucket, tmp_path):
    file = bucket("day=1/a.csv.gz", b"content")
    with downloaded(file, str(tmp_path), {}) as path:
        assert Path(path).name == "a.csv.gz"
        assert Path(path).read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == []


def test_a_local_file_is_read_where_it_is(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a")
    file = SourceFile(str(tmp_path / "a.csv"), 1, "")
    with downloaded(file, "/nowhere", {}) as path:
        assert path == str(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").exists()


def test_a_local_file_is_hashed_while_it_is_read(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"content")
    file = SourceFile(str(tmp_path / "a.csv"), 7, "")
    digests = {}
    with downloaded(file, "/nowhere", digests):
        pass
    assert digests == {file.uri: hashlib.sha256(b"content").hexdigest()}
    digests[file.uri] = "known"
    with downloaded(file, "/nowhere", digests):
        pass
    assert digests == {file.uri: "known"}


def test_a_local_file_that_goes_away_is_named(tmp_path):
    file = SourceFile(str(tmp_path / "a.csv"), 7, "")
    with (
        pytest.raises(RetrainerError, match="was removed after it was listed"),
        downloaded(file, "", {}),
    ):
        pass


def test_content_has_one_name_wherever_it_lies(bucket, tmp_path):
    content = os.urandom(5 << 20)
    (tmp_path / "a").write_bytes(content)
    there = digest_source(bucket("a", content))
    assert there == digest_source(SourceFile(str(tmp_path / "a"), len(content), ""))
    assert there == hashlib.sha256(content).hexdigest()


def test_an_object_is_hashed_as_it_comes_down(bucket, tmp_path):
    file = bucket("a.csv", b"content")
    digests = {}
    with downloaded(file, str(tmp_path), digests):
        assert digests == {file.uri: digest_source(file)}


def test_a_new_object_is_read_once(bucket, tmp_path, monkeypatch):
    bucket("in/1.csv", b"id,late\n1,0\n2,1\n")
    read = []
    open_file = MemoryFileSystem._open

    def noted(self, path, *args, **kwargs):
        read.append(path)
        return open_file(self, path, *args, **kwargs)

    monkeypatch.setattr(MemoryFileSystem, "_open", noted)
    stored = ingest_span(
        find_spans("memory://download/in/{span}.csv")[0], str(tmp_path), IngestSettings("late")
    )
    assert stored.content.counts["kept"] == 2
    assert [path for path in read if path.endswith("1.csv")] == ["/download/in/1.csv"]


def test_where_nothing_shows_when_a_file_changed_its_content_does(bucket, tmp_path):
    def ingested(content):
        # The file system in memory has no times, and the size stays.
        bucket("in/1.csv", content)
        source = find_spans("memory://download/in/{span}.csv")[0]
        return ingest_span(source, str(tmp_path), IngestSettings("late"))

    first = ingested(b"id,late\n1,0\n2,1\n")
    assert ingested(b"id,late\n1,0\n2,1\n").reused
    second = ingested(b"id,late\n1,0\n3,1\n")
    assert not second.reused
    assert second.content.replaced == first.content.version


def test_a_table_is_identified_by_its_fingerprint_and_not_read():
    one = SourceFile(f"{SCHEME}p.d.t", 1, "10:now")
    other = SourceFile(f"{SCHEME}p.d.t", 1, "11:now")
    assert digest_source(one) != digest_source(other)
    with downloaded(one, "/nowhere", {}) as path:
        assert path == ""


def test_a_missing_object_is_reported_with_the_fix(bucket, tmp_path):
    bucket("b.csv", b"")
    gone = SourceFile("memory://download/a.csv", 1, "")
    with pytest.raises(
        RetrainerError, match=r"'memory://download/a\.csv' was removed after it was listed"
    ):
        digest_source(gone)
    with pytest.raises(RetrainerError, match="was removed"), downloaded(gone, str(tmp_path), {}):
        pass


def test_spans_of_a_bucket_are_ingested_into_it(bucket, tmp_path):
    for span in (1, 2):
        bucket(f"in/{span}.csv", b"id,late\n" + b"".join(b"%d,%d\n" % (i, i % 2) for i in range(9)))
    ingest(
        "memory://download/in/{span}.csv",
        "memory://download/store",
        IngestSettings("late"),
        str(tmp_path / "examples"),
    )
    assert Examples.read(tmp_path / "examples").read_table("eval").column("id").to_pylist() == [
        *range(9)
    ]
