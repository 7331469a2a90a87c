"""Ingestion on disks that are full or can't be written, for real: small file systems in memory."""

import os
import subprocess
import tempfile

import pytest

from retrainer.components.ingest_spans.span import ingest_span
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.components.lib.spans.span_discovery import find_spans

ROWS = 200_000


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a file system of 2 MB."""
    mounted = []

    def mount(name):
        place = tmp_path / name
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], capture_output=True
        )
        if done.returncode:
            pytest.skip("mounting a small file system takes root")
        mounted.append(place)
        return place

    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def source(tmp_path):
    """A span whose files take more than 2 MB."""
    rows = "".join(f"{i * 7919 % 1000003},{i * 104729 % 999983}.5,{i % 2}\n" for i in range(ROWS))
    (tmp_path / "1.csv").write_text("id,amount,label\n" + rows)
    return find_spans(str(tmp_path / "{span}.csv"))[0]


# A file that is still open must not fail once more when it is thrown away.
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("settings", [{}, {"key": ("id",)}, {"split": "hash"}])
def test_a_full_store_is_reported_leaves_nothing_and_takes_the_span_once_it_has_room(
    small_disk, source, settings
):
    disk = small_disk("disk")
    store = disk / "store"
    settings = IngestSettings("label", **settings)
    with pytest.raises(RetrainerError, match=r"span 1: the disk is full .*spans prune.* Nothing"):
        ingest_span(source, str(store), settings)
    assert [path for path in store.rglob("*") if path.is_file()] == []
    assert list((store / "spans" / "1").iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=40m", str(disk)], check=True)
    stored = ingest_span(source, str(store), settings)
    assert stored.content.counts["kept"] > 0
    assert not stored.reused


def test_a_store_without_any_room_is_reported_too(small_disk, source):
    disk = small_disk("disk")
    with open(disk / "filler", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2 << 20)
    with pytest.raises(RetrainerError, match="the disk is full"):
        ingest_span(source, str(disk / "store"), IngestSettings("label"))


def test_a_store_that_can_not_be_written_is_reported(small_disk, source):
    disk = small_disk("disk")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(
        RetrainerError, match=r"span 1: access to '.*store' is denied .*write access to the store"
    ):
        ingest_span(source, str(disk / "store"), IngestSettings("label"))


def test_full_temporary_files_are_reported_and_removed(small_disk, source, tmp_path, monkeypatch):
    disk = small_disk("tmp")
    text = (tmp_path / "1.csv").read_text().replace(".5,", ".5é,")
    (tmp_path / "1.csv").write_text(text, encoding="latin-1")
    (source,) = find_spans(str(tmp_path / "{span}.csv"))
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    # The file is written again as UTF-8 before it is read.
    settings = IngestSettings("label", source=SourceOptions(csv_encoding="latin-1"))
    with pytest.raises(RetrainerError, match=rf"the disk is full .*temporary files in '{disk}'"):
        ingest_span(source, str(tmp_path / "store"), settings)
    assert list(disk.iterdir()) == []
    assert list((tmp_path / "store" / "spans" / "1").iterdir()) == []
