import os

import pytest

from retrainer.components.lib.folders import publish_folder, remove_old_folder, scratch_folder
from retrainer.components.lib.uris import join, read_text


@pytest.mark.parametrize("root", ["local", "memory://publish"])
def test_publish_folder_keeps_the_first(tmp_path, root):
    uri = str(tmp_path / "target") if root == "local" else root
    for content, expected in (("first", True), ("second", False)):
        with scratch_folder(uri if root == "local" else str(tmp_path / "x")) as folder:
            (folder / "data").mkdir()
            (folder / "data" / "a.txt").write_text(content)
            (folder / "done.json").write_text("{}")
            assert publish_folder(folder, uri, "done.json") is expected
    assert read_text(join(uri, "data", "a.txt")) == "first"


def test_a_folder_without_its_marker_makes_room_for_a_whole_one(tmp_path):
    # Statistics that somebody wrote into a version which was removed meanwhile.
    (tmp_path / "spans" / "v1").mkdir(parents=True)
    (tmp_path / "spans" / "v1" / "sketch").write_text("left")
    source = tmp_path / "new"
    source.mkdir()
    (source / "span.json").write_text("{}")
    assert publish_folder(source, str(tmp_path / "spans" / "v1"), "span.json")
    assert [path.name for path in (tmp_path / "spans" / "v1").iterdir()] == ["span.json"]
    assert [path.name for path in (tmp_path / "spans").iterdir()] == ["v1"]


def test_a_folder_that_gains_a_file_is_not_deleted_for_an_old_one_beside_it(tmp_path):
    folder = tmp_path / "half"
    folder.mkdir()
    for name in ("old", "new"):
        (folder / name).write_text("x")
    os.utime(folder / "old", (0, 0))
    assert not remove_old_folder(str(folder), 3600)
    assert sorted(path.name for path in folder.iterdir()) == ["new", "old"]
    os.utime(folder / "new", (0, 0))
    assert remove_old_folder(str(folder), 3600)
    assert not folder.exists()
