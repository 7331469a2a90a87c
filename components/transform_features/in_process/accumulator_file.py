"""The file format of accumulators: plain data, so reading one runs no code.

TFT's own cache pickles sketches of quantiles, and a pickle from a shared bucket could call anything. Its JSON also
forgets the types of arrays. Here JSON describes the values, and arrays and sketches follow as blobs:

    magic | SHA-256 of what follows | its length | body, compressed by zstd
    body: length of the header | header | blobs
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from tfx_bsl import sketches

from ...lib.statistics.native_sketches import count_streams, restore

_MAGIC = b"RETRAINER-TRANSFORM-1\n"
_LENGTH = struct.Struct(">Q")
_DIGEST_BYTES = 32
_CODEC = "zstd"
# A limit for a forged length.
_MOST_BYTES = 1 << 33


class AccumulatorError(Exception):
    """Accumulators that can't be written, or read, in this format."""


def encode(accumulators: Mapping[str, Any]) -> bytes:
    """Write accumulators as bytes.

    Raises:
        AccumulatorError: If one is of a kind that the format lacks.
    """
    blobs: list[bytes] = []
    plain = {name: _to_plain(value, blobs) for name, value in accumulators.items()}
    header = json.dumps({"accumulators": plain, "blobs": [len(blob) for blob in blobs]}).encode()
    body = b"".join([_LENGTH.pack(len(header)), header, *blobs])
    rest = _LENGTH.pack(len(body)) + pa.compress(body, codec=_CODEC, asbytes=True)
    return _MAGIC + hashlib.sha256(rest).digest() + rest


def decode(content: bytes) -> dict[str, Any]:
    """Read what `encode` wrote.

    Raises:
        AccumulatorError: If it is damaged or of another format.
    """
    if not content.startswith(_MAGIC):
        raise AccumulatorError("it is not in retrainer's format of accumulators")
    start = len(_MAGIC) + _DIGEST_BYTES
    rest = content[start:]
    if hashlib.sha256(rest).digest() != content[len(_MAGIC) : start]:
        raise AccumulatorError("its content does not match its checksum")
    try:
        (size,) = _LENGTH.unpack_from(rest)
        if size > _MOST_BYTES:
            raise ValueError(f"it would have {size} bytes")
        body = pa.decompress(rest[_LENGTH.size :], size, codec=_CODEC, asbytes=True)
        (length,) = _LENGTH.unpack_from(body)
        position = _LENGTH.size + length
        header = json.loads(body[_LENGTH.size : position])
        blobs = []
        for of_blob in header["blobs"]:
            blobs.append(body[position : position + of_blob])
            position += of_blob
        return {name: _from_plain(value, blobs) for name, value in header["accumulators"].items()}
    except (
        AttributeError,
        LookupError,
        MemoryError,
        OSError,
        RecursionError,
        RuntimeError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        raise AccumulatorError(f"its content can't be read: {error}") from error


def _to_plain(value: Any, blobs: list[bytes]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: [value.dtype.str, list(value.shape)], "blob": _add(value.tobytes(), blobs)}
    if isinstance(value, tuple):
        return {"tuple": [_to_plain(item, blobs) for item in value]}
    if isinstance(value, list):
        return [_to_plain(item, blobs) for item in value]
    if isinstance(value, dict):
        return {
            "keys": _to_column(list(value), blobs),
            "values": _to_column(list(value.values()), blobs),
        }
    if type(value) is sketches.QuantilesSketch:
        state = value.__getstate__()
        return {"quantiles": count_streams(state), "blob": _add(state, blobs)}
    raise AccumulatorError(f"accumulators of {type(value).__name__} can't be stored")


def _to_column(values: list[Any], blobs: list[bytes]) -> Any:
    kinds = {type(value) for value in values}
    if kinds == {bytes}:
        lengths = np.array([len(value) for value in values], np.int64)
        return {
            "texts": _add(b"".join(values), blobs),
            "lengths": _add(lengths.tobytes(), blobs),
        }
    for kind, dtype in ((int, "<i8"), (float, "<f8")):
        if kinds == {kind}:
            return {"numbers": dtype, "blob": _add(np.array(values, dtype).tobytes(), blobs)}
    return {"items": [_to_plain(value, blobs) for value in values]}


def _add(blob: bytes, blobs: list[bytes]) -> int:
    blobs.append(blob)
    return len(blobs) - 1


def _from_plain(value: Any, blobs: list[bytes]) -> Any:
    if isinstance(value, list):
        return [_from_plain(item, blobs) for item in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(_from_plain(item, blobs) for item in value["tuple"])
    if "keys" in value:
        keys = _from_column(value["keys"], blobs)
        return dict(zip(keys, _from_column(value["values"], blobs), strict=True))
    if "quantiles" in value:
        return restore(sketches.QuantilesSketch, blobs[value["blob"]], value["quantiles"])
    kind = "array" if "array" in value else "scalar"
    dtype, shape = value[kind]
    array = _numbers(blobs[value["blob"]], dtype).reshape(shape)
    return array if kind == "array" else array[()]


def _from_column(column: Any, blobs: list[bytes]) -> list[Any]:
    if "texts" in column:
        ends = np.cumsum(_numbers(blobs[column["lengths"]], "<i8")).tolist()
        whole = blobs[column["texts"]]
        return [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    if "numbers" in column:
        found: list[Any] = _numbers(blobs[column["blob"]], column["numbers"]).tolist()
        return found
    return [_from_plain(item, blobs) for item in column["items"]]


def _numbers(blob: bytes, dtype: str) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind not in "biuf":
        raise ValueError(f"an array of {dtype!r:.40}")
    # What is read from a buffer can't be changed.
    return np.frombuffer(blob, kind).copy()
