"""A preprocessing_fn as a TensorFlow graph, and which columns it uses."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import tensorflow as tf
from tensorflow_transform import analyzer_nodes, graph_tools, impl_helper, nodes, tf2_utils

from ..lib.errors import RetrainerError
from ..lib.features import FLOAT, INT, STRING

DTYPES = {INT: tf.int64, FLOAT: tf.float32, STRING: tf.string}
_HOLDS = {INT: "whole numbers", FLOAT: "numbers", STRING: "text"}


@dataclass(frozen=True)
class Traced:
    """The graph of a preprocessing_fn.

    Attributes:
        graph: With TFT's analysers in its collections.
        inputs: The tensor of each column that it was given.
        outputs: What it returned.
        used: The columns that it uses, with their kinds, in the order of their names.
        asked_which: Whether it asked which columns there are, in place of taking them by name.
    """

    graph: tf.Graph
    inputs: Mapping[str, tf.Tensor]
    outputs: Mapping[str, Any]
    used: Mapping[str, str]
    asked_which: bool

    @property
    def has_unused(self) -> bool:
        """Whether it was given columns that it does not use."""
        return len(self.inputs) > len(self.used)


def column_specs(kinds: Mapping[str, str]) -> dict[str, tf.TensorSpec]:
    """Return the types of columns as preprocessing_fn gets them."""
    return {name: tf.TensorSpec([None, 1], DTYPES[kind]) for name, kind in kinds.items()}


def trace(preprocess: Callable, available: Mapping[str, str]) -> Traced:
    """Trace a preprocessing_fn.

    Args:
        preprocess: The user's preprocessing_fn.
        available: Columns that it may use, with their kinds.

    Returns:
        Its graph.

    Raises:
        RetrainerError: If it asks for a column that is not there, raises, uses no column, or does not return features.
    """
    asked_which = False

    def checked(inputs: Mapping[str, Any]) -> Any:
        nonlocal asked_which
        columns = _Columns(inputs)
        try:
            outputs = preprocess(columns)
            asked_which = columns.asked_which
            return outputs
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
            checked, column_specs(available), use_tf_compat_v1=False, base_temp_dir=folder
        )
    if not isinstance(outputs, dict) or not outputs:
        raise RetrainerError(
            "preprocessing_fn returns no features. It must return a dictionary of tensors by name."
        )
    used = _sources(graph, inputs, outputs)
    if not used:
        raise RetrainerError(
            f"preprocessing_fn uses none of the columns {', '.join(available)}; a model needs a feature."
        )
    kinds = {name: available[name] for name in sorted(used)}
    return Traced(graph, inputs, outputs, kinds, asked_which)


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
        asked_which: Whether it was asked which columns there are.
    """

    last = ""
    asked_which = False

    def __getitem__(self, name: str) -> Any:
        self.last = name
        return super().__getitem__(name)

    def __missing__(self, name: str) -> NoReturn:
        raise RetrainerError(
            f"preprocessing_fn asks for the column '{name}', which the examples don't have as a feature. "
            f"They have: {', '.join(sorted(self))}. (The label and the key are no features.)"
        )

    def __contains__(self, name: object) -> bool:
        self.asked_which = True
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self.asked_which = True
        return super().__iter__()

    def __len__(self) -> int:
        self.asked_which = True
        return super().__len__()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked_which = True
        return super().get(name, default)

    def keys(self) -> Any:
        self.asked_which = True
        return super().keys()

    def values(self) -> Any:
        self.asked_which = True
        return super().values()

    def items(self) -> Any:
        self.asked_which = True
        return super().items()

    def copy(self) -> Any:
        self.asked_which = True
        return super().copy()
