"""The user's model code: a file, or a module that is installed in the image."""

import importlib
import importlib.util
import linecache
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..errors import RetrainerError
from .user_errors import explain, user_call

MODULE_FILE = "model.py"


def load_module(module: str, source: str) -> ModuleType:
    """Load the user's module.

    Args:
        module: Name of an importable module; used when `source` is empty.
        source: Text of the module's file.

    Returns:
        The module.

    Raises:
        RetrainerError: If it can't be imported, with the line that failed.
    """
    if not source:
        try:
            return importlib.import_module(module)
        except Exception as error:
            raise explain(f"the module '{module}' can't be imported", error, module) from error
    loaded = ModuleType("model")
    loaded.__file__ = MODULE_FILE
    # Tracebacks and AutoGraph look source lines up here; there need be no file of this text.
    linecache.cache[MODULE_FILE] = (
        len(source),
        None,
        source.splitlines(keepends=True),
        MODULE_FILE,
    )
    sys.modules["model"] = loaded
    try:
        exec(compile(source, MODULE_FILE, "exec"), loaded.__dict__)
    except Exception as error:
        raise explain(f"{MODULE_FILE} can't be imported", error, MODULE_FILE) from error
    return loaded


def user_function(module: ModuleType, function: str) -> Callable[..., Any]:
    """Take a function of the user's module, with errors that name its line.

    Args:
        module: The module.
        function: The function's name.

    Returns:
        A function that calls it.

    Raises:
        RetrainerError: If there is no such function.
    """
    found = getattr(module, function, None)
    place = module.__file__ or module.__name__
    if not callable(found):
        raise RetrainerError(
            f"{place} has no function '{function}'. retrainer calls it; see the starter of 'retrainer init'."
        )

    return user_call(found, f"{function} in {place} raised", place)
