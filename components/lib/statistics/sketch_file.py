"""The file format of a sketch: TFDV's accumulators as plain data, so reading one runs no code.

A pickle from a shared bucket could call anything. Here JSON describes the objects, whose classes come from a fixed
list, and the C++ sketches follow as blobs in their own serialisation. A wide table's columns are sketched block by
block, and any block is read without the others:

    magic | SHA-256 of the index | length of the index | index | statistics | block | block | ...

The index names each block's columns, and the lengths and the SHA-256 of what follows it. That is compressed by zstd.
A block is, in turn:

    length of the header | header | blobs
"""

import hashlib
import json
import struct
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from tensorflow_data_validation.statistics.generators import (
    basic_stats_generator as basic,
)
from tensorflow_data_validation.statistics.generators import (
    top_k_uniques_sketch_stats_generator as top_k,
)
from tensorflow_data_validation.types import FeaturePath
from tensorflow_data_validation.utils import variance_util
from tfx_bsl import sketches

from .native_sketches import ordered, restore

MAGIC = b"RETRAINER-SKETCH-2\n"
_DIGEST_BYTES = 32
_LENGTH = struct.Struct(">Q")
_CODEC = "zstd"
# Most sketches fit into the first read, so a bucket gets one request for each.
_HEAD_BYTES = 1 << 17
# Limits for a forged index.
_MOST_INDEX_BYTES, _MOST_BYTES = 1 << 28, 1 << 33

# Classes that keep their state in slots, and classes that keep it in attributes; nothing else is ever set.
_FIELDS: dict[str, tuple[type, tuple[str, ...]]] = {
    cls.__name__: (cls, tuple(cls.__slots__))
    for cls in (
        basic._PartialBasicStats,
        basic._PartialBytesStats,
        basic._PartialCommonStats,
        basic._PartialNumericStats,
        basic._PartialStringStats,
        basic._PresenceAndValencyStats,
        top_k._CombinedSketch,
        variance_util.MeanVarAccumulator,
        variance_util.WeightedMeanVarAccumulator,
    )
} | {
    "_BasicAcctype": (
        basic._BasicAcctype,
        ("_dict", "num_examples", "weighted_num_examples"),
    ),
    "FeaturePath": (FeaturePath, ("_steps",)),
}
_NATIVE = {
    cls.__name__: cls
    for cls in (sketches.KmvSketch, sketches.MisraGriesSketch, sketches.QuantilesSketch)
}
# What JSON nests values in.
_NESTED = (dict, list)


class SketchError(Exception):
    """A sketch that can't be written, or read, in this format."""


class Block(NamedTuple):
    """The accumulators of some columns, as stored in a sketch.

    Attributes:
        columns: Names of the columns.
        content: What `encode_block` wrote, compressed.
        size: Uncompressed bytes.
    """

    columns: tuple[str, ...]
    content: bytes
    size: int

    @classmethod
    def of(cls, columns: Sequence[str], content: bytes) -> "Block":
        """Compress what `encode_block` wrote."""
        return cls(tuple(columns), _compressed(content), len(content))

    def unpacked(self) -> bytes:
        """Return what `encode_block` wrote."""
        return pa.decompress(self.content, self.size, codec=_CODEC, asbytes=True)


class Section(NamedTuple):
    """A section of a sketch.

    Attributes:
        start: The first byte.
        length: How many bytes.
        size: Uncompressed bytes.
        digest: Their SHA-256 in hexadecimal digits.
    """

    start: int
    length: int
    size: int
    digest: str


def encode(statistics: bytes, blocks: Sequence[Block]) -> bytes:
    """Write a sketch as bytes; equal statistics and blocks give equal bytes.

    Args:
        statistics: A serialised `DatasetFeatureStatisticsList`.
        blocks: The accumulators, at least one block.
    """
    sections = [
        (_compressed(statistics), len(statistics)),
        *((block.content, block.size) for block in blocks),
    ]
    index = json.dumps(
        {
            "columns": [block.columns for block in blocks],
            "sections": [
                [len(content), size, hashlib.sha256(content).hexdigest()]
                for content, size in sections
            ],
        }
    ).encode()
    start = MAGIC + hashlib.sha256(index).digest() + _LENGTH.pack(len(index))
    return b"".join([start, index, *(content for content, _ in sections)])


def _compressed(content: bytes) -> bytes:
    return pa.compress(content, codec=_CODEC, asbytes=True)


class SketchFile:
    """A sketch that lies somewhere, of which only what is asked for is read.

    Attributes:
        digest: SHA-256 of its index, and so of all of its content, in hexadecimal digits.
        columns: Names of the columns of each block.
    """

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        """Read the index.

        Args:
            read: Gives the bytes from one position up to another, or fewer if they end before.

        Raises:
            SketchError: If it is damaged or of another format.
        """
        self._read = read
        head = read(0, _HEAD_BYTES)
        fixed = len(MAGIC) + _DIGEST_BYTES + _LENGTH.size
        if not head.startswith(MAGIC):
            raise SketchError("it is not in retrainer's sketch format")
        if len(head) < fixed:
            raise SketchError("it ends before its index")
        (length,) = _LENGTH.unpack_from(head, fixed - _LENGTH.size)
        if length > _MOST_INDEX_BYTES:
            raise SketchError(f"its index would have {length} bytes")
        index = head[fixed : fixed + length]
        if len(index) < length:
            index += read(len(head), fixed + length)
        digest = hashlib.sha256(index)
        if digest.digest() != head[len(MAGIC) :][:_DIGEST_BYTES]:
            raise SketchError("its index does not match its checksum")
        self.digest = digest.hexdigest()
        try:
            content = json.loads(index)
            self.columns = tuple(tuple(map(str, names)) for names in content["columns"])
            self._sections, position = [], fixed + length
            for packed, size, checksum in content["sections"]:
                if not 0 <= packed <= _MOST_BYTES or not 0 <= size <= _MOST_BYTES:
                    raise ValueError(f"a section of {packed} bytes, {size} when unpacked")
                self._sections.append(Section(position, int(packed), int(size), checksum))
                position += int(packed)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise SketchError(f"its index can't be read: {error}") from error
        if len(self._sections) != len(self.columns) + 1 or not self.columns:
            raise SketchError(f"its index has {len(self._sections)} sections")
        self._head = head

    def statistics(self) -> bytes:
        """Read the serialised `DatasetFeatureStatisticsList`.

        Raises:
            SketchError: If it is damaged.
        """
        return self._section(0)

    def accumulators(self, columns: Collection[str]) -> list[Any]:
        """Read the accumulators of some columns; each call gives new ones, which may be merged into.

        Args:
            columns: Which. Those that the sketch has not are left out; the number of rows is there without any.

        Raises:
            SketchError: If they are damaged, or name a class that is not on the list.
        """
        wanted = set(columns)
        touched = [i for i, names in enumerate(self.columns) if not wanted.isdisjoint(names)]
        first, *others = [decode_block(self._section(1 + i)) for i in touched or [0]]
        try:
            for other in others:
                for mine, more in zip(first, other, strict=True):
                    mine.update(more)
            for accumulator in first:
                for path in [path for path in accumulator if path.steps()[0] not in wanted]:
                    del accumulator[path]
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise SketchError(f"its content can't be read: {error}") from error
        return first

    def _section(self, number: int) -> bytes:
        section = self._sections[number]
        end = section.start + section.length
        content = self._head[section.start : end]
        if len(content) < section.length:
            content = self._read(section.start, end)
        # The C++ sketches are parsed only after this: they are not made for damaged bytes.
        if hashlib.sha256(content).hexdigest() != section.digest:
            raise SketchError("its content does not match its checksum")
        try:
            return pa.decompress(content, section.size, codec=_CODEC, asbytes=True)
        except (OSError, ValueError, MemoryError) as error:
            raise SketchError(f"its content can't be unpacked: {error}") from error


def encode_block(accumulators: Sequence[Any]) -> bytes:
    """Write accumulators as bytes; equal ones give equal bytes.

    Raises:
        SketchError: If one holds a class that is not on the list (a custom generator's).
    """
    blobs: list[bytes] = []
    plain = [_to_plain(accumulator, blobs) for accumulator in accumulators]
    header = json.dumps({"accumulators": plain, "blobs": [len(blob) for blob in blobs]}).encode()
    return b"".join([_LENGTH.pack(len(header)), header, *blobs])


def decode_block(content: bytes) -> list[Any]:
    """Read what `encode_block` wrote.

    Raises:
        SketchError: If it is damaged, or names a class that is not on the list.
    """
    try:
        (length,) = _LENGTH.unpack_from(content)
        position = _LENGTH.size + length
        header = json.loads(content[_LENGTH.size : position])
        blobs = []
        for size in header["blobs"]:
            blobs.append(content[position : position + size])
            position += size
        return [_from_plain(value, blobs) for value in header["accumulators"]]
    except (ValueError, TypeError, LookupError, RuntimeError, MemoryError, struct.error) as error:
        raise SketchError(f"its content can't be read: {error}") from error


def _to_plain(value: Any, blobs: list[bytes]) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_to_plain(item, blobs) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_to_plain(item, blobs) for item in value]}
    if type(value) is dict:
        items = [[_to_plain(key, blobs), _to_plain(item, blobs)] for key, item in value.items()]
        return {"dict": items}
    name = type(value).__name__
    if type(value) is _NATIVE.get(name):
        state = value.__getstate__()
        blobs.append(ordered(state) if type(value) is sketches.MisraGriesSketch else state)
        return {"native": name, "blob": len(blobs) - 1}
    fields = _FIELDS.get(name)
    if fields is None or type(value) is not fields[0]:
        raise SketchError(f"accumulators of {type(value).__module__}.{name} can't be stored")
    state = {
        field: _to_plain(getattr(value, field), blobs)
        for field in fields[1]
        # A slot that was never set (weights where there are none) stays unset.
        if hasattr(value, field)
    }
    return {"object": name, "state": state}


def _from_plain(value: Any, blobs: list[bytes]) -> Any:
    if isinstance(value, list):
        return [_from_plain(item, blobs) for item in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(_from_plain(item, blobs) for item in value["tuple"])
    if "dict" in value:
        return {_from_plain(key, blobs): _from_plain(item, blobs) for key, item in value["dict"]}
    if "native" in value:
        return restore(_NATIVE[value["native"]], blobs[value["blob"]])
    fields = _FIELDS.get(value["object"])
    if fields is None:
        name = _shown(value["object"])
        raise SketchError(f"it names the class {name}, which is not one of a sketch's")
    # No constructor runs: only the listed fields are set.
    restored: Any = object.__new__(fields[0])
    for field, item in value["state"].items():
        if field not in fields[1]:
            name = _shown(field)
            raise SketchError(f"it sets {name} of {value['object']}, which has no such field")
        # Most are numbers: a call for each would take half of the time.
        setattr(restored, field, _from_plain(item, blobs) if type(item) in _NESTED else item)
    return restored


def _shown(name: object) -> str:
    # A forged name may be long, or half a character that no report could be written with.
    return f"{name!r:.80}"
