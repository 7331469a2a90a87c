"""Digests: equal for equal content."""

from pathlib import Path

from retrainer.components.lib.digests import digest_folder, digest_value


def test_digest_depends_on_names_and_content_and_not_on_the_place(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x").write_text("1")
    (tmp_path / "b" / "x").write_text("1")
    (tmp_path / "c" / "y").write_text("1")
    digests = [digest_folder(tmp_path / name) for name in ("a", "b", "c")]
    assert digests[0] == digests[1] != digests[2]


def test_digest_of_a_folder_does_not_depend_on_the_order_that_its_files_are_listed_in(
    tmp_path, monkeypatch
):
    for name in "bca":
        (tmp_path / name).write_text(name)
    listed = [tmp_path / name for name in "bca"]
    digests = []
    for files in (listed, listed[::-1]):
        monkeypatch.setattr(Path, "rglob", lambda self, pattern, files=files: iter(files))
        digests.append(digest_folder(tmp_path))
    assert digests[0] == digests[1]


def test_digest_of_a_value_stays_as_stores_have_it():
    """Stores name results and versions by it, so that another one would make everything again."""
    value = {"b": ["größe", 1.5, None], "a": {"y": True, "x": 2}}
    known = "960efa81314738d0f32a86f588ff1fdccb7baabc7f62fed2b4698541b4457980"
    assert digest_value(value) == known
    assert digest_value({"a": {"x": 2, "y": True}, "b": ["größe", 1.5, None]}) == known
