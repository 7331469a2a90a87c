"""Files that a model reads and that are not in its folder: another machine does not have them.

It runs in the process that serves: modules of TensorFlow alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorflow.python.framework import dtypes
from tensorflow.python.saved_model import loader_impl

# Operations of TensorFlow that open files, with the places of the inputs that name them.
READERS: Mapping[str, tuple[int, ...]] = {
    "ReadFile": (0,),
    "MatchingFiles": (0,),
    "InitializeTableFromTextFile": (1,),
    "InitializeTableFromTextFileV2": (1,),
    "TextLineDataset": (0,),
    "TFRecordDataset": (0,),
    "TFRecordDatasetV2": (0,),
    "FixedLengthRecordDataset": (0,),
    "FixedLengthRecordDatasetV2": (0,),
    "CSVDataset": (0,),
    "CSVDatasetV2": (0,),
    "MatchingFilesDataset": (0,),
    "LoadDataset": (0,),
    "LMDBDataset": (0,),
    "SqlDataset": (1,),
    "LoadAndRemapMatrix": (0,),
    "GenerateVocabRemapping": (0, 1),
}
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# What a file's name is made of, besides constants of the graph.
_ASSET, _REQUEST = object(), object()
Origin = frozenset[Any]


@dataclass
class _Scope:
    """A graph, or the body of a function.

    Attributes:
        nodes: Its nodes by name.
        origins: What its arguments, and its placeholders of assets, are made of.
    """

    nodes: Mapping[str, Any]
    origins: Mapping[str, Origin]

    def origin(self, references: Iterable[str]) -> Origin:
        """Find what tensors are made of."""
        found: set[Any] = set()
        waiting = [reference for reference in references if not reference.startswith("^")]
        seen = set()
        while waiting:
            name = waiting.pop().partition(":")[0]
            if name in seen:
                continue
            seen.add(name)
            if name in self.origins:
                found |= self.origins[name]
                continue
            node = self.nodes[name]
            if node.op in ("Placeholder", "PlaceholderV2"):
                found.add(_REQUEST)
            elif node.op == "Const":
                found |= set(_texts(node))
            waiting += _inputs(node)
        return frozenset(found)


def find_outside_reads(meta_graph: Any) -> list[str]:
    """List what a SavedModel reads besides its own files.

    Args:
        meta_graph: Its MetaGraphDef.

    Returns:
        A sentence for each file, empty if all of them are assets of the model.
    """
    graph = meta_graph.graph_def
    functions = {one.signature.name: one for one in graph.library.function}
    reading = _reading_functions(functions)
    if not reading and not any(node.op in READERS for node in graph.node):
        return []
    assets = {
        name.partition(":")[0]: frozenset({_ASSET})
        for name in loader_impl.get_asset_tensors("", meta_graph)
    }
    found: dict[str, None] = {}
    top = _Scope({node.name: node for node in graph.node}, assets)
    waiting, seen = [top], set()
    while waiting:
        scope = waiting.pop()
        for node in scope.nodes.values():
            for place in READERS.get(node.op, ()):
                problem = _problem(node.op, scope.origin([_inputs(node)[place]]))
                if problem:
                    found[problem] = None
            for name in _called(node):
                if name not in reading:
                    continue
                function = functions[name]
                arguments = [argument.name for argument in function.signature.input_arg]
                given = tuple(_given(scope, node, len(arguments)))
                if (name, given) in seen:
                    continue
                seen.add((name, given))
                nodes = {one.name: one for one in function.node_def}
                waiting.append(_Scope(nodes, dict(zip(arguments, given, strict=True))))
    return list(found)


def _problem(operation: str, origin: Origin) -> str:
    if _ASSET in origin:
        return ""
    if _REQUEST in origin:
        return f"the model reads files that a request names ({operation}); send their content"
    paths = sorted((text for text in origin if isinstance(text, str)), key=len)
    if not paths:
        return ""
    return (
        f"the model reads '{paths[-1]}' ({operation}), which is not in its folder, so a server does not have it; make "
        "it an asset of the model (tf.saved_model.Asset), or read it while the model is built"
    )


def _given(scope: _Scope, node: Any, arguments: int) -> Iterator[Origin]:
    """List what the arguments of a called function are made of."""
    inputs = _inputs(node)
    if node.op in _CALLS and len(inputs) == arguments:
        yield from (scope.origin([one]) for one in inputs)
    else:
        # Loops, branches and datasets pass their inputs on in their own ways: any argument may be any of them.
        anything = scope.origin(inputs)
        yield from (anything for _ in range(arguments))


def _reading_functions(functions: Mapping[str, Any]) -> set[str]:
    """Find the functions that read files, or call one that does."""
    reading = {
        name
        for name, function in functions.items()
        if any(node.op in READERS for node in function.node_def)
    }
    callers = {
        name: {called for node in function.node_def for called in _called(node)}
        for name, function in functions.items()
        if reading
    }
    size = -1
    while size != len(reading):
        size = len(reading)
        reading |= {name for name, called in callers.items() if called & reading}
    return reading


def _called(node: Any) -> Iterator[str]:
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        elif value.HasField("list"):
            yield from (one.name for one in value.list.func)


def _inputs(node: Any) -> Sequence[str]:
    return [one for one in node.input if not one.startswith("^")]


def _texts(node: Any) -> Iterator[str]:
    tensor = node.attr["value"].tensor
    if tensor.dtype == dtypes.string.as_datatype_enum:
        yield from (one.decode(errors="replace") for one in tensor.string_val)
