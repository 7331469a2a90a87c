"""The user's functions on workers that lack the user's file: its text travels, and the modules beside it."""

import importlib.abc
import importlib.util
import linecache
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from apache_beam.internal.cloudpickle import cloudpickle

from ..digests import digest_value
from ..user_code.user_code_digest import ModuleSource, modules_in_folders
from ..user_code.user_module import load_module, user_function

_loaded: dict[str, ModuleType] = {}
# A worker's threads may call at once.
_loading = threading.Lock()


class SentFunction:
    """A function of the user's module, which any process can call.

    It is pickled as the module's text, not as byte code: so any pickle library takes it, and errors name its lines. A
    module that is installed travels by its name; the workers' image must have it.
    """

    def __init__(self, module: str, source: str, function: str) -> None:
        """Take the function.

        Args:
            module: Importable module of the user's code.
            source: Text of the user's code, in place of `module`.
            function: The function's name.
        """
        self._module = module
        self._source = source
        self._function = function
        self._beside = modules_in_folders(source) if source else {}

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function, whose module is loaded first in a process that did not load it yet."""
        return self._found()(*arguments, **named)

    def _found(self) -> Callable[..., Any]:
        key = digest_value([self._module, self._source])
        with _loading:
            if key not in _loaded:
                _Beside.add(self._beside)
                _loaded[key] = load_module(self._module, self._source)
        return user_function(_loaded[key], self._function)


@contextmanager
def sent_by_value(source: str) -> Iterator[None]:
    """Let classes and functions of the user's file be pickled by value, such as combiners of an analyzer of their own.

    Args:
        source: Text of the file; empty for an installed module, whose classes are pickled by their names.
    """
    names = ["model", *modules_in_folders(source)] if source else []
    modules = [sys.modules[name] for name in names if name in sys.modules]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


class _Beside(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds modules whose texts came with the pipeline."""

    def __init__(self, sources: Mapping[str, ModuleSource]) -> None:
        self._sources = sources

    @classmethod
    def add(cls, sources: Mapping[str, ModuleSource]) -> None:
        """Make modules importable that this process has not loaded; they take the place of those in its image."""
        missing = {name: source for name, source in sources.items() if name not in sys.modules}
        if missing:
            sys.meta_path.insert(0, cls(missing))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that came with the pipeline."""
        if fullname not in self._sources:
            return None
        file = f"{fullname.replace('.', '/')}.py"
        text = self._sources[fullname].text
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        return importlib.util.spec_from_loader(fullname, self, origin=file)

    def get_source(self, fullname: str) -> str:
        """Return a module's text."""
        return self._sources[fullname].text

    def is_package(self, fullname: str) -> bool:
        """Report whether a module is a package."""
        return self._sources[fullname].is_package

    def get_filename(self, fullname: str) -> str:
        """Return what tracebacks call a module's file."""
        return f"{fullname.replace('.', '/')}.py"
