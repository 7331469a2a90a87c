"""The exported SavedModel: raw features in, predictions out, the transform inside."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.errors import RetrainerError
from ..lib.features import FLOAT, INT, STRING
from ..lib.library_output import written_locally
from ..lib.user_code.user_errors import user_call
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


class ServedModel(tf.Module):
    """A model with its transform inside.

    Its signature `serving_default` takes each raw feature by name, shape (rows,), and gives `predictions`, the model's
    output, or the outputs of a model with several by their names; `serving_tf_examples` takes serialised tf.Examples as
    `examples`, shape (rows,).
    """

    def __init__(self, model: keras.Model, transform: Any, kinds: Mapping[str, str]) -> None:
        """Connect the two.

        Args:
            model: The model, built, from transformed features to predictions.
            transform: The loaded transform graph.
            kinds: Raw features with their kinds.
        """
        super().__init__()
        self._model, self._kinds = model, dict(kinds)
        self._arguments = arguments = argument_names(kinds)
        # The variables, not the model: TensorFlow saves a tracked Keras 3 model's variables under names that the
        # restore op of a model server does not find.
        self.model_variables = [variable.value for variable in model.variables]
        # Tables, such as those of StringLookup: Keras has them where a SavedModel does not look for them.
        self.model_tables = list(_tables(model))
        self.transform = transform
        parsing = {
            # An integer that is never missing has no default: an example without it is refused.
            name: tf.io.FixedLenFeature([1], _DTYPES[kind], _MISSING.get(kind))
            for name, kind in kinds.items()
        }

        def predict(columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            outputs = model(transform.transform_fn(columns), training=False)
            return dict(outputs) if isinstance(outputs, Mapping) else {PREDICTIONS: outputs}

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

    def check(self) -> None:
        """Find out whether the model can be exported, without writing it.

        Raises:
            RetrainerError: If its call fails in a graph, or it uses a resource that a SavedModel would not have.
        """
        trace = user_call(
            self.raw.get_concrete_function, "the model of build_model can't be exported"
        )
        captured = {
            id(handle) for handle in trace().graph.external_captures if handle.dtype == tf.resource
        }
        known = {
            id(handle)
            for descendant in tf.train.TrackableView(self).descendants()
            for handle in (
                getattr(descendant, "resource_handle", None),
                getattr(descendant, "handle", None),
            )
            if handle is not None
        }
        if captured - known:
            raise RetrainerError(
                "the model of build_model can't be exported: it uses a table or variable that is no attribute of one "
                "of its layers, so a SavedModel would not have it. Assign it to an attribute of the layer (self.table "
                "= ...), make it with add_weight, or look words up in preprocessing_fn."
            )

    def write(self, output: str) -> None:
        """Write the SavedModel, with what a later warm start needs beside it.

        Args:
            output: Folder to write to.
        """
        with written_locally(output, "saved_model.pb") as folder:
            tf.saved_model.save(
                self,
                folder,
                signatures={NAMED: self.raw, "serving_tf_examples": self.tf_examples},
            )
            name_inputs(folder, NAMED, self._arguments)
            write_record(folder, self._model, self._kinds, self._arguments)


def _tables(model: keras.Model) -> Iterator[Any]:
    """List the lookup tables and TensorFlow's own variables that a model's layers have as attributes."""
    resources = (tf.saved_model.experimental.TrackableResource, tf.Variable)
    for layer in model._flatten_layers():
        yield from (value for value in vars(layer).values() if isinstance(value, resources))
