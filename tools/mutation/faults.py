"""Small faults that a module could have: where they are, and the module's text with one of them.

Not drawn: what no test should hold. That is annotations, docstrings, the words of messages and logs, `__repr__`, how
long something waits (no test here asserts a time) and how often it is tried again, how much is read, worked on or kept
in memory at once, in how many threads, and how much of a long list or text people are shown. A constant says by its
name that it is one of these: `_ATTEMPTS`, `_READERS`, `_MOST_NAMED`. A limit that refuses or decides something has
another name, and is drawn. Nor what changes no result whatever the module is: assertions, `zip`'s `strict` among them,
a `return` of nothing where the function ends anyway, the order of two arguments of a symmetric function such as
`suppress` or `union1d`, `<` in place of `<=` where the system's clock or a tolerance for rounding errors is compared,
which no reading meets exactly, the seed of a draw, how many digits of a digest name something, the epoch's first day
as a date that is never met, a negative number for NumPy's `reshape`, and flags of libraries that choose threads,
copies in memory or how JSON is spelled.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

# At a bound, and beside it.
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CALLS = {"any": "all", "all": "any", "min": "max", "max": "min", "sorted": "list"}
# Whose first two arguments may change places.
_SYMMETRIC = {
    *("suppress", "union1d", "maximum", "minimum", "array_equal", "logical_and", "logical_or"),
    *("and_", "or_", "and_kleene", "or_kleene", "equal", "not_equal", "add", "multiply"),
}
_CLOCKS = {"monotonic", "perf_counter", "time.time"}
# What only people read, and what only takes time.
_WORDS = re.compile(
    r"^(print|progress|warn|warning|info|debug|exception|log\w*|plural|number|percent|signed|sleep)$"
)
_PACE = re.compile(
    r"(?i)((^|_)(races|attempts|retries|tries)|seconds|timeout|interval|patience|indent|delay|poll|workers|max_seen|max_known|(batch|chunk|block|buffer)\w*)$"
)
# Of constants alone: threads, memory, draws, and what people are shown.
_SIZES = re.compile(
    r"(^|_)(READERS|THREADS|UPLOADS|COPIES|PAGE_SIZE|SEED|SORTED|RECORDS|AHEAD_\w+|(FILES|BYTES)_AHEAD|(FIRST|HEAD)_(CELLS|ROWS)"
    r"|SHOWN|NAMED|DRAWN|PLOTTED|EXAMPLES|REASONS(_IN_\w+)?|LETTERS|CHECKS|(TEXT|CELL)_KEPT|CHARACTERS(_SHOWN)?|NAMED_\w+)$"
)
_FLAGS = ("daemon", "durable", "copy", "use_threads", "reshuffle", "ensure_ascii")


@dataclass(frozen=True)
class Fault:
    """One small fault.

    Attributes:
        path: The module, from the repository's root.
        line: Where it is.
        start: The place of its first byte.
        end: The place after its last one.
        before: What is there.
        after: What the fault makes of it.
        source: The module's text.
    """

    path: str
    line: int
    start: int
    end: int
    before: str
    after: str
    source: str

    @property
    def faulty(self) -> str:
        """The module's text with the fault."""
        encoded = self.source.encode()
        return (encoded[: self.start] + self.after.encode() + encoded[self.end :]).decode()


def faults_of(path: str, source: str) -> list[Fault]:
    """List the faults that a module could have.

    Args:
        path: The module, from the repository's root.
        source: Its text.
    """
    encoded, starts = source.encode(), [0]
    for line in encoded.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = {}
    for node, after in _replacements(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        found[start, end, after] = Fault(
            path, node.lineno, start, end, encoded[start:end].decode(), after, source
        )
    return list(found.values())


def _replacements(tree: ast.Module) -> Iterator[tuple[Any, str]]:
    last = {
        statement
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for statement in _ends(node.body)
    }
    for node in _logic(tree):
        if isinstance(node, ast.stmt):
            if _can_be_dropped(node) and not (node in last and _returns_nothing(node)):
                yield node, "pass"
        elif isinstance(node, ast.comprehension):
            for condition in node.ifs:
                yield condition, "True"
        elif isinstance(node, ast.expr):
            for changed in _changes(node):
                yield node, f"({ast.unparse(changed)})"


def _logic(node: ast.AST) -> Iterator[ast.AST]:
    """Walk over what decides something."""
    if isinstance(node, ast.FunctionDef) and node.name in ("__repr__", "__str__"):
        return
    if isinstance(node, ast.JoinedStr | ast.Assert | ast.Raise):
        if isinstance(node, ast.Raise):
            yield node
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Call) and _WORDS.match(_name(node.func)):
        return
    if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [_name(one) for target in targets for one in getattr(target, "elts", [target])]
        is_plain = not any(isinstance(one, ast.Call) for one in ast.walk(node))
        if any(_PACE.search(name) or (is_plain and _SIZES.search(name)) for name in names):
            return
    if isinstance(node, ast.keyword) and (node.arg in _FLAGS or _PACE.search(node.arg or "")):
        return
    if isinstance(node, ast.Call) and ast.unparse(node).startswith("datetime(1970, 1, 1"):
        return
    if _is_part_of_digest(node):
        yield from _logic(node.value)
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
            continue
        if isinstance(node, ast.Call):
            if name == "keywords" and _name(node.func) == "zip":
                continue
            if name == "args" and _name(node.func) == "ThreadPoolExecutor":
                continue
            if name == "args" and _name(node.func) == "reshape":
                value = [one for one in value if not isinstance(one, ast.UnaryOp)]
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _logic(child)


def _is_part_of_digest(node: ast.AST) -> TypeGuard[ast.Subscript]:
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Slice):
        return False
    return "digest" in ast.unparse(node.value)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _can_be_dropped(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call) and not _WORDS.match(_name(node.value.func))
    if isinstance(node, ast.Assign):
        # Without the others, a name would be missing, which any test sees.
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    if isinstance(node, ast.Return):
        return node.value is not None
    return isinstance(node, ast.AugAssign | ast.Raise | ast.Continue | ast.Break)


def _ends(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """List the statements behind which a function ends, whichever way it goes."""
    match body[-1]:
        case ast.If() | ast.For() | ast.While() as node:
            # A loop goes on behind its last statement, and ends behind `else`.
            parts = [node.orelse, *([node.body] if isinstance(node, ast.If) else [])]
        case ast.With() as node:
            parts = [node.body]
        case ast.Try() as node if not node.finalbody:
            parts = [node.orelse or node.body, *(handler.body for handler in node.handlers)]
        case node:
            yield node
            return
    for part in filter(None, parts):
        yield from _ends(part)


def _returns_nothing(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Return) else None
    return isinstance(value, ast.Constant) and not value.value


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        operators = _COMPARISONS.get(type(node.ops[0]), ())
        if len(operators) == 2 and (_reads_clock(node) or _has_tolerance(node)):
            operators = operators[1:]
        for operator in operators:
            yield ast.Compare(node.left, [operator()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for place, dropped in enumerate(node.values):
            if isinstance(dropped, ast.Constant) and not dropped.value:
                # `x or ""`: what was false stays false.
                continue
            left = [value for at, value in enumerate(node.values) if at != place]
            yield left[0] if len(left) == 1 else ast.BoolOp(node.op, left)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        if not any(_is_text(side) for side in (node.left, node.right)):
            yield ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.Constant):
        yield from _other_constants(node)
    elif isinstance(node, ast.Call):
        yield from _other_calls(node)


def _other_constants(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 2 or 1.0)


def _other_calls(node: ast.Call) -> Iterator[ast.AST]:
    name = _name(node.func)
    if name in _CALLS and isinstance(node.func, ast.Name):
        call = ast.Call(
            ast.Name(_CALLS[name]), node.args, [] if name == "sorted" else node.keywords
        )
        yield call
        return
    first = node.args[:2]
    names = [arg for arg in first if isinstance(arg, ast.Name | ast.Attribute)]
    is_same = len(names) == 2 and ast.unparse(names[0]) == ast.unparse(names[1])
    if len(names) == 2 and not is_same and name not in _SYMMETRIC:
        yield ast.Call(node.func, [first[1], first[0], *node.args[2:]], node.keywords)


def _reads_clock(node: ast.AST) -> bool:
    calls = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
    return any(_name(call) in _CLOCKS or ast.unparse(call) in _CLOCKS for call in calls)


def _has_tolerance(node: ast.AST) -> bool:
    return any("tolerance" in _name(one).lower() for one in ast.walk(node))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr | ast.List) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )
