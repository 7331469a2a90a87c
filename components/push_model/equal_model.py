"""Whether a model is the champion trained again."""

import filecmp
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..lib.folders import local_folder
from ..lib.registry.evaluation_summary import EvaluationSummary
from ..lib.registry.model_versions import ModelVersion, training_digest

# TensorFlow numbers the functions and layers of a process, so these differ where the model is the same.
_NUMBERED = {"saved_model.pb", "fingerprint.pb"}


def is_equal_model(
    model: str, info: Mapping[str, Any], evaluation: EvaluationSummary, champion: ModelVersion
) -> bool:
    """Report whether a model is the champion, trained again.

    It is, if data, code, settings, schema and libraries of both trainings are equal, the gate measured the same on each
    slice, and both have the same weights and assets. Without a cache a run makes such a model of the same spans.

    Args:
        model: Local folder of the model.
        info: The metadata of its version.
        evaluation: What the gate measured of both.
        champion: The champion.
    """
    training = training_digest(info)
    return (
        bool(training)
        and training == training_digest(champion.info)
        and _made_of(info) == _made_of(champion.info)
        and evaluation.champion_version == champion.version
        and bool(evaluation.overall.metrics)
        and all(
            slice_metrics.metrics == slice_metrics.champion for slice_metrics in evaluation.slices
        )
        and _equal_files(model, champion.uri)
    )


def _made_of(info: Mapping[str, Any]) -> list[Any]:
    return [(info.get("schema") or {}).get("digest"), info.get("made_with")]


def _equal_files(model: str, champion: str) -> bool:
    with local_folder(champion) as other:
        names = _names(model)
        if names != _names(other):
            return False
        same = filecmp.cmpfiles(model, other, names - _NUMBERED, shallow=False)[0]
        return len(same) == len(names - _NUMBERED)


def _names(folder: str) -> set[str]:
    return {os.path.relpath(file, folder) for file in Path(folder).rglob("*") if file.is_file()}
