"""The KFP face of `train_model`."""

from typing import Dict, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train_model(
    examples: dsl.Input[dsl.Dataset],
    transform_graph: dsl.Input[dsl.Artifact],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    champion: dsl.Input[dsl.Model] = None,
    module: str = "",
    module_source: str = "",
    steps: int = 0,
    epochs: int = 1,
    batch_size: int = 512,
    seed: int = 1,
    hyperparameters: Dict = {},
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Trains the Keras model of the user's `build_model` on the transformed training split.

    `build_model(transform_output, hyperparameters)` gets the `tft.TFTransformOutput` and returns a compiled
    `keras.Model` that takes a dictionary of the transformed features.

    Args:
        examples: Examples from `ingest_spans`.
        transform_graph: Transform graph from `transform_features`.
        model: The SavedModel, with the transform inside and the signatures `serving_default` (named raw features)
            and `serving_tf_examples` (serialised tf.Examples).
        metrics: Loss and the model's own metrics in training.
        champion: Champion from `resolve_champion` for a warm start; without one, training starts from nothing.
        module: Importable module with `build_model`, installed in the image.
        module_source: Text of such a module, in place of `module`.
        steps: Batches in all; 0 to go by `epochs`.
        epochs: Passes over the training split, where `steps` is 0.
        batch_size: Rows in a batch.
        seed: Of initial weights and of the order of rows.
        hyperparameters: Handed to `build_model` as they are.

    Returns:
        verdict: Steps, how much of the champion was carried over, and metrics, in one sentence.
    """
    from retrainer.components.train_model.train import TrainSettings, train

    settings = TrainSettings(steps, epochs, batch_size, seed, hyperparameters)
    trained = train(
        examples.path,
        transform_graph.path,
        model.path,
        module,
        module_source,
        settings,
        champion.path if champion else None,
    )
    model.metadata["framework"] = "TensorFlow"
    metrics.metadata.update(trained.metrics)
    return (trained.verdict,)
