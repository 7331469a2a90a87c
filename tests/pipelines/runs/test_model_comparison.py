"""Two versions on the same rows of today."""

import json

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.spans.stored_spans import SPAN_FILE
from retrainer.components.lib.uris import write_json
from retrainer.pipelines.cli.show_comparison import print_comparison
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project
from retrainer.pipelines.runs.model_comparison import compare_versions


@pytest.fixture
def config(tmp_path):
    """The starter project, with two versions that are no models."""
    init_project(tmp_path / "project")
    config = load_config(tmp_path / "project" / "retrain.yaml").config
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_text("graph")
    registry = Registry(f"{config.store}/models")
    for number in (1, 2):
        registry.add(str(model), f"d{number}", {})
    return config


def _write_span(config, span, rows):
    import pandas as pd

    folder = f"{config.store}/spans/{span}/{'a' * 16}"
    frame = pd.DataFrame(rows)
    part = {"rows": len(frame), "files": ["all.parquet"]}
    record = {
        "span": span,
        "version": "a" * 16,
        "parts": {"all": part},
        "counts": {},
        "source_columns": list(frame),
    }
    write_json(f"{folder}/{SPAN_FILE}", record)
    frame.to_parquet(f"{folder}/all.parquet")


@pytest.mark.parametrize(
    ("versions", "span", "message"),
    [
        ((1, 1), "", "version 1 can't be compared with itself"),
        ((1, 9), "", r"there is no version 9 .*\(there are: 1, 2\)"),
        ((1, 2), "", "there is no span in the store"),
        ((1, 2), "2026-09", r"there is no span '2026-09' .*\(the newest are: none\)"),
    ],
)
def test_what_can_not_be_compared_is_named(config, tmp_path, versions, span, message):
    with pytest.raises(RetrainerError, match=message):
        compare_versions(config, *versions, str(tmp_path / "report.html"), span)


@pytest.mark.slow
def test_two_versions_answer_the_newest_spans_rows(config, tmp_path, capsys):
    import numpy as np
    import tensorflow as tf

    registry = Registry(f"{config.store}/models")
    for number, sign in ((3, 1.0), (4, -0.2)):
        module = tf.Module()

        def predict(amount, sign=sign):
            return {"predictions": tf.sigmoid(sign * (amount - 50.0))[:, None]}

        module.predict = tf.function(
            predict, input_signature=[tf.TensorSpec([None], tf.float32, "amount")]
        )
        folder = str(tmp_path / f"model-{number}")
        signatures = {"serving_default": module.predict}
        tf.saved_model.save(module, folder, signatures=signatures)
        info = {"train_spans": ["2026-01"] if number == 4 else ["2026-02"]}
        assert registry.add(folder, f"d{number}", info).version == number
    random = np.random.default_rng(1)
    amount = random.uniform(0, 100, 400)
    label = (amount + random.normal(0, 30, 400) > 50).astype("int64")
    country = random.choice(["DE", "FR"], 400)
    for span in ("2026-01", "2026-02"):
        _write_span(config, span, {"amount": amount, config.data.label: label, "country": country})
    report = tmp_path / "report.html"
    found = compare_versions(config, 3, 4, str(report))
    assert (found.version, found.against, found.span) == (3, 4, "2026-02")
    assert found.verdict.startswith("blessed: ")
    assert "interval of the change in auc +0." in found.verdict, "the section gate counts here, too"
    overall = found.summary.overall
    assert overall.rows == 400
    assert overall.metrics["auc"] > 0.8 > 0.2 > overall.champion["auc"]
    assert found.remarks == ("version 3 trained on span 2026-02, which favours it",)
    assert "<html" in report.read_text()
    json.dumps(found.to_json())
    # Nothing in the store is changed.
    assert registry.version_of("champion") is None
    print_comparison(found)
    shown = capsys.readouterr().out
    assert "version 3 against version 4, on 400 rows of span 2026-02" in shown
    assert max(map(len, shown.splitlines())) < 130
    other = compare_versions(config, 3, 4, str(report), "2026-01")
    assert "trained on eval rows (spans 2026-01)" in other.verdict
