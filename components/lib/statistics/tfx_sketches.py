"""tfx_bsl's C++ sketches: restoring them safely, and Misra-Gries sketches that depend on the data alone."""

from collections.abc import Iterable
from heapq import nsmallest
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from tensorflow_data_validation import constants
from tensorflow_data_validation.statistics.generators import (
    top_k_uniques_sketch_stats_generator as top_k,
)
from tfx_bsl import sketches

_Proto = descriptor_pb2.FieldDescriptorProto
# A sketch allocates all of its buckets at once.
_MOST_BUCKETS = 1 << 24
_MOST_ELEMENTS = 1 << 32
_LARGE = top_k._LARGE_STRING_THRESHOLD
_SKETCHES = ("_topk_unweighted", "_topk_weighted")


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


def restore(native: Any, state: bytes) -> Any:
    """Restore a C++ sketch from bytes, after a check.

    The C++ code trusts its input: it reads as many counts as there are items, even beyond the end, which ends the
    process, or worse.

    Args:
        native: `KmvSketch`, `MisraGriesSketch` or `QuantilesSketch` of tfx_bsl.
        state: What its `__getstate__` gave.

    Raises:
        ValueError: If they are not a valid sketch, such as one with fewer counts than items.
        RuntimeError: If the sketch rejects them.
        MemoryError: If it would be larger than memory.
    """
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


def _check_quantiles(state: bytes) -> None:
    # TFDV's have one stream.
    (stream,) = _parse("Quantiles", state).streams
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
    sketches.QuantilesSketch: _check_quantiles,
}


def ordered(state: bytes) -> bytes:
    """Sort the content of a serialised sketch, so that equal sketches are equal bytes."""
    message = MisraGriesMessage.FromString(state)
    counted = sorted(zip(message.items, message.weights, strict=True))
    message.items[:] = [item for item, _ in counted]
    message.weights[:] = [weight for _, weight in counted]
    message.extra_items[:] = sorted(message.extra_items)
    return message.SerializeToString(deterministic=True)


def settle_batch(accumulator: Any, batch: pa.RecordBatch, generator: Any) -> None:
    """Choose the extra items of one batch's sketches: its first values, in the order of the rows.

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


class ExtraItems:
    """The values of sketches during a merge, from which the extra items of the result are chosen.

    A Misra-Gries sketch counts 1,024 values; of those that it no longer counts, it keeps some (its extra items) to fill
    a ranking. TFDV chooses and orders them by a hash table with a new seed in every process; here the data alone
    decide. The counted values and their counts are unchanged.
    """

    def __init__(self, generator: Any) -> None:
        """Start without values.

        Args:
            generator: The `TopKUniquesSketchStatsGenerator` whose accumulators are merged.
        """
        self._generator = generator
        self._most = _buckets(generator)
        self._named: dict[Any, set[bytes]] = {}

    def merge(self, merged: Any, other: Any) -> Any:
        """Merge an accumulator into another, whose extra items are undefined until `settle`.

        Args:
            merged: Modified.
            other: Used up.

        Returns:
            The merged accumulator.
        """
        for path, sketch in other.items():
            if path not in merged:
                continue
            if path not in self._named:
                if merged[path]._distinct.Estimate() + sketch._distinct.Estimate() <= self._most:
                    continue
                self._named[path] = _names(merged[path])
            self._add(self._named[path], _names(sketch))
        return self._generator.merge_accumulators([merged, other])

    def settle(self, merged: Any) -> None:
        """Choose the extra items of a merged accumulator: the first values in the order of their bytes."""
        for path, names in self._named.items():
            _settle(merged[path], sorted(names))

    def _add(self, names: set[bytes], more: set[bytes]) -> None:
        names |= more
        if len(names) > 8 * self._most:
            # More values than there are counted and extra ones: the others can't become extra items.
            kept = nsmallest(2 * self._most, names)
            names.clear()
            names.update(kept)


def _buckets(generator: Any) -> int:
    # As the generator sizes its sketches.
    return max(
        generator._num_misragries_buckets,
        generator._num_top_values,
        generator._num_rank_histogram_buckets,
    )


def _names(sketch: Any) -> set[bytes]:
    message = MisraGriesMessage.FromString(sketch._topk_unweighted.__getstate__())
    return {*message.items, *message.extra_items}


def _settle(sketch: Any, known: Iterable[bytes]) -> None:
    for name in _SKETCHES:
        message = MisraGriesMessage.FromString(getattr(sketch, name).__getstate__())
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
