"""SavedModels that take named raw columns, as `train_model` exports them and as a server calls them."""

import threading
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import tensorflow as tf

from ..errors import RetrainerError
from ..features import column_of, to_array, to_words
from ..folders import local_folder
from ..user_code.user_errors import reason_of
from .model_signature import OUTPUT, SIGNATURE
from .signatures import argument_of_input


class PredictionShapeError(RetrainerError):
    """A model's predictions have another shape than one for each row."""


LOAD_ERRORS = (OSError, ValueError, TypeError, LookupError, RuntimeError, tf.errors.OpError)
"""What `tf.saved_model.load` raises of a damaged model: of one whose variables are cut off, an IndexError."""


class Model:
    """A SavedModel that takes named raw columns.

    Attributes:
        who: What errors call it, such as `champion (version 3)`.
        columns: Names of the columns that it takes.
        kinds: For each of them the type that it takes, such as `int64`, `float32` or `string`.
    """

    def __init__(self, path: str, who: str) -> None:
        self.who = who
        try:
            # The function lives only as long as the object that it was loaded with.
            self._loaded = tf.saved_model.load(path)
        except LOAD_ERRORS as error:
            raise RetrainerError(
                f"the {who} at '{path}' is not a SavedModel that loads here: {reason_of(error)}"
            ) from error
        if SIGNATURE not in self._loaded.signatures:
            raise RetrainerError(
                f"the {who} at '{path}' has no signature '{SIGNATURE}', only "
                f"{sorted(self._loaded.signatures) or 'none'}. Export it with one that takes named "
                "columns."
            )
        self._function = self._loaded.signatures[SIGNATURE]
        specs: dict[str, tf.TensorSpec] = self._function.structured_input_signature[1]
        self._arguments = argument_of_input(path, SIGNATURE, specs)
        self._inputs = {name: specs[argument] for name, argument in self._arguments.items()}
        self.kinds = {name: spec.dtype.name for name, spec in sorted(self._inputs.items())}
        self.columns = list(self.kinds)
        self._first_call = threading.Lock()
        self._prepared = False

    @property
    def outputs(self) -> int:
        """How many numbers it returns for a row; 1 if the signature does not say."""
        widths = self.widths
        return widths.get(OUTPUT, next(iter(widths.values())))

    @property
    def widths(self) -> dict[str, int]:
        """How many numbers each output has for a row, by its name; 1 if the signature does not say."""
        return {
            name: int(spec.shape[1:].num_elements() or 1) if spec.shape.rank else 1
            for name, spec in self._function.structured_outputs.items()
        }

    @property
    def widths_side_by_side(self) -> dict[str, int] | None:
        """The widths of the outputs as `predict_side_by_side` has them; None of a model of which one output counts."""
        widths = self.widths
        return None if OUTPUT in widths or len(widths) == 1 else dict(sorted(widths.items()))

    def predict(self, batch: pa.RecordBatch) -> np.ndarray:
        """Score rows.

        Args:
            batch: Flat columns; one that is missing from it is empty in every row.

        Returns:
            Predictions: float32, shape (rows,), or (rows, classes) of a model with several outputs.

        Raises:
            PredictionShapeError: If it does not return one prediction for each row.
            RetrainerError: If the model can't take these columns, or fails on them.
        """
        outputs = self._answer(batch)
        if OUTPUT not in outputs and len(outputs) != 1:
            raise RetrainerError(
                f"the {self.who} gives {sorted(outputs)}, and none is called '{OUTPUT}'. Export it "
                "with that name."
            )
        return self._numbers(outputs.get(OUTPUT, next(iter(outputs.values()))), batch.num_rows)

    def predict_outputs(self, batch: pa.RecordBatch) -> dict[str, np.ndarray]:
        """Score rows with each output of a model that has several.

        Args:
            batch: As for `predict`.

        Returns:
            Predictions as `predict` returns them, by the output's name.

        Raises:
            RetrainerError: As `predict` does.
        """
        return {
            name: self._numbers(output, batch.num_rows)
            for name, output in self._answer(batch).items()
        }

    def predict_side_by_side(self, batch: pa.RecordBatch) -> np.ndarray:
        """Score rows with all outputs of a model that has several, in one array.

        Args:
            batch: As for `predict`.

        Returns:
            As `predict`, of a model with one output or one that is called `predictions`; else shape (rows, numbers of
            all outputs), sorted by the outputs' names.

        Raises:
            RetrainerError: As `predict` does.
        """
        beside = self.widths_side_by_side
        if beside is None:
            return self.predict(batch)
        outputs = self.predict_outputs(batch)
        return np.concatenate(
            [outputs[name].reshape(batch.num_rows, -1) for name in beside], axis=1
        )

    def _answer(self, batch: pa.RecordBatch) -> dict[str, tf.Tensor]:
        tensors = self.tensors(batch)
        try:
            return self._call({self._arguments[name]: tensor for name, tensor in tensors.items()})
        except tf.errors.OpError as error:
            raise RetrainerError(
                f"the {self.who} can't score these rows: {reason_of(error)}"
            ) from error

    def _numbers(self, output: tf.Tensor, rows: int) -> np.ndarray:
        values = np.asarray(output, np.float32)
        if values.shape[:1] != (rows,):
            raise PredictionShapeError(
                f"the {self.who} gave predictions of shape {values.shape} for {rows} "
                "rows. It must give one for each row."
            )
        values = values.reshape(rows, -1)
        return values[:, 0] if values.shape[1] == 1 else values

    def tensors(self, batch: pa.RecordBatch) -> dict[str, tf.Tensor]:
        """Convert rows to what the model takes, by column.

        Args:
            batch: As in `predict`.

        Raises:
            RetrainerError: If the model can't take these columns.
        """
        return {name: self._tensor(batch, name, spec) for name, spec in self._inputs.items()}

    def _call(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if not self._prepared:
            # TensorFlow prepares a function at its first call. Threads that make it at once would each do so.
            with self._first_call:
                outputs: dict[str, tf.Tensor] = self._function(**tensors)
                self._prepared = True
                return outputs
        return self._function(**tensors)

    def _tensor(self, batch: pa.RecordBatch, name: str, spec: tf.TensorSpec) -> tf.Tensor:
        try:
            column = column_of(batch, name)
            if spec.dtype == tf.string:
                words, codes = to_words(column, name)
                # TensorFlow repeats the words, without Python's objects.
                tensor = tf.gather(tf.constant(words, tf.string), codes)
            else:
                tensor = tf.constant(to_array(column, name, spec.dtype.name))
        except RetrainerError as error:
            raise RetrainerError(f"the {self.who} can't score these rows: {error}") from error
        # A model from elsewhere may want (rows, 1).
        return tensor if spec.shape.rank in (None, 1) else tf.reshape(tensor, (-1, 1))


def load_model(uri: str, who: str) -> Model:
    """Load a SavedModel from a folder or bucket.

    Raises:
        RetrainerError: If there is none that loads here.
    """
    with local_folder(uri) as path:
        return Model(path, who)
