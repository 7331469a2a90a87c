"""The code that a user's model module consists of: the module, and all that it imports, found without running it."""

import ast
import functools
import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from ..digests import digest_file, digest_value
from .import_scan import Import, find_imports
from .installed_packages import (
    digest_distribution,
    is_from_index,
    library_versions,
    with_requirements,
)
from .user_module import MODULE_FILE

# Apache Beam's apache_beam/options/pipeline_options.py, SetupOptions.
_WORKER_FILES = ("--setup_file", "--requirements_file", "--extra_package", "--extra_packages")
# Beside a package's modules: what they read. What Python and tools leave there is no part of it.
_NO_DATA = (".py", ".pyc", ".pyo")
_SKIPPED = {*sys.stdlib_module_names, __name__.split(".")[0]}


@dataclass(frozen=True)
class UserCode:
    """What is known of the code behind some modules.

    Attributes:
        digest: SHA-256 of all of it, in hexadecimal digits; empty if there is none.
        unseen: What can't be followed, a sentence each; a result of such code can't be used again.
    """

    digest: str = ""
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModuleSource:
    """A module's text.

    Attributes:
        text: The text.
        is_package: Whether it is that of a package.
    """

    text: str
    is_package: bool


def code_behind(parameters: Mapping[str, Any]) -> UserCode:
    """Find the user's code that a task's parameters name.

    Args:
        parameters: The task's parameters. `module` and `module_source` are the user's model code, metrics in
            `metrics_specs` may have a `module`, and `beam_args` may name files that set Beam's workers up.

    Returns:
        All code behind them, by content.
    """
    source = str(parameters.get("module_source") or "")
    modules = [] if source else [str(parameters.get("module") or "")]
    for spec in parameters.get("metrics_specs") or ():
        metrics = spec.get("metrics") if isinstance(spec, Mapping) else None
        for metric in metrics or ():
            modules.append(str(metric.get("module") or "") if isinstance(metric, Mapping) else "")
    code = digest_user_code(list(dict.fromkeys(filter(None, modules))), source)
    files = [
        file for argument in parameters.get("beam_args") or () for file in _set_up_by(argument)
    ]
    if not files:
        return code
    return UserCode(digest_value([code.digest, files]), code.unseen)


def digest_user_code(modules: Sequence[str], source: str = "") -> UserCode:
    """Hash modules with all that they import, directly or through others.

    Modules that lie in folders count by their content, and so does the package of a named module. Of others'
    distributions the version and the installed files count, of the libraries behind retrainer the version.

    Args:
        modules: Names of importable modules.
        source: Text of a module that has no file.

    Returns:
        The digest, and what could not be followed.
    """
    if not modules and not source:
        return UserCode()
    # Files may have come since a folder was last looked at.
    importlib.invalidate_caches()
    walk = _Walk({name.partition(".")[0] for name in modules})
    if source:
        walk.found[MODULE_FILE] = digest_value(source)
        walk.follow(MODULE_FILE, source, "")
    for name in modules:
        walk.add(Import(name, 0), "retrain.yaml")
    return UserCode(digest_value([walk.found, walk.libraries()]), tuple(dict.fromkeys(walk.unseen)))


def modules_in_folders(source: str) -> dict[str, ModuleSource]:
    """List the modules that a module imports, directly or through others, and that are in no installed distribution.

    Args:
        source: Text of the module.

    Returns:
        Those that are written in Python, by name, with the packages around them.
    """
    importlib.invalidate_caches()
    walk = _Walk(set())
    walk.follow(MODULE_FILE, source, "")
    return walk.sources


def _set_up_by(argument: str) -> Iterator[str]:
    """Hash the file that a Beam argument names, if it is one whose content decides what the workers run."""
    option, _, path = str(argument).partition("=")
    if option in _WORKER_FILES and os.path.isfile(path):
        yield digest_file(path)


@dataclass
class _Walk:
    """A walk over imports.

    Attributes:
        own: Top-level names whose files count by content, however they were installed.
        found: Digests of the modules that count by content, by name; where one is not there, that it is not.
        unseen: What could not be followed.
        sources: Texts of the modules that count by content, by name.
    """

    own: set[str]
    found: dict[str, str] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)
    sources: dict[str, ModuleSource] = field(default_factory=dict)
    _distributions: dict[str, Distribution] = field(default_factory=dict)

    def follow(self, place: str, source: str, package: str) -> None:
        """Add what a module imports.

        Args:
            place: What to call the module.
            source: Its text.
            package: The package that it is in; empty for none.
        """
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            # It fails where it is imported, with its line.
            return
        for wanted in find_imports(tree, package):
            if wanted.name:
                self.add(wanted, place)
            else:
                self.unseen.append(
                    f"{place}:{wanted.line} imports a module whose name is only known when it runs"
                )

    def add(self, wanted: Import, importer: str) -> None:
        """Add a module that is imported somewhere, with the packages around it."""
        top = wanted.name.partition(".")[0]
        if top in _SKIPPED:
            return
        spec: ModuleSpec | None = None
        parts = wanted.name.split(".")
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[:count])
            path = spec.submodule_search_locations if spec else None
            spec = _find(name, path) if count == 1 or path is not None else None
            if spec is None:
                self._miss(name, wanted, importer)
                return
            owner = None if top in self.own else _owner(top, spec)
            if owner is not None:
                self._distributions[canonicalize_name(owner.name)] = owner
                return
            if name not in self.found:
                self._add_spec(name, spec)

    def libraries(self) -> dict[str, str]:
        """Return what the distributions that were met are, with all that they need."""
        known = library_versions()
        others = [one for name, one in self._distributions.items() if name not in known]
        return {
            **{name: known[name] for name in self._distributions if name in known},
            **{
                name: known.get(name) or digest_distribution(requirement)
                for name, requirement in with_requirements(others).items()
            },
        }

    def _miss(self, name: str, wanted: Import, importer: str) -> None:
        if wanted.is_optional:
            self.found[name] = "not there"
            return
        if not wanted.may_be_attribute:
            place = f"{importer}:{wanted.line}" if wanted.line else importer
            self.unseen.append(f"{place} imports '{wanted.name}', which is not found here")

    def _add_spec(self, name: str, spec: ModuleSpec) -> None:
        self.found[name] = "a folder"
        if spec.origin is None or not spec.has_location:
            if spec.submodule_search_locations is not None:
                # A folder without __init__.py.
                self.sources[name] = ModuleSource("", True)
            return
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        for folder in spec.submodule_search_locations or ():
            self.found[f"{name} data"] = digest_value(_data_beside(Path(folder)))
        try:
            source = spec.loader.get_source(name)  # type: ignore[union-attr]
        except (AttributeError, ImportError, SyntaxError, UnicodeDecodeError):
            # Compiled code; or text of another encoding than it says, which fails where it is imported.
            source = None
        if source is not None:
            self.found[name] = digest_value(source)
            self.sources[name] = ModuleSource(source, package == name)
            self.follow(spec.origin, source, package)
            return
        try:
            self.found[name] = digest_file(spec.origin)
        except OSError:
            self.unseen.append(f"the code of '{name}' can't be read from '{spec.origin}'")


def _data_beside(package: Path) -> dict[str, str]:
    """Hash the files of a package that are no modules, those in folders that are no packages included."""
    found = {}
    for folder, folders, files in os.walk(package):
        here = Path(folder)
        folders[:] = sorted(
            one
            for one in folders
            if not one.startswith((".", "__pycache__"))
            and not (here / one / "__init__.py").exists()
        )
        for file in sorted(files):
            # A link to nothing, or a socket, is nothing that a package reads; a pipe would be waited for.
            if not file.startswith(".") and not file.endswith(_NO_DATA) and (here / file).is_file():
                found[(here / file).relative_to(package).as_posix()] = digest_file(here / file)
    return found


def _find(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    # Not importlib.util.find_spec, which imports the packages around a module.
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        if find and (spec := find(name, path)) is not None:
            return spec
    return None


def _owner(top: str, spec: ModuleSpec) -> Distribution | None:
    """Find the distribution of an index that a module came with; None if it came from elsewhere."""
    if not spec.origin:
        return None
    for one in _distributions_of(top):
        home = Path(str(one.locate_file("")))
        file = Path(spec.origin)
        if not file.is_relative_to(home) or not is_from_index(one):
            continue
        name = canonicalize_name(one.name)
        if name in library_versions() or str(file.relative_to(home)) in _files(name):
            return one
    return None


def _distributions_of(top: str) -> Iterator[Distribution]:
    """List the distributions with a top-level module or package.

    As `packages_distributions` of importlib.metadata knows them, which looks at all files of all distributions.
    """
    inside = re.compile(rf"^{re.escape(top)}(/[^,]*)?\.(py|[^/,]*so|pyd),", re.MULTILINE)
    for one in _all_distributions():
        if declared := one.read_text("top_level.txt"):
            has_it = top in declared.split()
        elif (record := one.read_text("RECORD")) is not None:
            has_it = inside.search(record) is not None
        else:
            has_it = any(file.parts[0] in (top, f"{top}.py") for file in one.files or ())
        if has_it:
            yield one


@functools.cache
def _all_distributions() -> Sequence[Distribution]:
    return tuple(distributions())


@functools.cache
def _files(name: str) -> frozenset[str]:
    return frozenset(str(file) for file in distribution(name).files or ())
