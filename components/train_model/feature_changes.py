"""Which transformed features mean what they meant for the champion, found by running rows through both transforms."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

# A number's scale may move as the data does (a z-score's mean and deviation), its meaning may not.
_LEAST_CORRELATION = 0.9
_MOST_SCALE = 3.0
# Of an index's rows, how many must have had one and the same index before.
_LEAST_AGREEMENT = 0.5

Transform = Callable[[Mapping[str, np.ndarray]], Mapping[str, Any]]


@dataclass(frozen=True)
class Index:
    """An integer feature: where the weights of its values are in the champion.

    Attributes:
        moved: By value the champion's value of the same meaning; a value that is not in it is new. None if every
            value means what it meant.
        words: The words of the values, if a vocabulary gives them.
    """

    moved: Mapping[int, int] | None = None
    words: tuple[str, ...] = field(default=(), repr=False)

    def places(self, size: int, old_size: int) -> np.ndarray:
        """Return the champion's value for each value.

        Args:
            size: How many values there are, from 0 up.
            old_size: How many the champion knows.

        Returns:
            int64, shape (size,); -1 for a new value.
        """
        places = np.arange(size) if self.moved is None else np.full(size, -1)
        if self.moved is not None:
            for value, place in self.moved.items():
                if 0 <= value < size:
                    places[value] = place
        return np.where((places >= 0) & (places < old_size), places, -1)


@dataclass(frozen=True)
class Same:
    """A feature of numbers or text that means what it meant."""


@dataclass(frozen=True)
class Changed:
    """A feature that means something else, or that the champion did not have.

    Attributes:
        reason: What is different, after the feature's name.
    """

    reason: str


Meaning = Index | Same | Changed


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary of both transforms.

    Attributes:
        new: Its words now, by index.
        old: The champion's words, by index.
    """

    new: tuple[str, ...]
    old: tuple[str, ...]


def compare_features(
    rows: Iterable[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]],
    new: Transform,
    old: Transform,
    vocabularies: Iterable[Vocabulary],
    sizes: Mapping[str, int],
) -> dict[str, Meaning]:
    """Compare what two transforms make of the same rows.

    Args:
        rows: Batches of raw columns: those that the new transform takes, and those that the champion's takes.
        new: The transform that the new model is trained with: raw columns to transformed features.
        old: The champion's.
        vocabularies: Vocabularies of both.
        sizes: Of each categorical feature how many values it can have, out-of-vocabulary buckets included.

    Returns:
        By transformed feature of the new transform, what became of its meaning.
    """
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    meanings: dict[str, Meaning] = {}
    for now, then in rows:
        after, before = new(now), old(then)
        for name, tensor in after.items():
            if name not in before:
                meanings[name] = Changed("is new")
                continue
            one, other = _values(tensor), _values(before[name])
            if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
                meanings[name] = Changed("has another shape or type")
                continue
            pairs.setdefault(name, []).append((one, other))
    known = list(vocabularies)
    for name, found in pairs.items():
        if name not in meanings:
            one, other = (np.concatenate([pair[side] for pair in found]) for side in (0, 1))
            meanings[name] = _compare(one, other, known, sizes.get(name))
    return meanings


def _values(tensor: Any) -> np.ndarray:
    if isinstance(tensor, tf.SparseTensor):
        tensor = tensor.values
    elif isinstance(tensor, tf.RaggedTensor):
        tensor = tensor.flat_values
    return np.asarray(tensor).reshape(-1)


def _compare(
    new: np.ndarray, old: np.ndarray, vocabularies: list[Vocabulary], size: int | None
) -> Meaning:
    if new.dtype.kind == "f":
        return _compare_numbers(new.astype(np.float64), old.astype(np.float64))
    if new.dtype.kind not in "iu":
        return Same() if np.mean(new == old) > 0.99 else Changed("has other values")
    if size is not None:
        fitting = [vocabulary for vocabulary in vocabularies if _fits(vocabulary, new, old, size)]
        if fitting:
            # The one that leaves the fewest buckets for other words.
            return _by_words(max(fitting, key=lambda vocabulary: len(vocabulary.new)), size)
    if (new == old).all():
        return Index()
    return _by_rows(new, old)


def _compare_numbers(new: np.ndarray, old: np.ndarray) -> Meaning:
    known = np.isfinite(new) & np.isfinite(old)
    if np.mean(known | (np.isfinite(new) == np.isfinite(old))) < 0.99:
        return Changed("is missing in other rows")
    new, old = new[known], old[known]
    if len(new) < 2 or np.allclose(new, old, rtol=1e-3, atol=1e-6):
        return Same()
    new_spread, old_spread = new.std(), old.std()
    if new_spread == 0 or old_spread == 0:
        return Changed("has other values")
    correlation = np.mean((new - new.mean()) * (old - old.mean())) / (new_spread * old_spread)
    scale = new_spread / old_spread
    if correlation < _LEAST_CORRELATION or not 1 / _MOST_SCALE <= scale <= _MOST_SCALE:
        return Changed("has other values")
    return Same()


def _fits(vocabulary: Vocabulary, new: np.ndarray, old: np.ndarray, size: int) -> bool:
    """Report whether a feature's values, in every row, are the indices of one word in both vocabularies."""
    words, before = len(vocabulary.new), len(vocabulary.old)
    if not 0 < words <= size:
        return False
    inside = (new >= 0) & (new < words) & (old >= 0) & (old < before)
    pairs = np.unique(np.stack([new[inside], old[inside]], 1), axis=0)
    return len(pairs) > 0 and all(
        vocabulary.new[value] == vocabulary.old[place] for value, place in pairs
    )


def _by_words(vocabulary: Vocabulary, size: int) -> Index:
    places = {word: place for place, word in enumerate(vocabulary.old)}
    moved = {value: places[word] for value, word in enumerate(vocabulary.new) if word in places}
    for bucket in range(size - len(vocabulary.new)):
        # What is behind the words: the buckets of those out of the vocabulary.
        moved[len(vocabulary.new) + bucket] = len(vocabulary.old) + bucket
    if vocabulary.new == vocabulary.old:
        return Index(words=vocabulary.new)
    return Index(moved, vocabulary.new)


def _by_rows(new: np.ndarray, old: np.ndarray) -> Meaning:
    """Move each value to the champion's value that most of its rows had, such as a bucket whose bounds moved."""
    pairs, counts = np.unique(np.stack([new, old], 1), axis=0, return_counts=True)
    values, totals = np.unique(new, return_counts=True)
    total = dict(zip(values.tolist(), totals.tolist(), strict=True))
    moved = {
        value: place
        for (value, place), count in zip(pairs.tolist(), counts.tolist(), strict=True)
        if count > _LEAST_AGREEMENT * total[value]
    }
    return Index(moved) if moved else Changed("has other values")
