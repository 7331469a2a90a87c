"""Signatures of SavedModels, read from their file without loading the model."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from .errors import RetrainerError
from .uris import join, read_bytes


@dataclass(frozen=True)
class Signature:
    """What a model takes and returns.

    Attributes:
        inputs: The type of each column that it takes, such as `int64`, `float32` or `string`.
        outputs: How many numbers it returns for a row, by the output's name; 1 where the signature does not say.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, int]


def read_signature(folder: str, signature: str) -> Signature:
    """Read a signature.

    Args:
        folder: The SavedModel.
        signature: Key of the signature.

    Raises:
        RetrainerError: If the model has no such signature.
    """
    saved = saved_model_pb2.SavedModel.FromString(read_bytes(join(folder, "saved_model.pb")))
    known = saved.meta_graphs[0].signature_def
    if signature not in known:
        raise RetrainerError(
            f"the model at '{folder}' has no signature '{signature}'. Export it with one that takes named columns."
        )
    found = known[signature]
    return Signature(
        {name: tf.dtypes.as_dtype(one.dtype).name for name, one in sorted(found.inputs.items())},
        {
            # Of unknown size is what depends on the rows.
            name: math.prod(max(1, one.size) for one in info.tensor_shape.dim[1:])
            for name, info in found.outputs.items()
        },
    )


def argument_of_input(folder: str, signature: str, arguments: Collection[str]) -> dict[str, str]:
    """Map a signature's inputs to the arguments of the function that TensorFlow's Python loader returns.

    An input may have any name; an argument of a tf.function may not, so train_model exports the input `order amount`
    with an argument, and placeholder, of another name.

    Args:
        folder: The SavedModel.
        signature: Key of the signature.
        arguments: The loaded function's arguments.

    Returns:
        Argument by input, as far as found.
    """
    saved = saved_model_pb2.SavedModel.FromString(read_bytes(join(folder, "saved_model.pb")))
    inputs = saved.meta_graphs[0].signature_def[signature].inputs
    found = {}
    for name, info in inputs.items():
        # TensorFlow names a placeholder after signature and argument.
        placeholder = info.name.partition(":")[0].removeprefix(f"{signature}_")
        argument = name if name in arguments else placeholder
        if argument in arguments:
            found[name] = argument
    return found
