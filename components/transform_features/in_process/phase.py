"""A phase of an analysis: the part of a preprocessing_fn that gives some analysers their input, as a function."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import wrap_function
from tensorflow_transform import graph_context, graph_tools, impl_helper
from tensorflow_transform.saved import saved_transform_io_v2

# Operations with a resource that change nothing.
_READING = {"LookupTableFindV2", "LookupTableSizeV2"}


def is_divisible(graph: tf.Graph) -> bool:
    """Report whether a part of a graph computes by itself what it computes in the whole: no assertion stands apart."""
    return {operation.type for operation in graph.control_outputs} <= _READING


class FirstPhase:
    """Computes the input of the first analysers from rows, by a part of a graph that is there already.

    Calls are safe on several threads.

    Attributes:
        columns: The columns that they need.
    """

    def __init__(
        self, graph: tf.Graph, inputs: Mapping[str, tf.Tensor], tensors: Mapping[str, tf.Tensor]
    ) -> None:
        """Take the part out of the graph.

        Args:
            graph: The graph of a preprocessing_fn; `is_divisible`, and it shows all that the
                tensors are computed from.
            inputs: Its columns.
            tensors: The tensors to compute, by the names that results get.
        """
        sources = graph_tools.retrieve_sources([tensor.op for tensor in tensors.values()])
        names = {source.name for source in sources}
        self.columns = tuple(name for name, tensor in inputs.items() if tensor.name in names)
        wrapped = wrap_function.WrappedFunction(
            graph, variable_holder=wrap_function.VariableHolder(share_variables=True)
        )
        self._function = (
            wrapped.prune([inputs[name] for name in self.columns], dict(tensors))
            if tensors
            else None
        )

    def __call__(self, columns: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Compute the tensors for some rows."""
        return (
            {}
            if self._function is None
            else self._function(*(columns[name] for name in self.columns))
        )


class Phase:
    """Computes the input of analysers from rows, once the analysers before them have their results.

    Calls are safe on several threads.

    Attributes:
        columns: The columns that preprocessing_fn uses.
    """

    def __init__(
        self,
        preprocess: Callable,
        specs: Mapping[str, tf.TypeSpec],
        names: Mapping[str, str],
        replacements: Mapping[str, tf.Tensor],
        folder: str,
    ) -> None:
        """Trace the function, as TFT does for the SavedModel that its workers run.

        Args:
            preprocess: The user's preprocessing_fn.
            specs: Types of the columns that it uses.
            names: Tensors of its graph to compute, by the names that results get.
            replacements: Results of earlier phases, by the names of the tensors that they replace.
            folder: Folder for temporary files.
        """
        # What the function captures lives as long as the module.
        self._module = tf.Module()
        context = graph_context.TFGraphContext(
            module_to_export=self._module,
            temp_dir=folder,
            evaluated_replacements=dict(replacements),
        )
        traced = impl_helper.get_traced_transform_fn(
            preprocess, dict(specs), context, output_keys_to_name_map=dict(names)
        )
        saved_transform_io_v2.trace_and_update_module(
            self._module, traced, "transform_fn", strip_control_dependencies=False
        )
        self.columns = tuple(sorted(specs))

    def __call__(self, columns: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Compute the tensors for some rows."""
        function: Any = self._module.transform_fn
        # A dictionary is flattened in the order of its names.
        return function(*(columns[name] for name in self.columns))
