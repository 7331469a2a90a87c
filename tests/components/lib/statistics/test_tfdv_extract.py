"""The histograms made over arrays are TFDV's, to the last digit."""

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_data_validation.utils import quantiles_util
from tfx_bsl import sketches

from retrainer.components.lib.statistics.tfdv_extract import equi_width_histogram

COLUMNS = {
    "spread": lambda rng, rows: rng.normal(size=rows),
    "few values": lambda rng, rows: rng.integers(0, 5, rows).astype(float),
    "beyond the largest double apart": lambda rng, rows: rng.standard_cauchy(rows) * 1e307,
    "constant": lambda rng, rows: np.full(rows, 3.5),
    "one apart where doubles are two apart": lambda rng, rows: 2.0**53 + rng.integers(0, 6, rows),
    "infinities": lambda rng, rows: rng.choice([np.inf, -np.inf, 0.0, 1.0, 2.5], rows),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("column", COLUMNS)
def test_the_histogram_is_tfdvs(column):
    for seed in range(150):
        rng = np.random.default_rng(seed)
        values = COLUMNS[column](rng, int(rng.integers(1, 80)))
        sketch = sketches.QuantilesSketch(0.01, 1 << 32, 1)
        sketch.AddValues(pa.array(values))
        sketch.Compact()
        boundaries, counts = (
            array.flatten().to_numpy()
            for array in sketch.GetQuantilesAndCumulativeWeights(int(rng.integers(2, 200)))
        )
        finite = values[np.isfinite(values)]
        arguments = (
            boundaries,
            counts,
            float(finite.min()) if finite.size else np.inf,
            float(finite.max()) if finite.size else -np.inf,
            int(rng.integers(1, 30)),
            float(np.isposinf(values).sum()),
        )
        expected = quantiles_util.generate_equi_width_histogram(*arguments)
        assert equi_width_histogram(*arguments) == expected
