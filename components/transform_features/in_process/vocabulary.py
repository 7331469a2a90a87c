"""Vocabularies from what was gathered of their tokens: merged, pruned, ordered and written as TFT does it.

The counterparts in `tensorflow_transform.beam.analyzer_impls` are `_VocabularyMergeImpl`, `_VocabularyPruneImpl` and
`_VocabularyOrderAndWriteImpl`.
"""

import hashlib
import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow_transform import analyzer_nodes, analyzers, tf_utils
from tensorflow_transform.beam import analyzer_impls

from .accumulators import Ordering, Token, add_counts, label_combiner, merge_keyed

# A token after its frequency, or after its mutual information and its frequency.
Entry: TypeAlias = tuple[Any, Token]


def merge_vocabulary(
    operation: analyzer_nodes.VocabularyMerge, gathered: Sequence[Mapping[Token, Any]]
) -> list[Entry]:
    """Merge what was gathered of a vocabulary's tokens.

    Args:
        operation: TFT's operation.
        gathered: Of some rows each.

    Returns:
        Each token with its frequency, or with its mutual information and its frequency.
    """
    if operation.vocab_ordering_type in (Ordering.FREQUENCY, Ordering.WEIGHTED_FREQUENCY):
        counts: dict[Token, float] = {}
        for one in gathered:
            add_counts(counts, one.items())
        return [(count, token) for token, count in counts.items()]
    combiner = label_combiner(operation.vocab_ordering_type == Ordering.WEIGHTED_MUTUAL_INFORMATION)

    def merge_one(accumulators: list[Any]) -> Any:
        merged = combiner.merge_accumulators([combiner.create_accumulator(), *accumulators])
        return combiner.extract_output(merged)

    return _informative(operation, merge_keyed(gathered, merge_one))


def _informative(
    operation: analyzer_nodes.VocabularyMerge, merged: dict[Token, Any]
) -> list[Entry]:
    sentinels = (tf_utils.GLOBAL_Y_COUNT_SENTINEL_STRING, tf_utils.GLOBAL_Y_COUNT_SENTINEL_INT)
    # The distribution of the label over all rows stands under a token of its own.
    overall = next((merged.pop(token) for token in sentinels if token in merged), None)
    if overall is None:
        return []
    least_difference = operation.min_diff_from_avg
    if least_difference is None:
        least_difference = analyzers.calculate_recommended_min_diff_from_avg(
            overall.count * overall.weight
        )
    found = []
    for token, accumulator in merged.items():
        _, (information, _, frequency) = (
            analyzer_impls._calculate_mutual_information_for_feature_value(
                (token, accumulator),
                overall,
                operation.use_adjusted_mutual_info,
                least_difference,
            )
        )
        found.append(((information, frequency), token))
    return found


def prune_vocabulary(
    operation: analyzer_nodes.VocabularyPrune, entries: Sequence[Entry]
) -> list[Entry]:
    """Leave out what is too rare, too little informative, or beyond the largest.

    Args:
        operation: TFT's operation.
        entries: The vocabulary.

    Returns:
        Tokens as bytes after one number each; in order if only the largest were asked for.
    """
    kept = _apply(
        entries,
        operation.frequency_threshold,
        operation.informativeness_threshold,
        operation.input_dtype,
    )
    if operation.top_k is not None:
        kept = analyzer_impls.maybe_add_empty_vocabulary_dummy(
            _largest(kept, operation.top_k), operation.input_dtype
        )
    if operation.key_fn is None:
        return kept
    covering = _apply(
        entries,
        operation.coverage_frequency_threshold,
        operation.coverage_informativeness_threshold,
        operation.input_dtype,
    )
    if operation.coverage_top_k is not None:
        covering = _largest_per_key(covering, operation.coverage_top_k, operation.key_fn)
    return list(dict.fromkeys([*kept, *covering]))


def _apply(
    entries: Sequence[Entry], least: float, least_informative: float, dtype: Any
) -> list[Entry]:
    def passes(value: Any) -> bool:
        information, frequency = value if isinstance(value, tuple) else (float("inf"), value)
        return bool(frequency >= least and information >= least_informative)

    kept: Iterable[Entry] = entries
    if least > 0 or least_informative > float("-inf"):
        kept = [entry for entry in kept if passes(entry[0])]
    kept = [(value[0] if isinstance(value, tuple) else value, token) for value, token in kept]
    if dtype == tf.string.name:
        return kept
    return [(value, tf.compat.as_bytes(tf.compat.as_str_any(token))) for value, token in kept]


def _largest(entries: Sequence[Entry], count: int) -> list[Entry]:
    return heapq.nlargest(count, entries)


def _largest_per_key(
    entries: Sequence[Entry], count: int, key_fn: Callable[[Any], Any]
) -> list[Entry]:
    by_key: dict[Any, list[Entry]] = {}
    for value, token in entries:
        number = float(value) if isinstance(value, np.float64) else value
        by_key.setdefault(key_fn(token), []).append((number, token))
    return [entry for of_key in by_key.values() for entry in _largest(of_key, count)]


def count_vocabulary(entries: Sequence[Entry]) -> np.int64:
    """Count the tokens; an empty vocabulary is written with one that stands for none."""
    return np.int64(max(len(entries), 1))


def write_vocabulary(
    operation: analyzer_nodes.VocabularyOrderAndWrite,
    entries: Sequence[Entry],
    reserved: Sequence[bytes] | None,
    folder: str,
) -> np.ndarray:
    """Write a vocabulary's file.

    Args:
        operation: TFT's operation.
        entries: The vocabulary.
        reserved: Tokens that come first; None if there are none of the kind.
        folder: Where to write it.

    Returns:
        The file's path, as an array without dimensions.
    """
    place = os.path.join(folder, operation.vocab_filename)
    lines = _lines(operation, entries, reserved)
    if operation.file_format == "text":
        with open(place, "wb") as text:
            text.writelines(line + b"\n" for line in lines)
        return np.array(place)
    place += ".tfrecord.gz"
    with tf.io.TFRecordWriter(place, "GZIP") as records:
        for line in lines:
            records.write(line)
    return np.array(place)


def _lines(
    operation: analyzer_nodes.VocabularyOrderAndWrite,
    entries: Sequence[Entry],
    reserved: Sequence[bytes] | None,
) -> Iterator[bytes]:
    ordered = list(entries)
    if reserved is not None:
        known = set(reserved)
        ordered = [entry for entry in ordered if entry[1] not in known]
    if operation.fingerprint_shuffle:
        ordered.sort(key=lambda entry: hashlib.sha1(entry[1]).digest())  # type: ignore[arg-type]
    elif not operation.input_is_sorted or reserved is not None:
        ordered.sort(reverse=True)
    if reserved is not None:
        ordered[:0] = [(-1, token) for token in reserved]
    for value, token in analyzer_impls.maybe_add_empty_vocabulary_dummy(
        ordered, operation.input_dtype
    ):
        if operation.store_frequency:
            yield analyzer_impls._count_and_token_to_bytes(value, token)
        else:
            yield token
