"""The text of a cell: one text for one value, whatever format and type a source has it in.

A customer may be the integer 7 in one span, the float 7.0 in the next (a column of pandas with a missing cell), and the
text "7" in a third. What is made of a cell's value, a hash or a side of a split, is made of this text.
"""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Zeros that end a decimal fraction. A number with leading zeros is no number but a name, such as a postal code.
_FRACTION = re.compile(rb"(-?(?:0|[1-9][0-9]*))\.([0-9]*?)0*")


def distinct_texts(column: pa.Array) -> tuple[list[bytes | None], np.ndarray]:
    """Return the texts of a column's distinct values, and which of them each row has.

    The text of

    - an integer is its digits: `7`;
    - a floating-point number is its shortest digits, never with an exponent, and those of an integer if it is one: `7`,
      `0.1`, `0.0000001`;
    - text is itself, in UTF-8, but for zeros at the end of a decimal fraction: `7.0` is `7` and `1.50` is `1.5`. `007`
      and `1e5` stay what they are.

    NaN is a missing cell: it is what pandas and CSV make of one.

    Args:
        column: n cells, of the Arrow type of a `ColumnType`.

    Returns:
        The texts, None for what is a missing cell; and n indices into them, -1 where the cell is null. Two texts may be
        equal.
    """
    if pa.types.is_null(column.type):
        return [], np.full(len(column), -1)
    encoded = column.dictionary_encode()
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return _texts(encoded.dictionary), indices


def number_texts(column: pa.Array) -> pa.Array:
    """Return the text of each floating-point number, as `distinct_texts` has it.

    Arrow's own is another: it writes 1e15 with an exponent, and the integer without.

    Args:
        column: n cells of 32 or 64 bits.

    Returns:
        n texts; null where the cell is missing.
    """
    encoded = column.dictionary_encode()
    texts = _float_texts(encoded.dictionary.to_numpy(zero_copy_only=False))
    return pa.array([text and text.decode() for text in texts], pa.string()).take(encoded.indices)


def plain_texts(column: pa.Array) -> pa.Array:
    """Return the text of each cell, as `distinct_texts` has it, for columns where nearly every value is another one.

    Args:
        column: n cells.

    Returns:
        n texts; null where the cell is missing.
    """
    if pa.types.is_integer(column.type):
        return column.cast(pa.string())
    if pa.types.is_string(column.type):
        # Almost no text has another plain text.
        odd = pc.match_substring_regex(column, r"(\.[0-9]*0$)|(^-0$)")
        if not pc.any(odd).as_py():
            return column
    elif not pa.types.is_floating(column.type):
        return column.cast(pa.string())
    texts, indices = distinct_texts(column)
    plain = pa.array([None if text is None else text.decode() for text in texts], pa.string())
    return plain.take(pa.array(indices, mask=indices < 0))


def _texts(values: pa.Array) -> list[bytes | None]:
    if pa.types.is_integer(values.type):
        return [b"%d" % value for value in values.to_pylist()]
    if pa.types.is_floating(values.type):
        return _float_texts(values.to_numpy(zero_copy_only=False))
    return [_plain(text) for text in values.cast(pa.binary()).to_pylist()]


def _float_texts(values: np.ndarray) -> list[bytes | None]:
    # Python's own numbers are several times faster than numpy's, but they are all 64 bits wide.
    wide = values.astype(np.float64).tolist()
    numbers = wide if values.dtype == np.float64 else values
    return [_float_text(value, number) for value, number in zip(wide, numbers, strict=True)]


def _float_text(value: float, number: Any) -> bytes | None:
    if value.is_integer():
        return b"%d" % int(value)
    if value != value:
        return None
    # The shortest digits that give the number back in its own width.
    text = str(number)
    return (np.format_float_positional(number) if "e" in text else text).encode()


def _plain(text: bytes) -> bytes:
    # Almost no text ends so: the pattern is for the few.
    if text[-1:] != b"0" or b"." not in text:
        return b"0" if text == b"-0" else text
    match = _FRACTION.fullmatch(text)
    if match is None:
        return text
    whole, fraction = match.groups()
    if fraction:
        return b"%b.%b" % (whole, fraction)
    return b"0" if whole == b"-0" else whole
