"""Misra-Gries sketches that do not depend on the process which fills them.

The sketch counts 1,024 values; of those that it no longer counts it keeps some by name (its extra items), to fill a
ranking up. Which ones, and the order of everything, follow a hash table that every process seeds anew. Here they are
chosen and ordered by the data alone. The values that are counted, and their counts, are left as they are.
"""

from collections.abc import Iterable, Set
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from tensorflow_data_validation import constants
from tensorflow_data_validation.statistics.generators import (
    top_k_uniques_sketch_stats_generator as top_k,
)
from tfx_bsl import sketches

_LARGE = top_k._LARGE_STRING_THRESHOLD
# A sketch makes room for all of its buckets at once; nobody asks for as many.
_MOST_BUCKETS = 1 << 24
_SKETCHES = ("_topk_unweighted", "_topk_weighted")


def _message_class() -> Any:
    # The fields of tfx_bsl's sketches.proto (which its Python package lacks) that are looked at; a message keeps
    # the others unread.
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="retrainer_misra_gries.proto", package="retrainer", syntax="proto3"
    )
    message = file.message_type.add(name="MisraGries")
    for name, number, kind, label in (
        ("num_buckets", 1, field.TYPE_INT32, field.LABEL_OPTIONAL),
        ("items", 2, field.TYPE_BYTES, field.LABEL_REPEATED),
        ("weights", 3, field.TYPE_DOUBLE, field.LABEL_REPEATED),
        ("extra_items", 9, field.TYPE_BYTES, field.LABEL_REPEATED),
    ):
        message.field.add(name=name, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("retrainer.MisraGries"))


_MisraGries = _message_class()


def ordered(state: bytes) -> bytes:
    """Order what a serialised sketch holds, so that equal sketches are equal bytes."""
    message = _MisraGries.FromString(state)
    counted = sorted(zip(message.items, message.weights, strict=True))
    message.items[:] = [item for item, _ in counted]
    message.weights[:] = [weight for _, weight in counted]
    message.extra_items[:] = sorted(message.extra_items)
    return message.SerializeToString(deterministic=True)


def checked(state: bytes) -> bytes:
    """Check a serialised sketch from outside, which the C++ class reads without looking.

    Raises:
        ValueError: If it can't be one: it has fewer counts than items, say, which would be read beyond their end.
    """
    try:
        message = _MisraGries.FromString(state)
    except DecodeError as error:
        raise ValueError(f"a Misra-Gries sketch can't be parsed: {error}") from error
    if not 0 < message.num_buckets <= _MOST_BUCKETS:
        raise ValueError(f"a Misra-Gries sketch of {message.num_buckets} buckets")
    if len(message.items) != len(message.weights) or len(message.items) > message.num_buckets:
        raise ValueError(
            f"a Misra-Gries sketch of {len(message.items)} items with {len(message.weights)} counts"
        )
    return state


def settle_batch(accumulator: Any, batch: pa.RecordBatch, generator: Any) -> None:
    """Choose the extra items of the sketches of one batch: its first values, in the order of the rows.

    Args:
        accumulator: Filled from the batch; written to.
        batch: List columns.
        generator: The `TopKUniquesSketchStatsGenerator` that filled it.
    """
    buckets = _buckets(generator)
    for path, sketch in accumulator.items():
        if sketch._distinct.Estimate() <= buckets or len(path.steps()) != 1:
            continue
        values = batch.column(batch.schema.names.index(path.steps()[0])).flatten()
        first = [_counted_as(value) for value in pc.unique(values)[:buckets].to_pylist()]
        _settle(sketch, dict.fromkeys(first))


def merge(accumulators: Iterable[Any], generator: Any) -> Any:
    """Merge accumulators of a `TopKUniquesSketchStatsGenerator` into the first of them.

    The extra items of the result are the first of what was known, in the order of their bytes.
    """
    buckets = _buckets(generator)
    merged, *others = accumulators
    for other in others:
        known = {
            path: sorted(_names(merged[path]) | _names(sketch))
            for path, sketch in other.items()
            if path in merged
            and merged[path]._distinct.Estimate() + sketch._distinct.Estimate() > buckets
        }
        merged = generator.merge_accumulators([merged, other])
        for path, values in known.items():
            _settle(merged[path], values)
    return merged


def _buckets(generator: Any) -> int:
    # As the generator itself does when it makes a sketch.
    return max(
        generator._num_misragries_buckets,
        generator._num_top_values,
        generator._num_rank_histogram_buckets,
    )


def _names(sketch: Any) -> Set[bytes]:
    message = _MisraGries.FromString(sketch._topk_unweighted.__getstate__())
    return {*message.items, *message.extra_items}


def _settle(sketch: Any, known: Iterable[bytes]) -> None:
    for name in _SKETCHES:
        message = _MisraGries.FromString(getattr(sketch, name).__getstate__())
        if not message.extra_items:
            continue
        counted = set(message.items)
        room = message.num_buckets - len(counted)
        message.extra_items[:] = [value for value in known if value not in counted][:room]
        settled = sketches.MisraGriesSketch.__new__(sketches.MisraGriesSketch)
        settled.__setstate__(message.SerializeToString())
        setattr(sketch, name, settled)


def _counted_as(value: bytes) -> bytes:
    if len(value) > _LARGE:
        return constants.LARGE_BYTES_PLACEHOLDER.encode()
    try:
        value.decode()
    except UnicodeDecodeError:
        return constants.NON_UTF8_PLACEHOLDER.encode()
    return value
