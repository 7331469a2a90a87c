"""The task of train_model: the model of an earlier training of the very same, or a new one.

TensorFlow is loaded for a new one alone.
"""

import platform
import shutil
import time
from collections.abc import Mapping
from typing import Any

from ..lib.folders import local_folder
from ..lib.image import VERSION
from ..lib.registry.model_versions import ModelVersion
from ..lib.runs.reuse import Result, Work, is_reusing, reuse_or_make
from ..lib.user_code.installed_packages import digest_code, library_versions
from ..lib.user_code.user_code_digest import code_behind
from .same_training import find_same_training


def train_or_reuse(
    examples: str,
    transform_graph: str,
    model: str,
    metrics: str,
    champion: str | None,
    module: str,
    module_source: str,
    settings: Mapping[str, Any],
    store: str,
    salt: str,
    schema: str = "",
) -> Result:
    """Train a model, unless the store has the one of equal code, settings, rows and starting point.

    A champion of the same rows, code and settings is taken as it is, in place of a warm start from it.

    Args:
        examples: The examples artifact.
        transform_graph: The transform graph artifact.
        model: Folder for the SavedModel.
        metrics: Folder for the learning curve.
        champion: The champion artifact to start from, or None to start from nothing.
        module: Importable module of the user's code.
        module_source: Text of the user's code, in place of `module`.
        settings: Fields of `TrainSettings`.
        store: URI of the store; empty to look for no earlier result.
        salt: What else the result depends on.
        schema: Digest of the schema that the transform graph was made with; empty if unknown.

    Returns:
        The verdict; among the values the training's `metrics`, and as `training` what the registry keeps of it.
    """
    inputs = {"examples": examples, "transform_graph": transform_graph}
    if champion is not None:
        inputs["champion"] = champion
    work = Work(
        component="train_model",
        parameters={"module": module, "module_source": module_source, "settings": dict(settings)},
        inputs=inputs,
        outputs={"model": model, "metrics": metrics},
        salt=salt,
    )

    def make() -> Result:
        training = _describe(settings, work.parameters)
        # Of an environment nothing is noted with a version.
        if champion is not None and is_reusing(store) and not salt:
            same = find_same_training(champion, examples, training, schema)
            if same is not None and not code_behind(work.parameters).unseen:
                return _take(same, model, training)

        from .train import TrainSettings, train

        start = time.monotonic()
        trained = train(
            examples,
            transform_graph,
            model,
            module,
            module_source,
            TrainSettings(**settings),
            champion,
            metrics,
        )
        return Result(
            trained.verdict,
            {
                "metrics": trained.metrics,
                "training": {**training, "seconds": round(time.monotonic() - start, 3)},
            },
        )

    return reuse_or_make(store, work, make)


def _take(champion: ModelVersion, model: str, training: Mapping[str, Any]) -> Result:
    with local_folder(champion.uri) as folder:
        shutil.copytree(folder, model, dirs_exist_ok=True)
    verdict = f"version {champion.version} was trained on these rows by the same code and settings: it is taken"
    # There are no metrics of a training, so it is not kept for other runs.
    return Result(verdict, {"metrics": {}, "training": dict(training)}, is_lasting=False)


def _describe(settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a training: its settings that are not empty, its code, and what it ran on."""
    libraries = library_versions()
    versions = {name: libraries[name] for name in ("tensorflow", "keras") if name in libraries}
    return {
        "hyperparameters": dict(settings.get("hyperparameters") or {}),
        "settings": {
            name: value for name, value in settings.items() if value and name != "hyperparameters"
        },
        "code_digest": code_behind(parameters).digest,
        "made_with": {
            "retrainer": VERSION,
            **versions,
            "python": platform.python_version(),
            "components": digest_code()[:12],
        },
    }
