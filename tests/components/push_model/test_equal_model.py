"""A model is the champion trained again only where everything says so."""

from pathlib import Path
from typing import Any

import pytest

from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary, SliceMetrics
from retrainer.components.lib.registry.model_versions import ModelVersion
from retrainer.components.push_model.equal_model import is_equal_model

INFO = {
    "data_digest": "rows",
    "code_digest": "code",
    "schema": {"digest": "s"},
    "made_with": {"keras": "3"},
}
ALL_ROWS = SliceMetrics({}, {"auc": 0.9}, 600, {"auc": 0.9})
OF_UA = SliceMetrics({"carrier": "UA"}, {"auc": 0.7}, 20, {"auc": 0.7})


def write(folder: Path, **files: str) -> str:
    for name, text in files.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return str(folder)


@pytest.mark.parametrize(
    ("change", "is_equal"),
    [
        ({}, True),
        # TensorFlow numbers functions and layers.
        ({"files": {"saved_model.pb": "graph 2", "fingerprint.pb": "2"}}, True),
        ({"files": {"variables__data": "other"}}, False),
        ({"files": {"assets__words": "a"}}, False),
        ({"info": {**INFO, "code_digest": "other"}}, False),
        ({"info": {**INFO, "schema": {"digest": "other"}}}, False),
        ({"info": {**INFO, "schema": {"digest": "s", "number": 7}}}, True),
        ({"info": {**INFO, "made_with": {"keras": "4"}}}, False),
        ({"champion_version": 2}, False),
        ({"slices": (ALL_ROWS, SliceMetrics({"carrier": "UA"}, {"auc": 0.7}, 20))}, False),
        ({"slices": (SliceMetrics({}, {}, 600),)}, False),
    ],
)
def test_equal_training_numbers_and_weights_are_the_champion(
    tmp_path: Path, change: dict[str, Any], is_equal: bool
) -> None:
    files = {"saved_model.pb": "graph", "fingerprint.pb": "1", "variables__data": "weights"}
    champion = ModelVersion(3, write(tmp_path / "champion", **files), "d", INFO)
    model = write(tmp_path / "model", **{**files, **change.get("files", {})})
    slices = change.get("slices", (ALL_ROWS, OF_UA))
    evaluation = EvaluationSummary(slices, champion_version=change.get("champion_version", 3))
    info = change.get("info", INFO)
    assert is_equal_model(model, info, evaluation, champion) is is_equal


def test_of_a_training_that_is_unknown_nothing_is_equal(tmp_path: Path) -> None:
    model = write(tmp_path / "model", data="weights")
    evaluation = EvaluationSummary((ALL_ROWS,), champion_version=3)
    assert not is_equal_model(model, {}, evaluation, ModelVersion(3, model, "d", {}))
