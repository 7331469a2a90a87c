"""What a module's text imports, without running it."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_BY_NAME = {"import_module", "__import__"}


@dataclass(frozen=True)
class Import:
    """A module that is imported.

    Attributes:
        name: Its whole name; empty if it is made when the code runs.
        line: Line of the import; 0 if there is none.
        is_optional: Whether the code goes on where there is no such module.
        may_be_attribute: Whether the name may be that of something in a module, and no module.
    """

    name: str
    line: int
    is_optional: bool = False
    may_be_attribute: bool = False


def find_imports(tree: ast.AST, package: str) -> Iterator[Import]:
    """Find what a module imports, anywhere in it.

    Args:
        tree: The module.
        package: The package that it is in, for relative imports; empty for none.

    Yields:
        Each import. Those for type checkers alone are left out.
    """
    yield from _find(tree, package, False)


def _find(node: ast.AST, package: str, optional: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, optional)
        return
    if isinstance(node, ast.ImportFrom):
        base = _absolute(node.module or "", node.level, package)
        if base:
            yield Import(base, node.lineno, optional)
            for alias in node.names:
                if alias.name != "*":
                    yield Import(f"{base}.{alias.name}", node.lineno, optional, True)
        return
    if isinstance(node, ast.If) and _name_of(node.test) == "TYPE_CHECKING":
        yield from _find_all(node.orelse, package, optional)
        return
    if isinstance(node, ast.Try):
        guarded = optional or any(_catches_import_errors(handler) for handler in node.handlers)
        yield from _find_all(node.body, package, guarded)
        yield from _find_all([*node.handlers, *node.orelse, *node.finalbody], package, optional)
        return
    if isinstance(node, ast.Call) and _name_of(node.func) in _BY_NAME and node.args:
        yield _by_name(node, package, optional)
    yield from _find_all(ast.iter_child_nodes(node), package, optional)


def _find_all(nodes: Iterable[ast.AST], package: str, optional: bool) -> Iterator[Import]:
    for node in nodes:
        yield from _find(node, package, optional)


def _by_name(call: ast.Call, package: str, optional: bool) -> Import:
    first = call.args[0]
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return Import("", call.lineno, optional)
    name = first.value.lstrip(".")
    level = len(first.value) - len(name)
    return Import(_absolute(name, level, package), call.lineno, optional)


def _absolute(name: str, level: int, package: str) -> str:
    if level == 0:
        return name
    parts = package.split(".") if package else []
    if level > len(parts):
        # It fails where it is imported.
        return ""
    return ".".join([*parts[: len(parts) - level + 1], *([name] if name else [])])


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _catches_import_errors(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(_name_of(one) in _IMPORT_ERRORS for one in types)
