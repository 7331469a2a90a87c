"""Signatures of SavedModels: which argument of the loaded function an input of a signature is."""

from collections.abc import Collection

from tensorflow.core.protobuf import saved_model_pb2

from ..uris import join, read_bytes


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
