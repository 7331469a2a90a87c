"""Installs a fault in this process and in the Python processes that it starts, which find this file by PYTHONPATH."""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType

MODULE, SOURCE = "RETRAINER_FAULT_MODULE", "RETRAINER_FAULT_SOURCE"


class _FaultyLoader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        # Not from a .pyc file, and no new one: that would outlive the fault.
        with open(os.environ[SOURCE], encoding="utf-8") as file:
            return compile(file.read(), self.path, "exec", dont_inherit=True)


class _FaultyFinder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != os.environ.get(MODULE):
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec and spec.origin:
                spec.loader = _FaultyLoader(name, spec.origin)
                return spec
        return None


def install() -> None:
    """Take the fault that the environment names, if it names one."""
    if os.environ.get(MODULE):
        sys.meta_path.insert(0, _FaultyFinder())


install()
