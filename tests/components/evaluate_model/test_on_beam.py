"""Rows as TFMA's own pipeline gets them: in small batches, each with its own predictions."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from retrainer.components.evaluate_model import on_beam
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE, build_eval_config
from retrainer.components.lib.evaluation.scores import Scores

AUC = [{"metrics": [{"class_name": "AUC"}]}]


def test_each_batch_has_the_labels_weights_slices_and_predictions_of_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(on_beam, "BATCH_ROWS", 2)
    numbers = np.arange(5)
    predictions = {
        CANDIDATE: numbers.astype(np.float32) / 10,
        BASELINE: np.stack([numbers, -numbers, numbers + 100], axis=1).astype(np.float32),
    }
    slices = pa.table({"site": [f"s{one}" for one in numbers]})
    scores = Scores(numbers % 2, predictions, numbers / 4, slices)
    config = build_eval_config(AUC, [], {}, "late", "w", True)
    batches = [batch.to_pydict() for batch in on_beam._batches(config, scores)]
    assert [len(one["late"]) for one in batches] == [2, 2, 1]
    joined = {name: [cell for one in batches for cell in one[name]] for name in batches[0]}
    assert joined == {
        "site": [[f"s{one}".encode()] for one in numbers],
        "late": [[0], [1], [0], [1], [0]],
        "w": [[0.0], [0.25], [0.5], [0.75], [1.0]],
        "_prediction_candidate": [[np.float32(one / 10)] for one in numbers],
        "_prediction_baseline": [[one, -one, one + 100] for one in numbers],
    }


def test_without_weights_and_slices_there_are_labels_and_predictions_alone() -> None:
    labels = np.array([[0.0, 1.0], [1.0, 1.0]])
    one = Scores(labels, {CANDIDATE: labels.astype(np.float32)}, None, pa.table({"": pa.nulls(2)}))
    config = build_eval_config(AUC, [], {}, "late")
    (batch,) = on_beam._batches(config, one)
    assert batch.to_pydict() == {
        "late": [[0, 1], [1, 1]],
        "_prediction_candidate": [[0, 1], [1, 1]],
    }


@pytest.mark.parametrize(
    ("uri", "is_here", "copied"),
    [("/models/1", True, False), ("gs://b/1", False, False), ("/models/1", False, True)],
)
def test_a_model_that_only_the_task_reaches_is_copied_to_the_workers(
    monkeypatch: pytest.MonkeyPatch, uri: str, is_here: bool, copied: bool
) -> None:
    uploads: list[Any] = []
    monkeypatch.setattr(on_beam, "upload", lambda *places: uploads.append(places))
    engine: Any = SimpleNamespace(is_here=is_here, folder="gs://shared/run")
    there = on_beam._shared(engine, CANDIDATE, uri)
    place = f"gs://shared/run/models/{CANDIDATE}"
    assert there == (place if copied else uri)
    assert uploads == ([(uri, place)] if copied else [])
