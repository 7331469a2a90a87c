"""The next files of a span are fetched while one is read, and none is left behind."""

import threading
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from retrainer.components.ingest_spans.span import ingest_span
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows import downloads_ahead
from retrainer.components.lib.source_rows.downloads_ahead import DownloadsAhead
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.spans.span_discovery import find_spans


@pytest.fixture
def bucket():
    """A function that writes objects."""
    fs = fsspec.filesystem("memory")

    def write(names, size=None):
        for name in names:
            fs.pipe_file(f"/ahead/{name}", name.encode())
        return [SourceFile(f"memory://ahead/{name}", size or len(name), "") for name in names]

    yield write
    fs.rm("/ahead", recursive=True)


@pytest.fixture
def fetched(monkeypatch):
    """The objects that were fetched, in order."""
    names = []
    get_file = MemoryFileSystem.get_file

    def noted(self, path, *args, **kwargs):
        names.append(path.removeprefix("/ahead/"))
        return get_file(self, path, *args, **kwargs)

    monkeypatch.setattr(MemoryFileSystem, "get_file", noted)
    return names


def test_files_come_in_their_order_under_their_names_each_fetched_once(bucket, fetched, tmp_path):
    files = bucket([f"{number % 3}/{number // 3}.csv" for number in range(30)])
    digests = {}
    with DownloadsAhead(files, str(tmp_path / "copies"), digests) as ahead:
        (tmp_path / "copies").mkdir()
        for file in files:
            with ahead.opened(file) as path:
                assert file.uri.endswith(f"/{Path(path).name}")
                assert f"memory://ahead/{Path(path).read_text()}" == file.uri
            assert not Path(path).exists()
        assert sorted(fetched) == sorted(file.uri.removeprefix("memory://ahead/") for file in files)
        # A second pass fetches again.
        with ahead.opened(files[0]) as path:
            assert Path(path).read_text() == "0/0.csv"
    assert not (tmp_path / "copies").exists()
    assert digests.keys() == {file.uri for file in files}


def test_several_are_fetched_at_once(bucket, monkeypatch, tmp_path):
    files = bucket([f"{number}.csv" for number in range(4)])
    together = threading.Barrier(4, timeout=30)
    get_file = MemoryFileSystem.get_file

    def wait(self, *args, **kwargs):
        together.wait()
        return get_file(self, *args, **kwargs)

    monkeypatch.setattr(MemoryFileSystem, "get_file", wait)
    with DownloadsAhead(files, str(tmp_path), {}) as ahead, ahead.opened(files[0]) as path:
        assert Path(path).read_text() == "0.csv"


def test_no_more_is_fetched_than_the_disk_should_hold(bucket, fetched, monkeypatch, tmp_path):
    monkeypatch.setattr(downloads_ahead, "BYTES_AHEAD", 250)
    files = bucket([f"{number}.csv" for number in range(9)], size=100)
    with DownloadsAhead(files, str(tmp_path), {}) as ahead, ahead.opened(files[0]):
        pass
    assert sorted(fetched) == ["0.csv", "1.csv", "2.csv"]


def test_a_missing_object_is_an_error_where_it_is_opened(bucket, tmp_path):
    files = bucket(["0.csv", "1.csv"])
    fsspec.filesystem("memory").rm_file("/ahead/1.csv")
    with DownloadsAhead(files, str(tmp_path), {}) as ahead:
        with ahead.opened(files[0]) as path:
            assert Path(path).read_text() == "0.csv"
        with pytest.raises(RetrainerError, match=r"1\.csv' was removed"), ahead.opened(files[1]):
            pass


def test_local_files_and_tables_are_opened_where_they_are(tmp_path):
    (tmp_path / "a.csv").write_text("a")
    files = [SourceFile(str(tmp_path / "a.csv"), 1, ""), SourceFile("bq://p.d.t", 1, "1")]
    with DownloadsAhead(files, str(tmp_path / "copies"), {}) as ahead:
        with ahead.opened(files[0]) as path:
            assert path == str(tmp_path / "a.csv")
        with ahead.opened(files[1]) as path:
            assert path == ""


def test_a_span_of_many_files_is_the_same_from_a_bucket_as_from_a_folder(bucket, fetched, tmp_path):
    fs = fsspec.filesystem("memory")
    (tmp_path / "in").mkdir()
    for number in range(25):
        text = f"id,x,late\n{number},{number / 8},{number % 2}\n"
        (tmp_path / "in" / f"1-{number:02}.csv").write_text(text)
        fs.pipe_file(f"/ahead/in/1-{number:02}.csv", text.encode())

    def ingested(place):
        source = find_spans(f"{place}/in/{{span}}-*.csv")[0]
        return ingest_span(source, str(tmp_path / "store"), IngestSettings("late")).content

    assert ingested("memory://ahead").version == ingested(tmp_path).version
    assert len(fetched) == 25
