import json
import sys

import pytest


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
        assert result["memory_mb"]["requests"] == 200
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
