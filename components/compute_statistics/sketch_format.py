"""The file format of a sketch: TFDV's accumulators as plain data, so reading one runs no code.

A pickle from a shared bucket could call anything. Here a JSON header describes the objects, whose
classes come from a fixed list, and the C++ sketches follow as blobs in their own serialisation:

    magic | SHA-256 of the rest | length of the header | header | blobs
"""

import hashlib
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow_data_validation.statistics.generators import (
    basic_stats_generator as basic,
)
from tensorflow_data_validation.statistics.generators import (
    top_k_uniques_sketch_stats_generator as top_k,
)
from tensorflow_data_validation.types import FeaturePath
from tensorflow_data_validation.utils import variance_util
from tfx_bsl import sketches

from .misra_gries import checked, ordered

MAGIC = b"RETRAINER-SKETCH-1\n"
_DIGEST_BYTES = 32
_LENGTH = struct.Struct(">Q")

# Classes that keep their state in slots; only these slots are ever set.
_SLOTTED = {
    cls.__name__: cls
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
}
# Classes that keep it in attributes, with the attributes that may be set.
_PLAIN = {
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


class SketchError(Exception):
    """A sketch that can't be written, or read, in this format."""


@dataclass(frozen=True)
class SketchFile:
    """What a sketch file holds.

    Attributes:
        made_by: Versions of the libraries that made it.
        accumulators: One of TFDV's accumulators per generator.
        statistics: The serialised `DatasetFeatureStatisticsList` of these rows.
    """

    made_by: Mapping[str, str]
    accumulators: list[Any]
    statistics: bytes


def encode(
    made_by: Mapping[str, str], accumulators: Sequence[Any], statistics: Callable[[], bytes]
) -> bytes:
    """Write a sketch as bytes; equal accumulators give equal bytes.

    Args:
        made_by: Versions of the libraries that made it.
        accumulators: One of TFDV's accumulators per generator.
        statistics: Makes the serialised statistics. It is called when the accumulators are written, and may use
            them up.

    Raises:
        SketchError: If an accumulator holds a class that is not on the list (a custom generator's).
    """
    blobs: list[bytes] = [b""]
    plain = [_to_plain(accumulator, blobs) for accumulator in accumulators]
    blobs[0] = statistics()
    header = json.dumps(
        {
            "made_by": dict(made_by),
            "accumulators": plain,
            "blobs": [len(blob) for blob in blobs],
        }
    ).encode()
    body = b"".join([_LENGTH.pack(len(header)), header, *blobs])
    return MAGIC + hashlib.sha256(body).digest() + body


def decode(content: bytes) -> SketchFile:
    """Read a sketch; each call gives accumulators of its own, which may be merged into.

    Raises:
        SketchError: If the bytes are damaged, of another format, or name a class that is not on
            the list.
    """
    header, blobs = _parse(content)
    try:
        return SketchFile(
            made_by=header["made_by"],
            accumulators=[_from_plain(value, blobs) for value in header["accumulators"]],
            statistics=blobs[0],
        )
    except (ValueError, TypeError, LookupError, RuntimeError) as error:
        raise SketchError(f"its content can't be read: {error}") from error


def statistics_of(content: bytes) -> bytes:
    """Read only the statistics of a sketch's rows.

    Raises:
        SketchError: If the bytes are damaged or of another format.
    """
    return _parse(content)[1][0]


def _parse(content: bytes) -> tuple[dict[str, Any], list[bytes]]:
    start = len(MAGIC) + _DIGEST_BYTES
    if not content.startswith(MAGIC):
        raise SketchError("it is not in retrainer's sketch format")
    body = memoryview(content)[start:]
    # The C++ sketches are parsed only after this: they are not made for damaged bytes.
    if hashlib.sha256(body).digest() != content[len(MAGIC) : start]:
        raise SketchError("its content does not match its checksum")
    try:
        (length,) = _LENGTH.unpack_from(body)
        header = json.loads(bytes(body[_LENGTH.size : _LENGTH.size + length]))
        blobs, position = [], _LENGTH.size + length
        for size in header["blobs"]:
            blobs.append(bytes(body[position : position + size]))
            position += size
    except (ValueError, TypeError, LookupError, struct.error) as error:
        raise SketchError(f"its content can't be read: {error}") from error
    return header, blobs


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
    fields = _fields(name)
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
        native = _NATIVE[value["native"]]
        sketch = native.__new__(native)
        state = blobs[value["blob"]]
        sketch.__setstate__(checked(state) if native is sketches.MisraGriesSketch else state)
        return sketch
    fields = _fields(value["object"])
    if fields is None:
        raise SketchError(f"it names the class '{value['object']}', which is not one of a sketch's")
    # No constructor runs: only the listed fields are set.
    restored: Any = object.__new__(fields[0])
    for field, item in value["state"].items():
        if field not in fields[1]:
            raise SketchError(f"it sets '{field}' of {value['object']}, which has no such field")
        setattr(restored, field, _from_plain(item, blobs))
    return restored


def _fields(name: str) -> tuple[type, tuple[str, ...]] | None:
    if name in _SLOTTED:
        return _SLOTTED[name], tuple(_SLOTTED[name].__slots__)
    return _PLAIN.get(name)
