"""The exported SavedModel: raw features in, predictions out, the transform inside."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.features import FLOAT, INT, STRING
from .signature_names import argument_names, name_inputs
from .warm_start_record import write_record

PREDICTIONS = "predictions"
NAMED = "serving_default"
_DTYPES = {INT: tf.int64, FLOAT: tf.float32, STRING: tf.string}
_MISSING = {FLOAT: float("nan"), STRING: ""}
_KINDS = {schema_pb2.INT: INT, schema_pb2.FLOAT: FLOAT, schema_pb2.BYTES: STRING}


def raw_kinds(graph: tft.TFTransformOutput) -> dict[str, str]:
    """List the raw features that a transform graph takes, with their kinds."""
    return {feature.name: _KINDS[feature.type] for feature in graph.raw_metadata.schema.feature}


def export_model(model: keras.Model, transform: Any, kinds: Mapping[str, str], output: str) -> None:
    """Write the SavedModel, with what a later warm start needs beside it.

    Its signature `serving_default` takes each raw feature by name, shape (rows,), and gives `predictions`,
    the model's output; `serving_tf_examples` takes serialised tf.Examples as `examples`, shape (rows,).

    Args:
        model: The trained model, from transformed features to predictions.
        transform: The loaded transform graph.
        kinds: Raw features with their kinds.
        output: Folder to write to.
    """
    arguments = argument_names(kinds)
    served = _Served(model, transform, kinds, arguments)
    tf.saved_model.save(
        served,
        output,
        signatures={NAMED: served.raw, "serving_tf_examples": served.tf_examples},
    )
    name_inputs(output, NAMED, arguments)
    write_record(output, model, kinds, arguments)


class _Served(tf.Module):
    def __init__(
        self,
        model: keras.Model,
        transform: Any,
        kinds: Mapping[str, str],
        arguments: Mapping[str, str],
    ) -> None:
        super().__init__()
        # The variables, not the model: TensorFlow saves a tracked Keras 3 model's variables under names that the
        # restore op of a model server does not find.
        self.model_variables = [variable.value for variable in model.variables]
        self.transform = transform
        parsing = {
            # An integer that is never missing has no default: an example without it is refused.
            name: tf.io.FixedLenFeature([1], _DTYPES[kind], _MISSING.get(kind))
            for name, kind in kinds.items()
        }

        def predict(columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {PREDICTIONS: model(transform.transform_fn(columns), training=False)}

        self.raw = tf.function(
            lambda features: predict(
                {name: tf.reshape(features[arguments[name]], [-1, 1]) for name in kinds}
            ),
            input_signature=[
                {
                    arguments[name]: tf.TensorSpec([None], _DTYPES[kind], arguments[name])
                    for name, kind in kinds.items()
                }
            ],
        )
        # No signature: a later training asks what this transform makes of its rows.
        self.transformed = tf.function(
            lambda columns: transform.transform_fn(
                {name: columns[arguments[name]] for name in kinds}
            ),
            input_signature=[
                {
                    arguments[name]: tf.TensorSpec([None, 1], _DTYPES[kind], arguments[name])
                    for name, kind in kinds.items()
                }
            ],
        )
        self.tf_examples = tf.function(
            lambda examples: predict(tf.io.parse_example(examples, parsing)),
            input_signature=[tf.TensorSpec([None], tf.string, "examples")],
        )
