"""What is installed, as far as results depend on it."""

import base64
import hashlib
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from retrainer.components.lib import installed_packages
from retrainer.components.lib.installed_packages import (
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
