import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf


def test_a_served_model_is_checked_in_a_clean_process(chain, model, examples):
    from retrainer.components.check_serving.check import check

    verdict = check(model, examples, str(chain / "check"), rows=20, requests=10)
    assert verdict.startswith("serves 20 rows as evaluation predicts them")
    result = json.loads((chain / "check" / "serving_check.json").read_text())
    assert result["ok"] is True
    assert result["latency_ms"]["p95"] > 0
    assert list(result["latency_ms_by_batch"]) == ["1", "8", "64", "512"]
    assert set(result["latency_ms_by_batch"]["512"]) == {"p50", "p95", "p99"}
    if sys.platform == "linux":
        assert result["memory_mb"]["requests"] in (500, 10_000)
        assert result["memory_mb"]["growth"] < 1
        assert result["memory_mb"]["after"] > 10


@pytest.mark.usefixtures("serving_here")
def test_a_model_that_is_too_slow_is_reported(chain, model, examples):
    from retrainer.components.check_serving.check import check

    verdict = check(
        model, examples, str(chain / "slow"), rows=5, requests=10, max_latency_ms=0.000001
    )
    assert "more than max_latency_ms" in verdict
    assert json.loads((chain / "slow" / "serving_check.json").read_text())["ok"] is False


def test_a_model_whose_file_is_broken_does_not_serve(chain, model, examples):
    import shutil

    from retrainer.components.check_serving.check import check

    broken = chain / "broken"
    shutil.copytree(model, broken)
    (broken / "saved_model.pb").write_bytes(b"no graph")
    verdict = check(str(broken), examples, str(chain / "broken-check"), rows=5)
    assert verdict.startswith("does not serve: ")


@pytest.mark.usefixtures("serving_here")
def test_a_feature_that_the_rows_lack_is_sent_empty_and_a_whole_number_can_not_be(
    chain, model, write_examples, sample
):
    from retrainer.components.check_serving.check import check

    lacking = write_examples("lacking", sample.drop(columns=["dest"]))
    verdict = check(model, lacking, str(chain / "lacking-check"), rows=5, requests=0)
    assert verdict.startswith("serves 5 rows")
    assert "'dest' was sent empty: none of the rows has it" in verdict
    without = write_examples("without-hour", sample.drop(columns=["hour"]))
    verdict = check(model, without, str(chain / "hour-check"), rows=5)
    assert "the model takes a feature 'hour' that the rows don't have" in verdict


@pytest.mark.usefixtures("serving_here")
def test_only_the_rows_and_columns_that_are_sent_are_read(
    save, make_examples, monkeypatch, tmp_path
):
    from retrainer.components.check_serving.check import check
    from retrainer.components.lib import examples as reading

    read = []

    class Counted(io.FileIO):
        def read(self, size=-1):
            read.append((Path(self.name).parts[-3], super().read(size)))
            return read[-1][1]

    monkeypatch.setattr(reading.pa, "OSFile", Counted)
    rows = 150_000
    random = np.random.default_rng(0)
    days = {
        str(day): pd.DataFrame(
            {
                "x": random.normal(size=rows),
                **{f"other_{n}": random.normal(size=rows) for n in range(4)},
                "late": 0,
            }
        )
        for day in range(2)
    }
    examples = make_examples(days, eval_spans=2)
    signatures = {"serving_default": "named", "serving_tf_examples": "serialised"}
    model = save(tmp_path / "model", lambda x: x, {"x": tf.float32}, signatures, {}, {}, None)
    check(model, examples, str(tmp_path / "check"), 4, requests=0, memory_requests=0)
    assert {span for span, _ in read} == {"1"}
    size = (tmp_path / "store" / "spans" / "1" / "v1" / "all-00000.parquet").stat().st_size
    # One column of five, and of it the first of three groups of rows.
    assert 0 < sum(len(block) for _, block in read) < size / 10
