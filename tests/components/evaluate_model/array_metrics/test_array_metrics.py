"""An array path is one module and one line of `ARRAY_PATHS`: a metric of TFMA's is then computed without Beam."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from retrainer.components.evaluate_model.evaluate import evaluate
from retrainer.components.lib.evaluation import array_metrics

MODULE = """
from tensorflow_model_analysis.metrics import exact_match
from retrainer.components.lib.evaluation.array_metrics.array_path import ArrayPath, sums


def _terms(label, prediction, weight):
    return {
        "total_weighted_exact_match_scores": (label == prediction) * weight,
        "total_weighted_examples": weight,
    }


PATHS = (
    ArrayPath(exact_match, "_ExactMatchCombiner", sums(exact_match._ExactMatchAccumulator, _terms)),
)
"""


def add_path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    file = folder / "exact_match_path.py"
    file.write_text(MODULE)
    spec = importlib.util.spec_from_file_location("exact_match_path", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(array_metrics, "ARRAY_PATHS", (*array_metrics.ARRAY_PATHS, *module.PATHS))


def test_a_metric_with_a_new_array_path_is_judged_as_on_beam(
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    save_model: Callable[..., str],
    champion_record: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = some_flights.assign(hour=some_flights.hour.astype("int64"))[["hour", "late"]]
    model = save_model(
        tmp_path / "model",
        {"hour": tf.TensorSpec([None], tf.int64)},
        lambda hour: tf.cast(hour > 15, tf.float32)[:, None],
    )
    examples = make_examples({"1": rows, "2": rows}, eval_spans=1, label="late")
    threshold = {"value_threshold": {"lower_bound": 0.1}}
    pages, verdicts = {}, {}
    for how in ("beam", "arrays"):
        if how == "arrays":
            add_path(monkeypatch, tmp_path)
        home = tmp_path / how
        verdicts[how] = evaluate(
            examples,
            model,
            champion_record(),
            str(home / "evaluation"),
            str(home / "blessing"),
            str(home / "report.html"),
            metrics_specs=[{"metrics": [{"class_name": "ExactMatch", "threshold": threshold}]}],
        )
        pages[how] = (home / "report.html").read_text()
        blessing = json.loads((home / "blessing" / "blessing.json").read_text())
        assert blessing["blessed"]
    equal = np.mean((some_flights.hour > 15) == some_flights.late)
    assert verdicts["arrays"].startswith(f"blessed: exact_match {equal:.4g}")
    assert verdicts["arrays"] == verdicts["beam"]
    assert "by TFMA on Beam, in this process" in pages["beam"]
    assert "in process" in pages["arrays"]
    assert "exact_match" in pages["arrays"]


@pytest.mark.slow
def test_the_table_of_what_runs_over_arrays_is_what_the_tool_finds() -> None:
    """On each dependency line: releases of TFMA and Keras may differ."""
    tool = Path(__file__).parents[4] / "tools" / "metric_coverage.py"
    spec = importlib.util.spec_from_file_location("metric_coverage", tool)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.FILE.read_text(encoding="utf-8") == module.page(), "run `make docs`"
