"""A table of many columns goes through ingestion, statistics and validation, a block of columns at a time."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import to_list_batch
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.statistics import sketches
from retrainer.components.lib.statistics.statistics_artifact import (
    features_by_name,
    read_statistics,
)
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.validate import validate

COLUMNS, ROWS = 70, 200
BLOCK = 20


def wide(seed: int) -> pd.DataFrame:
    """As many number columns as text columns, and a label."""
    random = np.random.default_rng(seed)
    numbers = {f"n{i}": random.normal(size=ROWS).round(3) for i in range(COLUMNS)}
    words = np.array([f"v{i}" for i in range(8)])
    texts = {f"t{i}": words[random.integers(0, 8, ROWS)] for i in range(COLUMNS)}
    return pd.DataFrame({**numbers, **texts, "late": random.integers(0, 2, ROWS)})


def test_a_fault_in_one_of_many_columns_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(sketches, "BLOCK_COLUMNS", BLOCK)
    spans = {str(span): wide(span) for span in (1, 2, 3)}
    faulty = spans["3"].assign(n69=np.nan, t69="unheard of")
    for span, frame in {**spans, "3": faulty}.items():
        frame.to_csv(tmp_path / f"rows-{span}.csv", index=False)
    store, examples, statistics = (str(tmp_path / name) for name in ("store", "ex", "st"))
    settings = IngestSettings(label="late")
    ingest(str(tmp_path / "rows-{span}.csv"), store, settings, examples)
    verdict = compute(examples, statistics, str(tmp_path / "s.html"))
    assert verdict == "3 spans, 600 rows x 141 columns; 3 sketched now, 0 reused"

    train = features_by_name(read_statistics(statistics, "Split-train"))
    names = ["n0", "n19", "n20", "n69", "t0", "t30", "t69", "late"]
    rows = pd.concat([spans["1"], spans["2"]])[names]
    (batch,) = pa.Table.from_pandas(rows, preserve_index=False).combine_chunks().to_batches()
    full = stats_impl.generate_statistics_in_memory(to_list_batch(batch), tfdv.StatsOptions())
    for name, expected in features_by_name(full).items():
        found = train[name]
        if expected.HasField("num_stats"):
            assert found.num_stats.mean == pytest.approx(expected.num_stats.mean)
            assert found.num_stats.std_dev == pytest.approx(expected.num_stats.std_dev)
            assert found.num_stats.histograms == expected.num_stats.histograms
        else:
            assert found == expected

    with pytest.raises(RetrainerError):
        validate(
            statistics, store, parse_settings(), str(tmp_path / "an"), str(tmp_path / "sc"),
            str(tmp_path / "v.html"), examples_path=examples,
        )  # fmt: skip
    findings = json.loads((tmp_path / "an" / "anomalies.json").read_text())
    assert {"n69", "t69"} <= {finding["column"] for finding in findings}
    # So few rows of so many columns differ here and there by chance, which warns and stops nothing.
    stopped = {finding["column"] for finding in findings if finding["severity"] == "error"}
    assert stopped
    assert stopped <= {"n69", "t69"}
