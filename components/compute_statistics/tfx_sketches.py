"""Misra-Gries sketches that do not depend on the process which fills them.

The sketch counts 1,024 values; of those that it no longer counts it keeps some by name (its extra items), to fill a
ranking up. Which ones, and the order of everything, follow a hash table that every process seeds anew. Here they are
chosen and ordered by the data alone. The values that are counted, and their counts, are left as they are.
"""

from collections.abc import Iterable
from heapq import nsmallest
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_data_validation import constants
from tensorflow_data_validation.statistics.generators import (
    top_k_uniques_sketch_stats_generator as top_k,
)
from tfx_bsl import sketches

from .native_sketches import MisraGriesMessage

_LARGE = top_k._LARGE_STRING_THRESHOLD
_SKETCHES = ("_topk_unweighted", "_topk_weighted")


def ordered(state: bytes) -> bytes:
    """Order what a serialised sketch holds, so that equal sketches are equal bytes."""
    message = MisraGriesMessage.FromString(state)
    counted = sorted(zip(message.items, message.weights, strict=True))
    message.items[:] = [item for item, _ in counted]
    message.weights[:] = [weight for _, weight in counted]
    message.extra_items[:] = sorted(message.extra_items)
    return message.SerializeToString(deterministic=True)


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


class NamedValues:
    """The values that sketches name while they are merged: the extra items of the result are chosen from them."""

    def __init__(self, generator: Any) -> None:
        """Begin with none.

        Args:
            generator: The `TopKUniquesSketchStatsGenerator` whose accumulators are merged.
        """
        self._generator = generator
        self._most = _buckets(generator)
        self._named: dict[Any, set[bytes]] = {}

    def merge(self, merged: Any, other: Any) -> Any:
        """Merge an accumulator into another, whose extra items are any until it is settled.

        Args:
            merged: Is written to.
            other: Is used up.

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
        """Choose the extra items of a merged accumulator: the first that were named, in the order of their bytes."""
        for path, names in self._named.items():
            _settle(merged[path], sorted(names))

    def _add(self, names: set[bytes], more: set[bytes]) -> None:
        names |= more
        if len(names) > 8 * self._most:
            # Beyond these none can become an extra item: they are more than there are counted and extra ones.
            kept = nsmallest(2 * self._most, names)
            names.clear()
            names.update(kept)


def _buckets(generator: Any) -> int:
    # As the generator itself does when it makes a sketch.
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
