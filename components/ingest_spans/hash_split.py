"""The hash split: which side a row is on follows from its key alone, in every span and in every run."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from ..lib.canonical_text import distinct_texts
from ..lib.errors import RetrainerError

_WORD = np.dtype("<u8")
# Keeps the sides apart from every other use of the same hash.
_HASH = blake2b(digest_size=_WORD.itemsize, person=b"retrainer split")
_MISSING = _HASH.copy()
_MISSING.update(b"\0missing")


def hash_fractions(batch: pa.RecordBatch, columns: Sequence[str]) -> np.ndarray:
    """Map each row's key evenly and repeatably onto 0..1.

    Equal keys get equal fractions, in every span, on every machine and with every version of the libraries: only
    BLAKE2b (RFC 7693) and integer arithmetic are used, over texts that are the same for one value whatever type a
    source has it in (see `distinct_texts`). The order of `columns` does not matter.

    A row whose key is missing, in all its columns, belongs to nobody: it is placed by its whole row. A key of which a
    part is missing is a key like any other.

    Args:
        batch: n rows, of the Arrow types of a `ColumnType`.
        columns: The key; none takes the whole row.

    Returns:
        float64 of shape (n,), each at least 0 and below 1. Rows below a fraction f are one side, with about f of the
        keys.

    Raises:
        RetrainerError: If a column is not there.
    """
    words, missing = _row_words(batch, columns or batch.schema.names)
    if columns and missing.any():
        nobodys = batch.filter(pa.array(missing))
        words[missing] = _row_words(nobodys, batch.schema.names)[0]
    # The 53 bits that a float64 holds: with more, the largest would round up to 1.
    return (words >> np.uint64(11)) * 2.0**-53


def _row_words(batch: pa.RecordBatch, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    words = np.zeros(batch.num_rows, np.uint64)
    missing = np.ones(batch.num_rows, bool)
    for name in sorted(set(columns)):
        position = batch.schema.get_field_index(name)
        if position < 0:
            raise RetrainerError(
                f"there is no column '{name}' to split by. There are: {', '.join(batch.schema.names[:30])}."
            )
        cells, without = _cell_words(batch.column(position))
        # A column's hash is mixed into what came before it, so that swapped cells make another row.
        words = _mix(words + np.uint64(0x9E3779B97F4A7C15)) ^ cells
        missing &= without
    return _mix(words), missing


def _cell_words(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    texts, indices = distinct_texts(column)
    digests = [_MISSING.digest() if text is None else _digest(text) for text in texts]
    # The last one is for index -1.
    words = np.frombuffer(b"".join([*digests, _MISSING.digest()]), _WORD).astype(np.uint64)
    absent = np.array([*(text is None for text in texts), True])
    return words[indices], absent[indices]


def _digest(text: bytes) -> bytes:
    one = _HASH.copy()
    one.update(text)
    return one.digest()


def _mix(words: np.ndarray) -> np.ndarray:
    # The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): a bijection that spreads every bit.
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
