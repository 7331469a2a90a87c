import os
import shutil
import subprocess
import sys
import threading

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.uris import (
    create_exclusive,
    filesystem,
    list_names,
    read_json,
    read_range,
    read_text,
    write_atomic,
)


def test_write_atomic_replaces_whole_content_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    write_atomic(str(target), "one")
    write_atomic(str(target), "two")
    assert read_text(str(target)) == "two"
    assert list_names(str(target.parent)) == ["file.txt"]
    assert list_names(str(tmp_path)) == ["deep"]
    assert list_names(str(target.parent / "none")) == []


def test_write_atomic_keeps_the_old_content_when_the_disk_refuses(tmp_path, monkeypatch):
    target = tmp_path / "file.txt"
    write_atomic(str(target), "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as error:
        write_atomic(str(target), "new")
    assert error.value.filename == str(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_volume_that_is_mounted_to_be_read_only_gives_no_permission(tmp_path):
    mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "ro", "none", str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    code = """
import sys
from retrainer.components.lib.uris import create_exclusive, write_atomic
for write in (write_atomic, create_exclusive):
    for name in ("file.txt", "deep/file.txt"):
        try:
            write(f"{sys.argv[1]}/{name}", "text")
        except PermissionError as error:
            print(error)
"""
    script = 'mount -t tmpfs -o ro none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "-", str(tmp_path), sys.executable, code],
        capture_output=True,
        text=True,
    )
    assert done.stdout.count("Read-only file system") == 4, done.stderr


def test_of_many_who_create_one_wins_and_its_content_is_whole(tmp_path):
    target = str(tmp_path / "claim")
    wins = []

    def claim(name):
        if create_exclusive(target, name * 1000):
            wins.append(name)

    threads = [threading.Thread(target=claim, args=(str(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert read_text(target) == wins[0] * 1000


def test_create_exclusive_works_on_an_object_store():
    assert create_exclusive("memory://claims/one", "a")
    assert not create_exclusive("memory://claims/one", "b")
    assert read_text("memory://claims/one") == "a"


def test_an_unknown_protocol_is_named():
    with pytest.raises(RetrainerError, match="nosuch://bucket"):
        filesystem("nosuch://bucket/x")


def test_json_that_is_not_json_names_the_file(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(RetrainerError, match=r"x\.json.*not the JSON"):
        read_json(str(tmp_path / "x.json"))


@pytest.mark.parametrize("place", ["{tmp_path}/file", "memory://test-read-range/file"])
def test_a_part_of_a_file_is_read_and_ends_where_the_file_does(place, tmp_path):
    uri = place.format(tmp_path=tmp_path)
    write_atomic(uri, b"0123456789", durable=False)
    assert read_range(uri, 2, 5) == b"234"
    assert read_range(uri, 8, 100) == b"89"
    assert read_range(uri, 0, 100) == b"0123456789"
    with pytest.raises(FileNotFoundError):
        read_range(uri + "-gone", 0, 1)
