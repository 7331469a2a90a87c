import shutil
from pathlib import Path

import pytest

from retrainer.components.lib.library_output import written_locally

FILES = {"saved_model.pb": "graph", "variables/index": "i", "variables/data": "weights"}


def _write(output, files):
    with written_locally(str(output), "saved_model.pb") as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)


def _read(output):
    return {
        path.relative_to(output).as_posix(): path.read_text()
        for path in output.rglob("*")
        if path.is_file()
    }


def test_what_was_written_is_the_artifact(tmp_path):
    _write(tmp_path / "model", FILES)
    assert _read(tmp_path / "model") == FILES


def test_what_an_earlier_attempt_left_is_gone(tmp_path):
    _write(tmp_path / "model", {**FILES, "variables/data-of-another-attempt": "old"})
    _write(tmp_path / "model", {**FILES, "saved_model.pb": "new graph"})
    assert _read(tmp_path / "model") == {**FILES, "saved_model.pb": "new graph"}


def test_nothing_is_copied_where_writing_failed(tmp_path):
    # A file can't be a folder, too.
    with pytest.raises(OSError, match="variables"):
        _write(tmp_path / "model", {"saved_model.pb": "half", "variables": "", **FILES})
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("copied", [0, 1, 2])
def test_an_attempt_that_ends_while_it_copies_leaves_nothing_that_looks_whole(
    tmp_path, copied, monkeypatch
):
    _write(tmp_path / "model", FILES)
    real, done = shutil.copyfile, []

    def killed(source, target):
        if len(done) == copied:
            raise KeyboardInterrupt
        done.append(target)
        real(source, target)

    monkeypatch.setattr(shutil, "copyfile", killed)
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path / "model", FILES)
    assert "saved_model.pb" not in _read(tmp_path / "model")
