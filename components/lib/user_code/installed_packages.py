"""What is installed: retrainer's own code, the libraries that it runs on, and what others import."""

import functools
import importlib.util
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..digests import digest_file, digest_value

# A field of a distribution's metadata; a long one goes on in indented lines.
_FIELD = re.compile(
    r"^(Name|Version|Requires-Dist):(.*(?:\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE
)
# Such a requirement is not parsed; most are.
_OF_AN_EXTRA = re.compile(r"^[^;]*;((?! or ).)*\bextra\s*==((?! or ).)*$")
_OWN = "retrainer"
# What runs tasks comes with this extra; other extras say where data lie, and change no result.
_TASKS_EXTRA = "components"
# Where retrainer is a checkout on the path that was never installed.
_LIBRARIES = (
    "apache-beam",
    "keras",
    "pandas",
    "pyarrow",
    "tensorflow",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "tensorflow-transform",
)


def digest_code() -> str:
    """Hash what components run on: the sources of `retrainer.components`, Python, and every library behind them.

    Returns:
        SHA-256 in hexadecimal digits; an edit of any source changes it, and another version of any library.
    """
    name = __name__.rpartition(".lib.")[0]
    spec = importlib.util.find_spec(name)
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    sources = {
        file.relative_to(folder).as_posix(): digest_file(file)
        for folder in folders
        for file in sorted(Path(folder).rglob("*.py"))
    }
    return digest_value([sources, platform.python_version(), library_versions()])


@functools.cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that retrainer needs, directly or through another one.

    Returns:
        Versions by normalized name.
    """
    own = _installed(_OWN)
    roots = [own] if own else [one for name in _LIBRARIES if (one := _installed(name))]
    found = _follow(roots)
    return {name: head.version for name, (_, head) in found.items() if name != _OWN}


def with_requirements(roots: Iterable[Distribution]) -> dict[str, Distribution]:
    """Find distributions and all that they need, as far as it is installed.

    Args:
        roots: Where to begin.

    Returns:
        Distributions by normalized name, in the order of their names.
    """
    return {name: one for name, (one, _) in _follow(roots).items()}


@dataclass(frozen=True)
class _Head:
    """What a distribution's metadata says, without its description.

    `importlib.metadata` parses all of it as an email again for each of these: seconds, for two hundred distributions.
    """

    name: str
    version: str
    requires: Sequence[str]

    @classmethod
    def of(cls, one: Distribution) -> "_Head":
        text = one.read_text("METADATA")
        if text is None:
            # An egg's requirements lie in another file.
            return cls(one.name, one.version, one.requires or ())
        fields: dict[str, list[str]] = {}
        for key, value in _FIELD.findall(text.partition("\n\n")[0]):
            fields.setdefault(key.lower(), []).append(" ".join(value.split()))
        return cls(
            fields.get("name", [""])[0],
            fields.get("version", [""])[0],
            fields.get("requires-dist", ()),
        )


def _follow(roots: Iterable[Distribution]) -> dict[str, tuple[Distribution, _Head]]:
    found: dict[str, tuple[Distribution, _Head]] = {}
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        head = _Head.of(one)
        name = canonicalize_name(head.name)
        if name in found:
            continue
        found[name] = (one, head)
        extra = _TASKS_EXTRA if name == _OWN else ""
        for line in head.requires:
            if not extra and _OF_AN_EXTRA.search(line):
                continue
            try:
                needed = Requirement(line)
            except InvalidRequirement:
                # Old distributions have lines that nobody reads any more, such as `pytz (>dev)`.
                continue
            # What an extra brings is followed where something that was imported needs it itself.
            if needed.marker and not needed.marker.evaluate({"extra": extra}):
                continue
            if other := _installed(needed.name):
                waiting.append(other)
    return dict(sorted(found.items()))


def digest_distribution(one: Distribution) -> str:
    """Hash an installed distribution: its version, its files as they were installed, and those edited since.

    Args:
        one: The distribution.

    Returns:
        SHA-256 in hexadecimal digits; a build with other code has another one, also under the same version.
    """
    files = {}
    record = None
    for file in one.files or ():
        if file.name == "RECORD":
            record = Path(str(one.locate_file(file)))
        elif file.suffix != ".pyc" and ".." not in file.parts and not _is_metadata(file.parts[0]):
            files[str(file)] = file.hash.value if file.hash else ""
    edited = {}
    if record and record.exists():
        # pip and uv write RECORD last, so a younger file was changed in place.
        installed = record.stat().st_mtime_ns
        for name in files:
            path = Path(str(one.locate_file(name)))
            if path.suffix == ".py" and path.exists() and path.stat().st_mtime_ns > installed:
                edited[name] = digest_file(path)
    return digest_value([one.version, files, edited])


def is_from_index(one: Distribution) -> bool:
    """Check whether a distribution came from a package index; a version from elsewhere may change as it is edited."""
    # PEP 610: direct_url.json stands beside what was installed from a folder, a file or a repository.
    return one.read_text("direct_url.json") is None


def _is_metadata(folder: str) -> bool:
    return folder.endswith((".dist-info", ".egg-info"))


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None
