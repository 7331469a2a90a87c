"""Which columns a preprocessing_fn uses."""

import tempfile
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import tensorflow as tf
from tensorflow_transform import analyzer_nodes, graph_tools, impl_helper, nodes, tf2_utils

from ..lib.errors import RetrainerError
from ..lib.features import FLOAT, INT, STRING

DTYPES = {INT: tf.int64, FLOAT: tf.float32, STRING: tf.string}
_HOLDS = {INT: "whole numbers", FLOAT: "numbers", STRING: "text"}


def used_features(preprocess: Callable, available: Mapping[str, str]) -> dict[str, str]:
    """Find the columns that a preprocessing_fn uses.

    Args:
        preprocess: The user's preprocessing_fn.
        available: Columns that it may use, with their kinds.

    Returns:
        Those it does use, in the order of their names.

    Raises:
        RetrainerError: If it asks for a column that is not there, raises, or uses none.
    """
    specs = {name: tf.TensorSpec([None, 1], DTYPES[kind]) for name, kind in available.items()}

    def checked(inputs: Mapping[str, Any]) -> Any:
        columns = _Columns(inputs)
        try:
            return preprocess(columns)
        except RetrainerError as error:
            if columns.last not in available:
                raise
            raise RetrainerError(
                f"{error}\nThe column that it read last is '{columns.last}', which holds "
                f"{_HOLDS[available[columns.last]]}."
            ) from error

    # In a folder of its own: the names of lookup tables, which the process shares, follow from their files.
    with tempfile.TemporaryDirectory(prefix="retrainer-transform-") as folder:
        graph, inputs, outputs = impl_helper.trace_preprocessing_function(
            checked, specs, use_tf_compat_v1=False, base_temp_dir=folder
        )
    used = _sources(graph, inputs, outputs)
    if not used:
        raise RetrainerError(
            f"preprocessing_fn uses none of the columns {', '.join(available)}; a model needs a feature."
        )
    return {name: available[name] for name in sorted(used)}


def _sources(
    graph: tf.Graph, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
) -> Mapping[str, Any]:
    # As tft.get_transform_input_columns and tft.get_analyze_input_columns find them, each of which traces the function
    # once more.
    visitor = graph_tools.SourcedTensorsVisitor()
    for sink in graph.get_collection(analyzer_nodes.TENSOR_REPLACEMENTS):
        nodes.Traverser(visitor).visit_value_node(sink.future)
    flat_outputs = tf.nest.flatten(outputs, expand_composites=True)
    _, controls = tf2_utils.strip_and_get_tensors_and_control_dependencies(flat_outputs)
    sinks = [*visitor.sourced_tensors, *controls, *flat_outputs]
    return dict(graph_tools.get_dependent_inputs(graph, inputs, sinks))


class _Columns(dict):
    """The inputs of a preprocessing_fn; a column that is not there is named with those that are.

    Attributes:
        last: The column that was read last; empty at first.
    """

    last = ""

    def __getitem__(self, name: str) -> Any:
        self.last = name
        return super().__getitem__(name)

    def __missing__(self, name: str) -> NoReturn:
        raise RetrainerError(
            f"preprocessing_fn asks for the column '{name}', which the examples don't have as a feature. "
            f"They have: {', '.join(sorted(self))}. (The label and the key are no features.)"
        )
