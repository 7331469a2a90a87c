"""The operations of TFT's analysis graph, computed in this process.

`tensorflow_transform.beam.analysis_graph_builder` describes an analysis as a graph of operations, which tft.beam turns
into a Beam pipeline. Here each is one function; what flows between them is a value, or `Several` where Beam has a
collection of accumulators.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_transform import analyzer_nodes, nodes, tf_utils
from tensorflow_transform.beam import analyzer_cache, analyzer_impls, beam_nodes

from ...lib.examples import SpanPart
from .accumulators import (
    ORDERINGS,
    Combined,
    CombinedPerKey,
    Gatherer,
    gather_vocabulary,
    merge,
    merge_keyed,
)
from .data_pass import Reader, gather
from .phase import FirstPhase, Phase
from .vocabulary import count_vocabulary, merge_vocabulary, prune_vocabulary, write_vocabulary


class Several(list[Any]):
    """Values that Beam would have as a collection."""


class Applied(NamedTuple):
    """The results of a phase over a dataset.

    Attributes:
        label: Of the operation.
        names: The results that are read; empty for all.
    """

    label: str
    names: tuple[str, ...] = ()


class Binding(NamedTuple):
    """An analyser's result.

    Attributes:
        name: The tensor that it replaces.
        value: As a constant.
    """

    name: str
    value: tf.Tensor


@dataclass
class Plan:
    """What an analysis reads.

    Attributes:
        datasets: Of each application of a phase, by label: which dataset it reads.
        phases: Its number, by label.
        readers: Who reads its results, by its label: each with the label of the accumulator.
        tensors: What they read in the first phase, by the names of the results.
        unsupported: Labels of the operations that are not computed in this process.
    """

    datasets: dict[str, analyzer_cache.DatasetKey] = field(default_factory=dict)
    phases: dict[str, int] = field(default_factory=dict)
    readers: dict[str, dict[str, Reader]] = field(default_factory=dict)
    tensors: dict[str, tf.Tensor] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)


class Planner(nodes.Visitor):
    """Finds out what an analysis reads, before anything is computed.

    Attributes:
        plan: What was found in the operations that were visited.
    """

    def __init__(self) -> None:
        """Start without operations."""
        self.plan = Plan()

    def visit(self, operation: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Visit an operation."""
        if isinstance(operation, beam_nodes.ExtractInputForSavedModel):
            return (operation.dataset_key,)
        if isinstance(operation, beam_nodes.CreateSavedModel):
            return (operation.output_signature,)
        if isinstance(operation, beam_nodes.ApplySavedModel):
            if operation.phase == 0:
                self.plan.tensors = inputs[0]
            self.plan.datasets[operation.label] = inputs[1]
            self.plan.phases[operation.label] = operation.phase
            self.plan.readers[operation.label] = {}
            return (Applied(operation.label),)
        source = inputs[0] if inputs and isinstance(inputs[0], Applied) else None
        if isinstance(operation, beam_nodes.ExtractFromDict) and source:
            return (source._replace(names=operation.keys),)
        if source:
            self._plan_reader(operation, source)
        elif type(operation) not in COMPUTED and type(operation) not in _OF_ANALYSIS:
            self.plan.unsupported.append(operation.label)
        return (None,) * operation.num_outputs

    def validate_value(self, value: Any) -> None:
        """Accept any value."""

    def _plan_reader(self, operation: Any, source: Applied) -> None:
        readers = self.plan.readers[source.label]
        if isinstance(operation, analyzer_nodes.PackedCombineAccumulate):
            for packed in operation.combiners:
                readers[packed.label] = Reader(
                    Combined(packed.combiner), tuple(packed.keys), packed.combiner
                )
            return
        gatherer = _gatherer(operation)
        if gatherer is None:
            self.plan.unsupported.append(operation.label)
        else:
            combiner = getattr(operation, "combiner", None)
            readers[operation.label] = Reader(gatherer, source.names, combiner)


def _gatherer(operation: Any) -> Gatherer | None:
    if isinstance(operation, analyzer_nodes.CacheableCombineAccumulate):
        return Combined(operation.combiner)
    if isinstance(operation, analyzer_nodes.CacheableCombinePerKeyAccumulate):
        return CombinedPerKey(operation.combiner)
    if isinstance(operation, analyzer_nodes.VocabularyAccumulate):
        known = operation.vocab_ordering_type in ORDERINGS
        return gather_vocabulary(operation) if known else None
    return None


@dataclass(frozen=True)
class Rows:
    """The rows to analyse.

    Attributes:
        parts: Parts of spans, each a dataset of the analysis.
        keys: The key of each dataset.
        kinds: Columns that are read, with their kinds.
    """

    parts: Sequence[SpanPart]
    keys: Sequence[analyzer_cache.DatasetKey]
    kinds: Mapping[str, str]


class Evaluator(nodes.Visitor):
    """Computes operations.

    Attributes:
        accumulators: Those that are known, by label.
    """

    def __init__(
        self,
        plan: Plan,
        rows: Rows,
        phase: Callable[[Mapping[str, str], Mapping[str, tf.Tensor]], FirstPhase | Phase],
        graph: tf.Graph,
        folder: str,
        known: Mapping[str, Any],
    ) -> None:
        """Create the evaluator.

        Args:
            plan: What the analysis reads.
            rows: The rows.
            phase: Makes a phase of names of tensors and results of earlier phases.
            graph: The graph of preprocessing_fn.
            folder: Folder for the files of vocabularies.
            known: Accumulators that need no pass over rows, by label.
        """
        self._plan = plan
        self._rows = rows
        self._phase = phase
        self._graph = graph
        self._folder = folder
        self.accumulators: dict[str, Any] = dict(known)
        self._passed: set[int] = set()

    def visit(self, operation: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Compute an operation."""
        if isinstance(operation, beam_nodes.CreateSavedModel):
            # The tensors that it computes are listed in the graph before anything is computed.
            names = {
                key: tensor.name
                for key, tensor in operation.output_signature.items()
                if isinstance(tensor, tf.Tensor)
            }
            return ((names, {binding.name: binding.value for binding in inputs}),)
        if isinstance(operation, beam_nodes.ExtractInputForSavedModel):
            return (operation.dataset_key,)
        if isinstance(operation, beam_nodes.ApplySavedModel):
            self._pass(operation.phase, *inputs[0])
            return (Applied(operation.label),)
        if isinstance(operation, analyzer_nodes.PackedCombineAccumulate):
            return ({one.label: self.accumulators[one.label] for one in operation.combiners},)
        if inputs and isinstance(inputs[0], Applied):
            if isinstance(operation, beam_nodes.ExtractFromDict):
                return (inputs[0],)
            return (self.accumulators[operation.label],)
        if isinstance(operation, analyzer_nodes.ExtractVocabularyReservedTokens):
            return (tf_utils.fetch_vocabulary_reserved_tokens(self._graph, operation.name),)
        if isinstance(operation, analyzer_nodes.VocabularyOrderAndWrite):
            reserved = inputs[1] if len(inputs) > 1 else None
            return (write_vocabulary(operation, inputs[0], reserved, self._folder),)
        return tuple(COMPUTED[type(operation)](operation, inputs))

    def validate_value(self, value: Any) -> None:
        """Accept any value."""

    def _pass(
        self, phase: int, names: Mapping[str, str], replacements: Mapping[str, tf.Tensor]
    ) -> None:
        if phase in self._passed:
            return
        self._passed.add(phase)
        labels = [label for label, number in self._plan.phases.items() if number == phase]
        missing = {
            label: {
                name: reader
                for name, reader in self._plan.readers[label].items()
                if name not in self.accumulators
            }
            for label in labels
        }
        readers = [
            (
                part,
                [
                    reader
                    for label in labels
                    if self._plan.datasets[label] == key
                    or self._plan.datasets[label].is_flattened_dataset_key()
                    for reader in missing[label].values()
                ],
            )
            for part, key in zip(self._rows.parts, self._rows.keys, strict=True)
        ]
        if any(of_part for _, of_part in readers):
            compute = self._phase(names, replacements)
            kinds = {name: self._rows.kinds[name] for name in compute.columns}
            gather(compute, kinds, readers)
        for of_label in missing.values():
            self.accumulators |= {
                name: reader.gatherer.result() for name, reader in of_label.items()
            }


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
_OF_ANALYSIS = (
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
