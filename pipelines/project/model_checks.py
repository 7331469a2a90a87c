"""What can be said of the user's model code without running it: no library is loaded."""

import ast
import importlib.util
from collections.abc import Iterator

from ...components.lib.errors import RetrainerError
from ...components.lib.words import did_you_mean

FUNCTIONS = {
    "preprocessing_fn": ("inputs",),
    "build_model": ("transform_output", "hyperparameters"),
}
"""The functions that retrainer calls, with the arguments that each is given, by position."""


def model_problems(source: str, file: str) -> Iterator[str]:
    """Find what is wrong with a model file before anything imports it.

    Args:
        source: Its text.
        file: What to call it.

    Yields:
        A sentence for each problem.
    """
    try:
        tree = ast.parse(source, file)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        shown = (getattr(error, "text", None) or "").strip()
        place = f"{file}:{line}" if line else file
        yield f"{place}: this is not Python: {getattr(error, 'msg', error)}" + (
            f", in: {shown}" if shown else "."
        )
        return
    names = dict(_bound(tree.body))
    if "*" in names:
        # Only an import shows which names that brings.
        return
    for name, arguments in FUNCTIONS.items():
        call = f"{name}({', '.join(arguments)})"
        if name not in names:
            near = did_you_mean(name, names)
            yield f"{file} has no function '{name}'.{near} retrainer calls {call}; see the starter of 'retrainer init'."
        elif isinstance(node := names[name], ast.FunctionDef) and not _takes(node, len(arguments)):
            yield (
                f"{file}:{node.lineno}: {name} takes {ast.unparse(node.args) or 'nothing'}, and retrainer calls {call}."
            )


def check_module(module: str) -> None:
    """Check that a module that retrain.yaml names can be found on this machine.

    Args:
        module: Its name.

    Raises:
        RetrainerError: If it can't.
    """
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise RetrainerError(
            f"model.module is '{module}', and no such module is installed here. For a file beside retrain.yaml write "
            f"'{module}.py'; else install the module."
        )


def _bound(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Name what a module's statements define, those in its `if`, `try` and `with` included."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name, node) for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in ast.walk(node):
                if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                    yield target.id, node
        else:
            for block in ("body", "orelse", "finalbody"):
                yield from _bound(getattr(node, block, []))
            for handler in getattr(node, "handlers", []):
                yield from _bound(handler.body)


def _takes(function: ast.FunctionDef, count: int) -> bool:
    """Whether a function can be called with so many arguments by position."""
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    named_only = any(default is None for default in arguments.kw_defaults)
    most = count if arguments.vararg else positional
    return required <= count <= most and not named_only
