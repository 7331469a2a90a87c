"""What an analysis reads, found in TFT's graph of its operations before anything is computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow_transform import analyzer_nodes, nodes
from tensorflow_transform.beam import analyzer_cache, beam_nodes

from .accumulators import (
    ORDERINGS,
    Combined,
    CombinedPerKey,
    Gatherer,
    counts_rows,
    gather_vocabulary,
)
from .cell_tokens import CountedCells, compute_cell_tokens, find_cell_tokens
from .data_pass import Reader
from .operations import COMPUTED, OF_ANALYSIS


class Applied(NamedTuple):
    """The results of a phase over a dataset.

    Attributes:
        label: Of the operation.
        names: The results that are read; empty for all.
    """

    label: str
    names: tuple[str, ...] = ()


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
        elif type(operation) not in COMPUTED and type(operation) not in OF_ANALYSIS:
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


def read_cells(plan: Plan, graph: tf.Graph, inputs: Mapping[str, tf.Tensor]) -> None:
    """Let vocabularies of a plan of one phase read the distinct cells of a column where these determine them.

    Args:
        plan: What the analysis reads, which is changed.
        graph: The graph of a preprocessing_fn.
        inputs: Its columns.
    """
    names = {tensor.ref(): name for name, tensor in inputs.items()}
    functions = {}
    for name, tensor in plan.tensors.items():
        found = find_cell_tokens(tensor)
        if found:
            column = names[found.column.ref()]
            functions[name] = column, compute_cell_tokens(graph, found)
    for readers in plan.readers.values():
        for label, reader in readers.items():
            if counts_rows(reader.gatherer) and reader.names[0] in functions:
                column, compute = functions[reader.names[0]]
                readers[label] = Reader(CountedCells(compute), (), column=column)
    read = {
        name
        for readers in plan.readers.values()
        for reader in readers.values()
        for name in reader.names
    }
    plan.tensors = {name: tensor for name, tensor in plan.tensors.items() if name in read}
