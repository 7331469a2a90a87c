"""Serialized tf.Examples as flat columns."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .json_rows import make_batch

# An Example without features, as protocol buffers may spell it.
_NOTHING = (b"", b"\n\x00")
# Fewer records than this are looked at one by one.
_FEW = 64


class Decoded(NamedTuple):
    """What records held.

    Attributes:
        batch: The tf.Examples x their features, sorted by name.
        faults: Of each record that is none: its index, and what is wrong with it.
        excluded: The features that were met and left out.
    """

    batch: pa.RecordBatch
    faults: Sequence[tuple[int, str]]
    excluded: Sequence[str]


def decode_examples(records: Sequence[bytes], exclude: Collection[str] = ()) -> Decoded:
    """Decode tf.Examples.

    A feature of one value a row becomes a column of such values (int64, float, binary), missing where it has none. One
    of several values in some row stays a column of lists. One that is int64 in some rows and float in others becomes
    double; with bytes among them, the numbers become text.

    Args:
        records: The serialized tf.Examples.
        exclude: Features to leave out.
    """
    batch = _decode(records)
    if batch is not None:
        columns = _flat_columns(batch, exclude)
        if not _has_other_messages(records, batch):
            flat = make_batch(list(columns.values()), list(columns), len(records))
            return Decoded(flat, (), _excluded(batch, exclude))
    return _decode_apart(records, exclude)


def _decode(records: Sequence[bytes]) -> pa.RecordBatch | None:
    """Decode records; none if one is no tf.Example, or a feature is of several types."""
    # Not on import: few runs read such files.
    from tfx_bsl.coders import example_coder

    try:
        batch = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(list(records))
        # A name that is not UTF-8 shows here.
        _ = batch.schema.names
    except (RuntimeError, UnicodeDecodeError):
        return None
    return batch


def _has_other_messages(records: Sequence[bytes], batch: pa.RecordBatch) -> bool:
    """Check whether a record is another kind of message, which decodes to nothing."""
    nothing = np.ones(len(records), bool)
    for column in batch.columns:
        nothing &= column.is_null().to_numpy(zero_copy_only=False)
    return any(records[index] not in _NOTHING for index in np.flatnonzero(nothing))


def _decode_apart(records: Sequence[bytes], exclude: Collection[str]) -> Decoded:
    """Decode records that do not decode together: in halves, down to a few, and those one by one."""
    parts: list[tuple[Sequence[int], pa.RecordBatch]] = []
    odd: list[int] = []
    pending: list[Sequence[int]] = [range(len(records))]
    while pending:
        indices = pending.pop()
        chosen = [records[index] for index in indices]
        batch = _decode(chosen)
        if batch is not None and not _has_other_messages(chosen, batch):
            parts.append((indices, batch))
        elif len(indices) <= _FEW:
            odd.extend(indices)
        else:
            half = len(indices) // 2
            pending += [indices[:half], indices[half:]]
    groups, faults = _group(records, odd)
    for indices in groups:
        batch = _decode([records[index] for index in indices])
        if batch is None:
            raise AssertionError("tf.Examples that decode one by one do not decode together")
        parts.append((indices, batch))
    flat = [(len(indices), _flat_columns(batch, exclude)) for indices, batch in parts]
    order = pa.array(np.argsort([index for indices, _ in parts for index in indices]))
    names = sorted({name for _, columns in flat for name in columns})
    merged = [
        _merge([columns.get(name, pa.nulls(rows)) for rows, columns in flat]).take(order)
        for name in names
    ]
    excluded = sorted({name for _, batch in parts for name in _excluded(batch, exclude)})
    return Decoded(make_batch(merged, names, len(order)), faults, excluded)


def _group(
    records: Sequence[bytes], indices: Sequence[int]
) -> tuple[list[list[int]], list[tuple[int, str]]]:
    """Group records by the types of their features, and list those that are no tf.Examples."""
    faults = []
    kinds: dict[int, dict[str, pa.DataType]] = {}
    for index in sorted(indices):
        one = _decode([records[index]])
        if one is None:
            faults.append((index, "no tf.Example: its bytes can't be parsed as one"))
        elif one.num_columns == 0 and records[index] not in _NOTHING:
            faults.append((index, "no tf.Example: a message without features"))
        else:
            kinds[index] = {
                field.name: field.type for field in one.schema if not pa.types.is_null(field.type)
            }
    types: dict[str, set[pa.DataType]] = defaultdict(set)
    for row in kinds.values():
        for name, kind in row.items():
            types[name].add(kind)
    mixed = [name for name, found in types.items() if len(found) > 1]
    groups: dict[tuple[pa.DataType | None, ...], list[int]] = defaultdict(list)
    for index, row in kinds.items():
        groups[tuple(row.get(name) for name in mixed)].append(index)
    return list(groups.values()), faults


def _excluded(batch: pa.RecordBatch, exclude: Collection[str]) -> list[str]:
    return [name for name in sorted(batch.schema.names) if name in exclude]


def _flat_columns(batch: pa.RecordBatch, exclude: Collection[str]) -> dict[str, pa.Array]:
    return {
        name: _flatten(batch.column(batch.schema.get_field_index(name)))
        for name in sorted(batch.schema.names)
        if name not in exclude
    }


def _flatten(column: pa.Array) -> pa.Array:
    if pa.types.is_null(column.type):
        return column
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    if (lengths > 1).any():
        return column
    values = column.flatten()
    if len(values) == len(column):
        return values
    positions = np.cumsum(lengths) - 1
    return values.take(pa.array(positions, pa.int64(), mask=lengths == 0))


def _merge(arrays: Sequence[pa.Array]) -> pa.Array:
    """Put a column's parts together, of several types perhaps."""
    # A list of bytes without any in it may stand where other rows have numbers.
    arrays = [pa.nulls(len(array)) if array.null_count == len(array) else array for array in arrays]
    kinds = {array.type for array in arrays} - {pa.null()}
    if not kinds:
        return pa.nulls(sum(len(array) for array in arrays))
    if len(kinds) == 1:
        kind = kinds.pop()
    elif any(pa.types.is_large_list(kind) for kind in kinds):
        # It stays nested, for whoever takes no nested column.
        kind = pa.large_list(pa.string())
        arrays = [
            pa.array([None if v is None else [str(v)] for v in array.to_pylist()], kind)
            for array in arrays
        ]
    elif kinds == {pa.int64(), pa.float32()}:
        kind = pa.float64()
    else:
        kind = pa.large_binary()
        arrays = [
            array if array.type == kind else array.cast(pa.large_string()) for array in arrays
        ]
    return pa.concat_arrays([array.cast(kind) for array in arrays])
