import os
import shutil
import subprocess
import sys
import threading

import pytest

from retrainer.components.lib import uris as files
from retrainer.components.lib.errors import RetrainerError


def test_write_atomic_replaces_whole_content_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    files.write_atomic(str(target), "one")
    files.write_atomic(str(target), "two")
    assert files.read_text(str(target)) == "two"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_write_atomic_keeps_the_old_content_when_the_disk_refuses(tmp_path, monkeypatch):
    target = tmp_path / "file.txt"
    files.write_atomic(str(target), "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(str(target), "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_volume_that_is_mounted_to_be_read_only_gives_no_permission(tmp_path):
    mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "ro", "none", str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    code = """
import sys
from retrainer.components.lib.files import create_exclusive, write_atomic
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
        if files.create_exclusive(target, name * 1000):
            wins.append(name)

    threads = [threading.Thread(target=claim, args=(str(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert files.read_text(target) == wins[0] * 1000


def test_create_exclusive_works_on_an_object_store():
    assert files.create_exclusive("memory://claims/one", "a")
    assert not files.create_exclusive("memory://claims/one", "b")
    assert files.read_text("memory://claims/one") == "a"


@pytest.mark.parametrize("root", ["local", "memory://publish"])
def test_publish_folder_keeps_the_first(tmp_path, root):
    uri = str(tmp_path / "target") if root == "local" else root
    for content, expected in (("first", True), ("second", False)):
        with files.scratch_folder(uri if root == "local" else str(tmp_path / "x")) as folder:
            (folder / "data").mkdir()
            (folder / "data" / "a.txt").write_text(content)
            (folder / "done.json").write_text("{}")
            assert files.publish_folder(folder, uri, "done.json") is expected
    assert files.read_text(files.join(uri, "data", "a.txt")) == "first"


def test_an_unknown_protocol_is_named():
    with pytest.raises(RetrainerError, match="nosuch://bucket"):
        files.filesystem("nosuch://bucket/x")


def test_json_that_is_not_json_names_the_file(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(RetrainerError, match=r"x\.json.*not the JSON"):
        files.read_json(str(tmp_path / "x.json"))


@pytest.mark.parametrize("place", ["{tmp_path}/file", "memory://test-read-range/file"])
def test_a_part_of_a_file_is_read_and_ends_where_the_file_does(place, tmp_path):
    uri = place.format(tmp_path=tmp_path)
    files.write_atomic(uri, b"0123456789", durable=False)
    assert files.read_range(uri, 2, 5) == b"234"
    assert files.read_range(uri, 8, 100) == b"89"
    assert files.read_range(uri, 0, 100) == b"0123456789"
    with pytest.raises(FileNotFoundError):
        files.read_range(uri + "-gone", 0, 1)


def test_a_folder_without_its_marker_makes_room_for_a_whole_one(tmp_path):
    # Statistics that somebody wrote into a version which was removed meanwhile.
    (tmp_path / "spans" / "v1").mkdir(parents=True)
    (tmp_path / "spans" / "v1" / "sketch").write_text("left")
    source = tmp_path / "new"
    source.mkdir()
    (source / "span.json").write_text("{}")
    assert files.publish_folder(source, str(tmp_path / "spans" / "v1"), "span.json")
    assert [path.name for path in (tmp_path / "spans" / "v1").iterdir()] == ["span.json"]
    assert [path.name for path in (tmp_path / "spans").iterdir()] == ["v1"]


def test_a_folder_that_gains_a_file_is_not_deleted_for_an_old_one_beside_it(tmp_path):
    folder = tmp_path / "half"
    folder.mkdir()
    for name in ("old", "new"):
        (folder / name).write_text("x")
    os.utime(folder / "old", (0, 0))
    assert not files.remove_old_folder(str(folder), 3600)
    assert sorted(path.name for path in folder.iterdir()) == ["new", "old"]
    os.utime(folder / "new", (0, 0))
    assert files.remove_old_folder(str(folder), 3600)
    assert not folder.exists()
