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
    example_weight_key: str = "",
    class_weights: Dict = {},
    balance_classes: bool = False,
    validation_fraction: float = 0.0,
    early_stopping_patience: int = 0,
    early_stopping_monitor: str = "val_loss",
    early_stopping_mode: str = "auto",
    store: str = "",
    reuse_salt: str = "",
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Trains the Keras model of the user's `build_model` on the transformed training split.

    `build_model(transform_output, hyperparameters)` gets the `tft.TFTransformOutput` and returns a compiled
    `keras.Model` that takes a dictionary of the transformed features.

    Args:
        examples: Examples from `ingest_spans`.
        transform_graph: Transform graph from `transform_features`.
        model: The SavedModel, with the transform inside and the signatures `serving_default` (named raw features)
            and `serving_tf_examples` (serialised tf.Examples).
        metrics: Loss and the model's own metrics in training; its file `learning_curve.json` has them by epoch.
        champion: Champion from `resolve_champion` for a warm start; without one, training starts from nothing.
        module: Importable module with `build_model`, installed in the image.
        module_source: Text of such a module, in place of `module`.
        steps: Batches in all; 0 to go by `epochs`.
        epochs: Passes over the training split, where `steps` is 0.
        batch_size: Rows in a batch.
        seed: Seed for initial weights and shuffling.
        hyperparameters: Handed to `build_model` as they are.
        example_weight_key: Column that weighs rows in the loss; empty, all weigh the same.
        class_weights: Weight of rows by their class, such as {"0": 1, "1": 20}; other classes weigh 1.
        balance_classes: Weigh classes so that each counts as much as any other, in place of `class_weights`.
        validation_fraction: Share of the training rows that are not trained on, but watched after each epoch.
        early_stopping_patience: Epochs without a better value after which training ends, with the weights of the best
            epoch; 0 for never.
        early_stopping_monitor: That value: `val_loss`, or `val_` and the name of a metric.
        early_stopping_mode: Whether less (`min`) or more (`max`) is better; `auto` asks Keras.
        store: URI of the store, where a result of equal inputs is found again, and this one kept; empty for neither.
        reuse_salt: What else the result depends on, such as the task's environment variables.

    Returns:
        verdict: Steps, how much of the champion was carried over, and metrics, in one sentence.
    """
    from retrainer.components.train_model.task import train_or_reuse

    schema = transform_graph.metadata.get("schema", "")
    trained = train_or_reuse(
        examples.path,
        transform_graph.path,
        model.path,
        metrics.path,
        champion.path if champion else None,
        module,
        module_source,
        {
            "steps": steps,
            "epochs": epochs,
            "batch_size": batch_size,
            "seed": seed,
            "hyperparameters": hyperparameters,
            "example_weight_key": example_weight_key,
            "class_weights": class_weights,
            "balance_classes": balance_classes,
            "validation_fraction": validation_fraction,
            "patience": early_stopping_patience,
            "monitor": early_stopping_monitor,
            "mode": early_stopping_mode,
        },
        store,
        reuse_salt,
        schema,
    )
    model.metadata["framework"] = "TensorFlow"
    # push_model keeps it in the registry.
    model.metadata["training"] = {**trained.values["training"], "schema": schema}
    metrics.metadata.update(trained.values["metrics"])
    return (trained.verdict,)
