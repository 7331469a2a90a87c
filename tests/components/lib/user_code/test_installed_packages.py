"""What is installed, as far as results depend on it."""

import base64
import hashlib
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from retrainer.components.lib.user_code import installed_packages
from retrainer.components.lib.user_code.installed_packages import (
    digest_code,
    digest_distribution,
    is_from_index,
    library_versions,
    with_requirements,
)


def test_the_packages_sources_are_what_is_hashed(monkeypatch, tmp_path):
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(installed_packages.importlib.util, "find_spec", lambda name: Spec)
    (tmp_path / "work.py").write_text("a = 1")
    before = digest_code()
    (tmp_path / "README.md").write_text("words")
    assert digest_code() == before
    (tmp_path / "work.py").write_text("a = 2")
    assert digest_code() != before


def test_libraries_behind_the_named_ones_count(monkeypatch):
    # None of these is named by retrainer's own requirements; another version gives other numbers all the same.
    assert {"h5py", "ml-dtypes", "scipy"} <= set(library_versions())
    before = digest_code()
    monkeypatch.setattr(installed_packages, "library_versions", lambda: {"h5py": "0"})
    assert digest_code() != before


@pytest.fixture
def shop(tmp_path):
    """An installed distribution of one module, as pip leaves it."""
    return install(tmp_path, "SIZE = 1\n")


def install(folder: Path, source: str) -> Distribution:
    metadata = folder / "shop-1.0.dist-info"
    metadata.mkdir(exist_ok=True)
    (folder / "shop.py").write_text(source)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(source.encode()).digest()).rstrip(b"=")
    (metadata / "RECORD").write_text(
        f"shop.py,sha256={digest.decode()},{len(source)}\nshop-1.0.dist-info/RECORD,,\n"
    )
    return Distribution.at(metadata)


def test_another_build_of_a_version_is_other_code(shop, tmp_path):
    before = digest_distribution(shop)
    assert digest_distribution(install(tmp_path, "SIZE = 1\n")) == before
    assert digest_distribution(install(tmp_path, "SIZE = 2\n")) != before


def test_an_installed_file_that_was_edited_is_other_code(shop, tmp_path):
    import os

    before = digest_distribution(shop)
    (tmp_path / "shop.py").write_text("SIZE = 2\n")
    record = tmp_path / "shop-1.0.dist-info" / "RECORD"
    os.utime(record, ns=(0, record.stat().st_mtime_ns - 10**9))
    assert digest_distribution(shop) != before


def test_an_install_from_a_folder_is_not_from_an_index(shop, tmp_path):
    assert is_from_index(shop)
    (tmp_path / "shop-1.0.dist-info" / "direct_url.json").write_text("{}")
    assert not is_from_index(shop)


def test_a_requirement_that_is_none_is_passed_over(shop, tmp_path):
    metadata = tmp_path / "shop-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + "Requires-Dist: pytz (>dev)\n")
    assert list(with_requirements([shop])) == ["shop"]


def test_names_versions_and_requirements_are_those_of_importlib():
    from importlib.metadata import distribution

    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    versions = library_versions()
    assert len(versions) > 50
    for name, version in versions.items():
        one = distribution(name)
        assert one.version == version
        head = installed_packages._Head.of(one)
        assert (head.name, list(head.requires)) == (one.name, one.requires or [])
        for line in one.requires or []:
            try:
                needed = Requirement(line)
            except InvalidRequirement:
                continue
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert not installed_packages._OF_AN_EXTRA.search(line), line
                there = canonicalize_name(needed.name) in versions
                assert there or installed_packages._installed(needed.name) is None


@pytest.mark.parametrize(
    ("line", "skipped"),
    [
        ("pytest>=8; extra == 'dev'", True),
        ('numpy<2; python_version < "3.13" and extra == "all"', True),
        ("numpy; extra == 'all' or python_version > '3'", False),
        ("numpy; python_version > '3'", False),
        ("extra==1.0", False),
        ("extra==1.0; python_version > '3'", False),
    ],
)
def test_a_requirement_of_an_extra_alone_is_not_parsed(line, skipped):
    assert bool(installed_packages._OF_AN_EXTRA.search(line)) == skipped


def test_a_field_in_several_lines_and_a_description_like_a_field_are_read_right(tmp_path):
    folder = tmp_path / "long-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: long\nVersion: 1.0\nRequires-Dist: numpy\n  >=1\n\nName: other\n"
    )
    head = installed_packages._Head.of(Distribution.at(folder))
    assert (head.name, head.version, head.requires) == ("long", "1.0", ["numpy >=1"])


def test_an_egg_has_its_requirements_elsewhere(tmp_path):
    folder = tmp_path / "old.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: old\nVersion: 2.0\n")
    (folder / "requires.txt").write_text("numpy\n")
    head = installed_packages._Head.of(Distribution.at(folder))
    assert (head.name, head.version, list(head.requires)) == ("old", "2.0", ["numpy"])
