"""What is installed: retrainer's own code, the libraries that it runs on, and what others import."""

import functools
import importlib.util
import platform
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .digests import digest_file, digest_value

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
    try:
        found = with_requirements([distribution(_OWN)])
        return {name: one.version for name, one in found.items() if name != _OWN}
    except PackageNotFoundError:
        roots = [one for name in _LIBRARIES if (one := _installed(name))]
        return {name: one.version for name, one in with_requirements(roots).items()}


def with_requirements(roots: Iterable[Distribution]) -> dict[str, Distribution]:
    """Find distributions and all that they need, as far as it is installed.

    Args:
        roots: Where to begin.

    Returns:
        Distributions by normalized name, in the order of their names.
    """
    found: dict[str, Distribution] = {}
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name in found:
            continue
        found[name] = one
        extra = _TASKS_EXTRA if name == _OWN else ""
        for line in one.requires or ():
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
