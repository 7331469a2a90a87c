"""Cells of several values, as the JSON lists that a span's files have."""

import json
from typing import Any

import numpy as np
import pyarrow as pa


def to_lists(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Write each cell as a JSON list.

    Args:
        column: Lists; or texts, each of which is a JSON list or the only value; or other single values.

    Returns:
        As many texts, null where a cell is missing or no list of texts and numbers; the positions of the latter.
    """
    texts: list[str | None] = []
    rejected = []
    as_json = pa.types.is_string(column.type)
    for place, cell in enumerate(column.to_pylist()):
        try:
            texts.append(None if cell is None else _to_json(cell, as_json))
        except (ValueError, OverflowError):
            texts.append(None)
            rejected.append(place)
    return pa.array(texts, pa.string()), np.array(rejected, np.int64)


def split_texts(column: pa.Array, mark: str) -> pa.Array:
    """Split texts at a mark into JSON lists, without empty parts and the white space around parts."""
    encoded = column.dictionary_encode()
    lists = [
        _to_json([part.strip() for part in text.split(mark) if part.strip()], False)
        for text in encoded.dictionary.to_pylist()
    ]
    return pa.array(lists, pa.string()).take(encoded.indices)


def lists_with(column: pa.Array, value: str) -> pa.Array:
    """Report which JSON lists have a value, a number as JSON writes it; null where there is no list."""
    encoded = column.dictionary_encode()
    found = [
        value in {one if isinstance(one, str) else json.dumps(one) for one in json.loads(text)}
        for text in encoded.dictionary.to_pylist()
    ]
    return pa.array(found, pa.bool_()).take(encoded.indices)


def _to_json(cell: Any, as_json: bool) -> str:
    if as_json and cell.lstrip().startswith("["):
        cell = json.loads(cell)
    values = cell if isinstance(cell, list) else [cell]
    if any(isinstance(value, list | dict) for value in values):
        raise ValueError
    return json.dumps([_plain(value) for value in values], ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)
