"""The task of train_model: the model of an earlier training of the very same, or a new one.

TensorFlow is loaded for a new one alone.
"""

from collections.abc import Mapping
from typing import Any

from ..lib.reuse import Result, Work, reuse_or_make


def train_or_reuse(
    examples: str,
    transform_graph: str,
    model: str,
    metrics: str,
    champion: str | None,
    module: str,
    module_source: str,
    settings: Mapping[str, Any],
    store: str = "",
    salt: str = "",
) -> Result:
    """Train a model, unless the store has the one of equal code, settings, rows and starting point.

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

    Returns:
        The verdict, and the training's `metrics` among the values.
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
        from .train import TrainSettings, train

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
        return Result(trained.verdict, {"metrics": trained.metrics})

    return reuse_or_make(store, work, make)
