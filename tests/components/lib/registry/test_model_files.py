import errno
import os
import time

import pytest

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.registry import model_files
from retrainer.components.lib.registry.model_files import copy_model, remove_model
from retrainer.components.lib.uris import filesystem, read_text


@pytest.mark.parametrize("place", ["local", "memory"])
def test_a_copy_has_the_content_and_its_digest(tmp_path, place):
    model = tmp_path / "model"
    for name in ("saved_model.pb", "variables/variables.index", "assets/a/words.txt"):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text(name)
    uri = str(tmp_path / "copy") if place == "local" else f"memory://{tmp_path.name}/copy"
    copied = copy_model(str(model), uri)
    assert (copied.digest, copied.files) == (digest_folder(model), 3)
    assert copied.bytes == len("saved_model.pbvariables/variables.indexassets/a/words.txt")
    assert read_text(f"{uri}/assets/a/words.txt") == "assets/a/words.txt"
    fs, path = filesystem(uri)
    # What is gone already is no error.
    for _ in range(2):
        remove_model(uri)
        assert fs.find(path) == []


def test_a_file_that_can_not_be_copied_ends_the_copy(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_text("graph")
    (tmp_path / "copy").write_text("in the way")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        copy_model(str(model), str(tmp_path / "copy"))


def test_after_a_file_that_can_not_be_copied_the_rest_is_not_copied(tmp_path, monkeypatch):
    model = tmp_path / "model"
    model.mkdir()
    # The largest is the first.
    for number in range(40):
        (model / str(number)).write_bytes(bytes(100 - number))
    copied = []

    def copy(source, target):
        if source.name == "0":
            raise OSError(errno.ENOSPC, "No space left on device")
        time.sleep(0.02)
        copied.append(source.name)

    monkeypatch.setattr(model_files, "_copy_file", copy)
    with pytest.raises(OSError, match="No space left"):
        copy_model(str(model), str(tmp_path / "copy"))
    assert len(copied) < 39


@pytest.mark.parametrize("how", ["whole", "in parts", "cut off", "other file systems", "missing"])
def test_a_file_is_copied_whatever_the_kernel_can(tmp_path, monkeypatch, how):
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(bytes(range(256)) * 100)
    (model / "empty").touch()
    whole, calls = os.copy_file_range, []

    def call(source: int, target: int, count: int) -> int:
        calls.append(count)
        if how == "other file systems":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        if how == "cut off" and len(calls) > 1:
            return 0
        return whole(source, target, min(count, 10_000))

    if how == "missing":
        monkeypatch.delattr(os, "copy_file_range")
    elif how != "whole":
        monkeypatch.setattr(os, "copy_file_range", call)
    copied = copy_model(str(model), str(tmp_path / "copy"))
    assert digest_folder(tmp_path / "copy") == copied.digest == digest_folder(model)
    if how == "in parts":
        assert calls == [25_600, 15_600, 5_600]
