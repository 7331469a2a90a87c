"""The operations of TFT's analysis graph that neither read rows nor need the analysis's folder, each one function.

`tensorflow_transform.beam.analysis_graph_builder` describes an analysis as a graph of operations, which tft.beam turns
into a Beam pipeline. What flows between the functions is a value, or `Several` where Beam has a collection of
accumulators.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_transform import analyzer_nodes
from tensorflow_transform.beam import analyzer_impls, beam_nodes

from .accumulators import merge, merge_keyed
from .vocabulary import count_vocabulary, merge_vocabulary, prune_vocabulary


class Several(list[Any]):
    """Values that Beam would have as a collection."""


class Binding(NamedTuple):
    """An analyser's result.

    Attributes:
        name: The tensor that it replaces.
        value: As a constant.
    """

    name: str
    value: tf.Tensor


def _each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, Several) else [value]


def _flatten(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (Several(one for value in inputs for one in _each(value)),)


def _add_key(operation: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (Several((operation.key, one) for one in _each(inputs[0])),)


def _merge_packed(operation: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (
        {
            packed.label: merge(
                packed.combiner, [one for key, one in _each(inputs[0]) if (key,) == packed.keys]
            )
            for packed in operation.combiners
        },
    )


def _merge_per_key(operation: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    def merge_one(accumulators: list[Any]) -> Any:
        return merge(operation.combiner, accumulators)

    return (merge_keyed(list(_each(inputs[0])), merge_one),)


def _format_keys(operation: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    # TFT's own, which yields each output with a tag.
    dtypes = [info.dtype for info in operation.combiner.output_tensor_infos()]
    found = analyzer_impls._merge_outputs_by_key(inputs[0].items(), dtypes)
    return tuple(output.value for output in found)


def _format_large(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    text = tf.compat.as_str_any
    return ([(text(",".join(map(text, value))), key) for key, value in inputs[0].items()],)


def _bind(operation: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    dtype = tf.dtypes.as_dtype(operation.dtype_enum)
    return (Binding(operation.tensor_name, tf.constant(inputs[0], dtype)),)


# Operations that need the analysis's folder or graph.
OF_ANALYSIS = (
    analyzer_nodes.ExtractVocabularyReservedTokens,
    analyzer_nodes.VocabularyOrderAndWrite,
)
# How the operations are computed that neither read rows nor need the analysis's folder or graph.
COMPUTED: dict[type, Callable[[Any, tuple[Any, ...]], Sequence[Any]]] = {
    beam_nodes.ExtractFromDict: lambda operation, inputs: (inputs[0][operation.keys],),
    beam_nodes.Flatten: _flatten,
    beam_nodes.CreateTensorBinding: _bind,
    analyzer_nodes.AddKey: _add_key,
    analyzer_nodes.PackedCombineMerge: _merge_packed,
    analyzer_nodes.CacheableCombineMerge: lambda operation, inputs: (
        merge(operation.combiner, list(_each(inputs[0]))),
    ),
    analyzer_nodes.CacheableCombinePerKeyMerge: _merge_per_key,
    analyzer_nodes.CacheableCombinePerKeyFormatKeys: _format_keys,
    analyzer_nodes.CacheableCombinePerKeyFormatLarge: _format_large,
    analyzer_nodes.ExtractCombineMergeOutputs: lambda _, inputs: tuple(inputs[0]),
    analyzer_nodes.ExtractPackedCombineMergeOutputs: lambda _, inputs: tuple(inputs[0]),
    analyzer_nodes.ScaleAndFlattenPerKeyBucketBouandaries: lambda _, inputs: (
        analyzer_impls._join_boundary_rows(np.asarray(inputs[0]))
    ),
    analyzer_nodes.VocabularyMerge: lambda operation, inputs: (
        merge_vocabulary(operation, list(_each(inputs[0]))),
    ),
    analyzer_nodes.VocabularyPrune: lambda operation, inputs: (
        prune_vocabulary(operation, inputs[0]),
    ),
    analyzer_nodes.VocabularyCount: lambda _, inputs: (count_vocabulary(inputs[0]),),
}
