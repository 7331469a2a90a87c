"""The user's model code: a file, or a module that is installed in the image."""

import importlib
import importlib.util
import linecache
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .errors import RetrainerError

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
            raise _explain(f"the module '{module}' can't be imported", error, module) from error
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
        raise _explain(f"{MODULE_FILE} can't be imported", error, MODULE_FILE) from error
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

    def call(*arguments: Any) -> Any:
        try:
            return found(*arguments)
        except RetrainerError:
            raise
        except Exception as error:
            raise _explain(f"{function} in {place} raised", error, place) from error

    return call


def _explain(what: str, error: Exception, file: str) -> RetrainerError:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith(file)
    ]
    where = f", line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
    if isinstance(error, SyntaxError):
        where = f", line {error.lineno}: {(error.text or '').strip()}"
    message = str(error).strip().splitlines()
    shown = "\n".join(message[:12])
    return RetrainerError(f"{what}{where}\n{type(error).__name__}: {shown}")
