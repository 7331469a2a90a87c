"""How much a metric varies: by chance, between chunks, between windows."""

import math

import numpy as np
import pytest

from retrainer.components.monitor_model.estimation.deviations import (
    chunk_deviation,
    row_deviation,
    spread,
)


def test_the_deviation_of_a_row_is_that_of_the_mean_by_the_root_of_the_rows() -> None:
    values = np.random.default_rng(1).normal(0, 2.5, 40_000)
    found = row_deviation(lambda rows: float(values[rows].mean()), len(values))
    assert found == pytest.approx(2.5, rel=0.3)


def test_chunks_know_what_changes_with_time() -> None:
    values = np.random.default_rng(1).normal(0, 1, 20_000) + np.repeat([0.0, 1.0], 10_000)

    def mean(rows: np.ndarray | slice) -> float:
        return float(values[rows].mean())

    assert chunk_deviation(mean, len(values), 1_000) == pytest.approx(0.5, rel=0.1)
    # A window larger than the reference is compared with its tenths, a small one with a hundred of its chunks.
    assert chunk_deviation(mean, len(values), 1e9) == pytest.approx(0.53, rel=0.1)
    assert chunk_deviation(mean, len(values), 10) == pytest.approx(0.6, rel=0.2)


def test_where_the_metric_is_not_defined_in_parts_nothing_is_known() -> None:
    assert math.isnan(row_deviation(lambda _: math.nan, 1_000))
    assert math.isnan(chunk_deviation(lambda _: math.nan, 1_000, 10))
    assert math.isnan(row_deviation(lambda rows: 1.0, 3))
    assert math.isnan(spread(np.array([0.5] * 5)))
