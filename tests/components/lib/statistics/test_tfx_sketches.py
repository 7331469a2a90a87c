"""Misra-Gries sketches that are merged."""

import numpy as np
import pyarrow as pa
import pytest

from retrainer.components.lib.statistics import tfx_sketches
from retrainer.components.lib.statistics.native_sketches import MisraGriesMessage
from retrainer.components.lib.statistics.sketch_threads import sketch_batch
from retrainer.components.lib.statistics.sketches import AccumulatorMerge, SketchSettings

BUCKETS = 16
SETTINGS = SketchSettings(
    {"num_top_values": 2, "num_rank_histogram_buckets": BUCKETS, "feature_allowlist": ["tail"]}
)


@pytest.fixture(autouse=True)
def few_buckets(monkeypatch):
    for generator in SETTINGS.generators:
        if hasattr(generator, "_num_misragries_buckets"):
            monkeypatch.setattr(generator, "_num_misragries_buckets", BUCKETS)


def batches(count, rows=40):
    random = np.random.default_rng(7)
    for _ in range(count):
        # A few values are frequent; most are met once.
        common = [f"common-{number}" for number in random.integers(0, 4, rows)]
        rare = [f"rare-{number:06d}" for number in random.integers(0, 10**6, rows)]
        yield pa.RecordBatch.from_pydict({"tail": common + rare})


def merged(asked=()):
    """Merge sketches of batches, asking for the result in between; gives what each sketch named, and the result."""
    merging = AccumulatorMerge(SETTINGS)
    named = set()
    for number, batch in enumerate(batches(30)):
        accumulators = sketch_batch(batch, SETTINGS)
        counted, extra = items(accumulators)
        named |= {*counted, *extra}
        merging.add(accumulators)
        if number in asked:
            merging.result()
    return named, items(merging.result())


def items(accumulators):
    (sketch,) = next(
        one for one in accumulators if hasattr(one, "values") and is_top_k(one)
    ).values()
    message = MisraGriesMessage.FromString(sketch._topk_unweighted.__getstate__())
    return sorted(message.items), sorted(message.extra_items)


def is_top_k(accumulator):
    return any(hasattr(one, "_topk_unweighted") for one in accumulator.values())


def test_extra_items_are_the_first_of_all_values_that_any_sketch_named():
    named, (counted, extra) = merged()
    assert len(named) > 8 * BUCKETS, "so many that not all names are held"
    room = BUCKETS - len(counted)
    assert room > 0
    assert extra == sorted(named - set(counted))[:room]


def test_a_merge_that_is_asked_in_between_ends_in_the_same_items():
    assert merged(asked=(0, 3, 17)) == merged()


def test_names_that_can_not_become_extra_items_are_let_go(monkeypatch):
    held = []
    add = tfx_sketches.ExtraItems._add

    def observed(self, names, more):
        add(self, names, more)
        held.append(len(names))

    monkeypatch.setattr(tfx_sketches.ExtraItems, "_add", observed)
    named, _ = merged()
    assert max(held) <= 8 * BUCKETS < len(named)
