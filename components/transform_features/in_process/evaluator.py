"""The operations of an analysis, computed in this process in the order in which they need each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow_transform import analyzer_nodes, nodes, tf_utils
from tensorflow_transform.beam import analyzer_cache, beam_nodes

from ...lib.examples import SpanPart
from .data_pass import gather
from .operations import COMPUTED
from .phase import FirstPhase, Phase
from .plan import Applied, Plan
from .vocabulary import write_vocabulary


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
            return (
                {
                    combiner.label: self.accumulators[combiner.label]
                    for combiner in operation.combiners
                },
            )
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
