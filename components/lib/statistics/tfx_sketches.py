"""Misra-Gries sketches of tfx_bsl that depend on the data alone."""

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
