"""Digests: equal for equal content."""

from retrainer.components.lib.digests import digest_folder


def test_digest_depends_on_names_and_content_and_not_on_the_place(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x").write_text("1")
    (tmp_path / "b" / "x").write_text("1")
    (tmp_path / "c" / "y").write_text("1")
    digests = [digest_folder(tmp_path / name) for name in ("a", "b", "c")]
    assert digests[0] == digests[1] != digests[2]
