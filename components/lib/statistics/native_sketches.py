"""tfx_bsl's C++ sketches as bytes: restored after a check, and in one order."""

from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from tfx_bsl import sketches

_Proto = descriptor_pb2.FieldDescriptorProto
# A sketch allocates all of its buckets at once.
_MOST_BUCKETS = 1 << 24
_MOST_ELEMENTS = 1 << 32


class _Field(NamedTuple):
    """A field of a message: its number, and its type or the message that it holds."""

    number: int
    kind: Any
    repeated: bool = False


# The fields of tfx_bsl's sketches.proto, which its Python package lacks, that are checked; messages keep other fields.
_DOUBLES = {
    name: _Field(number, _Proto.TYPE_DOUBLE, True)
    for number, name in enumerate(("value", "weight", "min_rank", "max_rank"), start=1)
}
_MESSAGES = {
    "Kmv": {
        "num_buckets": _Field(1, _Proto.TYPE_INT32),
        "hashes": _Field(2, _Proto.TYPE_FIXED64, True),
    },
    "MisraGries": {
        "num_buckets": _Field(1, _Proto.TYPE_INT32),
        "items": _Field(2, _Proto.TYPE_BYTES, True),
        "weights": _Field(3, _Proto.TYPE_DOUBLE, True),
        "extra_items": _Field(9, _Proto.TYPE_BYTES, True),
    },
    "Summary": _DOUBLES,
    "Stream": {
        "summaries": _Field(1, "Summary", True),
        # A summary's first two fields.
        "buffer": _Field(2, "Summary"),
        "eps": _Field(3, _Proto.TYPE_DOUBLE),
        "max_num_elements": _Field(4, _Proto.TYPE_INT64),
    },
    "Quantiles": {"streams": _Field(1, "Stream", True)},
}


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="retrainer_sketches.proto", package="retrainer", syntax="proto3"
    )
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, field in fields.items():
            label = _Proto.LABEL_REPEATED if field.repeated else _Proto.LABEL_OPTIONAL
            added = message.field.add(name=name, number=field.number, label=label)
            if isinstance(field.kind, str):
                added.type, added.type_name = _Proto.TYPE_MESSAGE, f".retrainer.{field.kind}"
            else:
                added.type = field.kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"retrainer.{name}"))
        for name in _MESSAGES
    }


_CLASSES = _message_classes()
MisraGriesMessage = _CLASSES["MisraGries"]


def restore(native: Any, state: bytes, streams: int = 1) -> Any:
    """Restore a C++ sketch from bytes, after a check.

    The C++ code trusts its input: it reads as many counts as there are items, even beyond the end, which ends the
    process, or worse.

    Args:
        native: `KmvSketch`, `MisraGriesSketch` or `QuantilesSketch` of tfx_bsl.
        state: What its `__getstate__` gave.
        streams: How many columns a `QuantilesSketch` is of; TFDV's are of one.

    Raises:
        ValueError: If they are not a valid sketch, such as one with fewer counts than items.
        RuntimeError: If the sketch rejects them.
        MemoryError: If it would be larger than memory.
    """
    if native is sketches.QuantilesSketch:
        _check_quantiles(state, streams)
    else:
        _CHECKS[native](state)
    sketch = native.__new__(native)
    sketch.__setstate__(state)
    return sketch


def _parse(name: str, state: bytes) -> Any:
    try:
        return _CLASSES[name].FromString(state)
    except DecodeError as error:
        raise ValueError(f"a {name} sketch can't be parsed: {error}") from error


def _check_kmv(state: bytes) -> None:
    message = _parse("Kmv", state)
    if not len(message.hashes) <= message.num_buckets <= _MOST_BUCKETS or not message.num_buckets:
        raise ValueError(
            f"a Kmv sketch of {message.num_buckets} buckets, {len(message.hashes)} full"
        )


def _check_misra_gries(state: bytes) -> None:
    message = _parse("MisraGries", state)
    if not 0 < message.num_buckets <= _MOST_BUCKETS:
        raise ValueError(f"a MisraGries sketch of {message.num_buckets} buckets")
    if len(message.items) != len(message.weights) or len(message.items) > message.num_buckets:
        raise ValueError(
            f"a MisraGries sketch of {len(message.items)} items with {len(message.weights)} counts"
        )


def _check_quantiles(state: bytes, streams: int) -> None:
    found = _parse("Quantiles", state).streams
    if len(found) != streams:
        raise ValueError(f"a Quantiles sketch of {len(found)} columns in place of {streams}")
    for stream in found:
        _check_stream(stream)


def _check_stream(stream: Any) -> None:
    if not 0 < stream.eps < 1 or not 0 < stream.max_num_elements <= _MOST_ELEMENTS:
        raise ValueError(
            f"a Quantiles sketch of {stream.max_num_elements} elements with an error of {stream.eps}"
        )
    for summary, fields in (
        (stream.buffer, ("value", "weight")),
        *((one, tuple(_DOUBLES)) for one in stream.summaries),
    ):
        counts = {len(getattr(summary, field)) for field in fields}
        if len(counts) > 1:
            raise ValueError(f"a Quantiles sketch with {sorted(counts)} values, weights and ranks")


_CHECKS = {
    sketches.KmvSketch: _check_kmv,
    sketches.MisraGriesSketch: _check_misra_gries,
}


def ordered(state: bytes) -> bytes:
    """Sort the content of a serialised sketch, so that equal sketches are equal bytes."""
    message = MisraGriesMessage.FromString(state)
    counted = sorted(zip(message.items, message.weights, strict=True))
    message.items[:] = [item for item, _ in counted]
    message.weights[:] = [weight for _, weight in counted]
    message.extra_items[:] = sorted(message.extra_items)
    return message.SerializeToString(deterministic=True)


def count_streams(state: bytes) -> int:
    """Count the columns of a serialised `QuantilesSketch`."""
    return len(_parse("Quantiles", state).streams)
