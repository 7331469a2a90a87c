"""What distinguishes an analysis from others, so that its accumulators may be used again.

TFT names an accumulator by the path of operations of the TensorFlow graph from the columns to it. The name lacks the
settings of a combiner (an epsilon, or which function of NumPy), and the content of what a graph captures (a table or a
variable from outside) or calls (Python). So the settings are added, and an analysis with the others has no key.
"""

import functools
import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import graph_tools

from ...lib.examples import BATCH_ROWS

_FORMAT = 1
_DIGITS = 32
# What they compute depends on more than their inputs.
_OPAQUE = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WholeFileReaderV2"}


def analysis_key(
    entries: Mapping[str, bytes],
    combiners: Mapping[str, Any],
    kinds: Mapping[str, str],
) -> str | None:
    """Name an analysis.

    Args:
        entries: TFT's name of each accumulator, by label.
        combiners: The combiner of each accumulator that has one, by label.
        kinds: Columns that are read, with their kinds.

    Returns:
        The key, hexadecimal digits; None if its accumulators can't be used again.
    """
    try:
        described = sorted(
            [entry.hex(), _describe(combiners[label]) if label in combiners else ""]
            for label, entry in entries.items()
        )
    except TypeError:
        return None
    content = {
        "format": _FORMAT,
        "versions": [tft.__version__, tf.__version__, np.__version__],
        "batch_rows": BATCH_ROWS,
        "kinds": dict(kinds),
        "accumulators": described,
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def shows_all(
    graph: tf.Graph, inputs: Mapping[str, tf.Tensor], tensors: Sequence[tf.Tensor]
) -> bool:
    """Report whether a graph shows all that tensors are computed from.

    Args:
        graph: The graph of preprocessing_fn.
        inputs: Its columns.
        tensors: Tensors of the graph.

    Returns:
        Whether it has no Python in it, and they need nothing from outside but columns.
    """
    definition = graph.as_graph_def()
    nodes = [
        *definition.node,
        *(node for function in definition.library.function for node in function.node_def),
    ]
    if any(node.op in _OPAQUE for node in nodes):
        return False
    columns = {tensor.name for tensor in inputs.values()}
    sources = graph_tools.retrieve_sources([tensor.op for tensor in tensors])
    return all(source.name in columns for source in sources)


def _describe(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, list | tuple):
        return [_describe(item) for item in value]
    if isinstance(value, dict):
        return [[_describe(key), _describe(item)] for key, item in value.items()]
    if isinstance(value, np.ndarray | np.generic | tf.TensorShape | tf.DType | np.dtype):
        return repr(value)
    if isinstance(value, functools.partial):
        return [_describe(value.func), _describe(value.args), _describe(value.keywords)]
    if inspect.ismethod(value):
        return _describe(value.__func__)
    if isinstance(value, np.ufunc):
        return value.__name__
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
    if inspect.isroutine(value) or isinstance(value, type):
        if name.startswith(("numpy", "tensorflow_transform.")) and "<" not in name:
            return name
    elif type(value).__module__.startswith("tensorflow_transform."):
        return [type(value).__qualname__, _describe(vars(value))]
    raise TypeError(f"{type(value)} has no description")
