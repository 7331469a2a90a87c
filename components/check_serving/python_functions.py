"""Functions of Python that a model calls: they live in the process that made it, and no server has them.

It runs in the process that serves: modules of TensorFlow alone.
"""

from typing import Any

_OPERATIONS = frozenset(("PyFunc", "PyFuncStateless", "EagerPyFunc"))


def find_python_functions(meta_graph: Any) -> str:
    """Describe the calls of Python in what a SavedModel's signatures and its loading run.

    Args:
        meta_graph: Its MetaGraphDef.

    Returns:
        What is wrong; empty without such a call.
    """
    functions = {one.signature.name: one for one in meta_graph.graph_def.library.function}
    waiting, seen = [meta_graph.graph_def.node], set()
    while waiting:
        for node in waiting.pop():
            if node.op in _OPERATIONS:
                return (
                    f"the model calls a function of Python ({node.op}, '{node.name}'), which no server has; write it "
                    "with operations of TensorFlow in place of tf.py_function or tf.numpy_function"
                )
            for value in node.attr.values():
                for function in (value.func, *value.list.func):
                    if function.name in functions and function.name not in seen:
                        seen.add(function.name)
                        waiting.append(functions[function.name].node_def)
    return ""
