"""Top values and rank histograms made of whole arrays are TFDV's."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tfx_bsl import sketches

from retrainer.components.lib.statistics.native_sketches import MisraGriesMessage
from retrainer.components.lib.statistics.sketches import SketchSettings
from retrainer.components.lib.statistics.tfdv_extract import TopValues

WORDS = ["a", "b", "ä", "日本", "\U0001f600", "\x00", "", "a b", "zz", "\ufffd"]
OPTIONS = {
    "as they are": {},
    "few of them": {"num_top_values": 3, "num_rank_histogram_buckets": 2},
    "a threshold": {"frequency_threshold": 30},
    "with a weight": {"weight_feature": "weight", "weighted_frequency_threshold": 4.0},
}


def accumulated(columns: dict[str, list], **options):
    """The generator of top values, and its accumulator of columns of text."""
    rows = len(next(iter(columns.values())))
    arrays = {
        name: pa.array([None if cell is None else [cell] for cell in cells], pa.list_(pa.binary()))
        for name, cells in columns.items()
    }
    weights = np.random.default_rng(7).random(rows)
    arrays["weight"] = pa.array([[weight] for weight in weights], pa.list_(pa.float64()))
    batch = pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays))
    settings = SketchSettings(options)
    found = stats_impl.generate_partial_statistics_in_memory(
        batch, settings.stats_options, settings.generators
    )
    at = [type(one).__name__ for one in settings.generators].index(
        "TopKUniquesSketchStatsGenerator"
    )
    return settings.generators[at], found[at]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_they_are_tfdvs(options):
    rng = np.random.default_rng(3)
    generator, accumulator = accumulated(
        {
            "few": [WORDS[i].encode() for i in rng.integers(0, len(WORDS), 400)],
            "many": [f"N{i}".encode() for i in rng.zipf(1.3, 400)],
            "alike": [f"{i}".encode() for i in range(400)],
            "gaps": [None if i % 3 else b"x" for i in range(400)],
            "none": [None] * 400,
        },
        **options,
    )
    expected = generator.extract_output(accumulator)
    assert TopValues(generator).extract_output(accumulator) == expected
    assert len(expected.features) == 4


def test_values_that_are_no_text_have_tfdvs_name():
    generator, accumulator = accumulated({"x": [b"a", b"b", b"b"]})
    ((path, sketch),) = [(path, one) for path, one in accumulator.items() if path.steps() == ("x",)]
    message = MisraGriesMessage.FromString(sketch._topk_unweighted.__getstate__())
    message.items[:] = [b"\xff" if item == b"b" else item for item in message.items]
    forged = sketches.MisraGriesSketch.__new__(sketches.MisraGriesSketch)
    forged.__setstate__(message.SerializeToString())
    sketch._topk_unweighted = forged
    expected = generator.extract_output(accumulator)
    assert TopValues(generator).extract_output({path: sketch}) == expected
    top = expected.features[0].string_stats.top_values[0]
    assert (top.value, top.frequency) == (tfdv.constants.NON_UTF8_PLACEHOLDER, 2)
