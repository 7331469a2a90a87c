"""What an analyser gathers in a pass over rows: TFT's own accumulators, filled batch by batch.

A batch is reduced on any thread, and added in the order of the rows, so that the result does not depend on the threads.
What is gathered is what TFT's Beam implementation of the same operation has after its accumulation
(`tensorflow_transform.beam.analyzer_impls`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow_transform import analyzer_nodes, analyzers
from tensorflow_transform.beam import analyzer_impls

Ordering = analyzers._VocabOrderingType
_INFORMATION = (Ordering.MUTUAL_INFORMATION, Ordering.WEIGHTED_MUTUAL_INFORMATION)
ORDERINGS = (Ordering.FREQUENCY, Ordering.WEIGHTED_FREQUENCY, *_INFORMATION)
Token: TypeAlias = bytes | int


class Gatherer(Protocol):
    """Gathers an accumulator from batches."""

    def reduce(self, values: Sequence[tf.Tensor]) -> Any:
        """Reduce a batch; called on any thread."""

    def add(self, reduced: Any) -> None:
        """Add a reduced batch; called in the order of the rows."""

    def result(self) -> Any:
        """Return what was gathered."""


class Combined:
    """Gathers the accumulator of a combiner."""

    def __init__(self, combiner: analyzer_nodes.Combiner) -> None:
        """Start with an empty accumulator."""
        self._combiner = combiner
        self._accumulator = combiner.create_accumulator()

    def reduce(self, values: Sequence[tf.Tensor]) -> tuple[np.ndarray, ...]:
        """Take the values as arrays; TensorFlow has reduced them already."""
        return tuple(np.asarray(value) for value in values)

    def add(self, reduced: tuple[np.ndarray, ...]) -> None:
        """Add a batch."""
        self._accumulator = self._combiner.add_input(self._accumulator, reduced)

    def result(self) -> Any:
        """Return the accumulator."""
        return self._accumulator


class CombinedPerKey:
    """Gathers an accumulator of a combiner for each key."""

    def __init__(self, combiner: analyzer_nodes.Combiner) -> None:
        """Start without keys."""
        self._combiner = combiner
        self._accumulators: dict[bytes, Any] = {}
        # A sketch takes many values at once; what other combiners do with them is theirs to define.
        self._whole = isinstance(combiner, analyzers.QuantilesCombiner)

    def reduce(self, values: Sequence[tf.Tensor]) -> list[tuple[bytes, list[Any]]]:
        """Divide a batch by its keys, which are its first tensor."""
        keys, *others = values
        arguments = [np.asarray(other) for other in others]
        if not self._whole:
            return list(analyzer_impls._split_inputs_by_key([np.asarray(keys), *arguments]))
        unique, places = tf.unique(keys)
        rows = np.argsort(places.numpy(), kind="stable")
        counts = np.bincount(places.numpy(), minlength=len(unique))
        pieces = [np.split(array[rows], np.cumsum(counts)[:-1]) for array in arguments]
        return [
            (key, [piece[number] for piece in pieces])
            for number, key in enumerate(unique.numpy().tolist())
        ]

    def add(self, reduced: list[tuple[bytes, list[Any]]]) -> None:
        """Add a batch."""
        for key, arguments in reduced:
            accumulator = self._accumulators.get(key)
            if accumulator is None:
                accumulator = self._combiner.create_accumulator()
            self._accumulators[key] = self._combiner.add_input(accumulator, arguments)

    def result(self) -> dict[bytes, Any]:
        """Return the accumulator of each key."""
        return self._accumulators


class Counted:
    """Gathers how often, or with which weight, each token of a vocabulary occurs.

    Attributes:
        weighted: Whether batches have weights.
    """

    def __init__(self, weighted: bool) -> None:
        """Start without tokens.

        Args:
            weighted: Whether batches have weights, already summed for each token, in place of single tokens.
        """
        self.weighted = weighted
        self._counts: dict[Token, float] = {}

    def reduce(self, values: Sequence[tf.Tensor]) -> tuple[list[Token], list[float]]:
        """Count the tokens of a batch."""
        if self.weighted:
            tokens, weights = values
            return np.asarray(tokens).tolist(), np.asarray(weights).tolist()
        (tokens,) = values
        unique, _, counts = tf.unique_with_counts(tokens, out_idx=tf.int64)
        return unique.numpy().tolist(), counts.numpy().tolist()

    def add(self, reduced: tuple[list[Token], list[float]]) -> None:
        """Add a batch."""
        add_counts(self._counts, zip(*reduced, strict=True))

    def result(self) -> dict[Token, float]:
        """Return the count or weight of each token."""
        return self._counts


class Labelled:
    """Gathers the label's distribution for each token of a vocabulary, from which its mutual information follows."""

    def __init__(self, weighted: bool) -> None:
        """Start without tokens."""
        self._weighted = weighted
        self._combiner = label_combiner(weighted)
        self._accumulators: dict[Token, Any] = {}

    def reduce(self, values: Sequence[tf.Tensor]) -> list[tuple[Token, Any]]:
        """Make an accumulator for each token of a batch."""
        return list(
            analyzer_impls._flatten_to_key_and_means_accumulator_list(
                tuple(np.asarray(value) for value in values), self._weighted
            )
        )

    def add(self, reduced: list[tuple[Token, Any]]) -> None:
        """Add a batch."""
        for token, accumulator in reduced:
            known = self._accumulators.get(token)
            if known is None:
                known = self._combiner.create_accumulator()
            self._accumulators[token] = self._combiner.add_input(known, accumulator)

    def result(self) -> dict[Token, Any]:
        """Return the accumulator of each token."""
        return self._accumulators


def gather_vocabulary(operation: analyzer_nodes.VocabularyAccumulate) -> Gatherer:
    """Make the gatherer of a vocabulary."""
    ordering = operation.vocab_ordering_type
    if ordering in _INFORMATION:
        return Labelled(ordering == Ordering.WEIGHTED_MUTUAL_INFORMATION)
    return Counted(ordering == Ordering.WEIGHTED_FREQUENCY)


def counts_rows(gatherer: Gatherer) -> bool:
    """Report whether a gatherer counts tokens, each row alike."""
    return isinstance(gatherer, Counted) and not gatherer.weighted


def label_combiner(weighted: bool) -> Any:
    """Return the combiner of the label's distribution that TFT uses for vocabularies."""
    return analyzer_impls._WeightedMeanCombineFn(output_shape=(None,), compute_weighted=weighted)


def add_counts(counts: dict[Token, float], more: Any) -> None:
    """Add pairs of a token and its count to counts."""
    for token, count in more:
        counts[token] = counts.get(token, 0) + count


def merge(combiner: analyzer_nodes.Combiner, accumulators: Sequence[Any]) -> Any:
    """Merge accumulators and return the analyser's outputs; none is changed."""
    # A combiner may merge into the first one.
    merged = combiner.merge_accumulators([combiner.create_accumulator(), *accumulators])
    return combiner.extract_output(merged)


def merge_keyed(
    dictionaries: Sequence[Mapping[Any, Any]], merge_one: Callable[[list[Any]], Any]
) -> dict[Any, Any]:
    """Merge the accumulators of each key.

    Args:
        dictionaries: Accumulators by key.
        merge_one: Merges those of one key.

    Returns:
        What `merge_one` returns, by key.
    """
    together: dict[Any, list[Any]] = {}
    for accumulators in dictionaries:
        for key, accumulator in accumulators.items():
            together.setdefault(key, []).append(accumulator)
    return {key: merge_one(found) for key, found in together.items()}
