"""Statistics of what models were asked and answered."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from servers.served_predictions import make_columns, table_of, write_predictions

from retrainer.components.lib.statistics import prediction_statistics
from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.lib.statistics.prediction_statistics import (
    input_statistics,
    output_statistics,
)


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


def test_they_are_those_of_tfdv(store):
    columns = make_columns(3000)
    found = write_predictions(store, "2026-11-01", columns)
    made = Dataset(input_statistics(found))
    frame = {name: list(values) for name, values in columns.items()}
    whole = Dataset(
        tfdv.generate_statistics_from_dataframe(pa.table(frame).to_pandas(), tfdv.StatsOptions())
    )
    assert set(made.columns) == {"hour", "distance", "carrier"}
    assert made.columns["carrier"].counts == whole.columns["carrier"].counts
    for name in ("hour", "distance"):
        ours, theirs = made.columns[name].feature.num_stats, whole.columns[name].feature.num_stats
        assert (ours.min, ours.max) == (theirs.min, theirs.max)
        assert ours.mean == pytest.approx(theirs.mean)
        assert len(made.columns[name].quantiles[0]) == 201


def test_failed_requests_and_copies_for_shadows_are_left_out(store):
    first = write_predictions(store, "2026-11-01", make_columns(100), failed=40)
    shadow = write_predictions(
        store, "2026-11-02", make_columns(100, shift=9e6), variant="shadow", name="x"
    )
    both = write_predictions(
        store, "2026-11-03", make_columns(50), more=table_of(shadow), name="both"
    )
    assert Dataset(input_statistics(first)).rows == 60
    made = Dataset(input_statistics(both))
    assert made.rows == 50
    assert made.columns["distance"].maximum < 1e6


def test_answers_are_those_of_one_version(store):
    second = write_predictions(
        store, "2026-11-01", make_columns(30), np.full(30, 0.9), version=2, name="two"
    )
    both = write_predictions(
        store, "2026-11-02", make_columns(70), np.full(70, 0.1), more=table_of(second)
    )
    for version, rows, score in ((1, 70, 0.1), (2, 30, 0.9)):
        made = Dataset(output_statistics(both, version))
        assert made.rows == rows
        assert made.columns["prediction"].maximum == pytest.approx(score)
    assert Dataset(input_statistics(both)).rows == 100
    unknown = write_predictions(store, "2026-11-03", make_columns(20), version=None)
    assert Dataset(output_statistics(unknown, 2)).rows == 20


def test_they_are_made_once_and_damaged_ones_again(store, monkeypatch):
    found = write_predictions(store, "2026-11-01", make_columns(100))
    made = input_statistics(found)
    with monkeypatch.context() as patch:
        patch.setattr(prediction_statistics, "_statistics", None)
        assert input_statistics(found) == made
    (file,) = (one for one in (pytest.importorskip("pathlib").Path(found.uri)).glob("inputs-*.pb"))
    file.write_bytes(b"damaged")
    assert input_statistics(found) == made


def test_an_empty_span_has_no_columns_with_values(store):
    made = Dataset(input_statistics(write_predictions(store, "2026-11-01", make_columns(0))))
    assert made.rows == 0
    assert all(not one.filled for one in made.columns.values())


def test_columns_without_values_with_nan_and_with_other_alphabets(store):
    columns = {
        "nothing": pa.nulls(50, pa.string()).to_pylist(),
        "nan": np.full(50, np.nan),
        "city": ["Łódź", None] * 25,
        "prediction": np.arange(50),
    }
    made = Dataset(input_statistics(write_predictions(store, "2026-11-01", columns)))
    assert made.columns["city"].counts == {"Łódź": 25}
    assert made.columns["prediction"].maximum == 49
    assert "nothing" not in made.columns or not made.columns["nothing"].filled
