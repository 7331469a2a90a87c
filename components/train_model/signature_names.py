"""Column names in a SavedModel's signature: any text, though TensorFlow's own export takes few of them."""

import keyword
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tensorflow.core.protobuf import saved_model_pb2

# What tf.function keeps as it is. Other names it changes (`a.b` becomes `a_b`) or refuses.
_KEPT = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_REFUSED = {"self", *keyword.kwlist}


def argument_names(columns: Iterable[str]) -> dict[str, str]:
    """Choose a name for each column that a tf.function takes as an argument.

    Args:
        columns: Column names: any text, no two equal.

    Returns:
        By column its argument: the column's own name where TensorFlow keeps that, else one such as `column_3`. No
        two arguments differ in case alone, which TensorFlow's graphs do not distinguish.
    """
    names = list(columns)
    folded = [name.casefold() for name in names]
    taken = set(folded)
    arguments = {}
    number = 0
    for name, lower in zip(names, folded, strict=True):
        if _KEPT.fullmatch(name) and name not in _REFUSED and folded.count(lower) == 1:
            arguments[name] = name
            continue
        while f"column_{number}" in taken:
            number += 1
        arguments[name] = f"column_{number}"
        taken.add(f"column_{number}")
    return arguments


def name_inputs(folder: str, signature: str, arguments: Mapping[str, str]) -> None:
    """Name a signature's inputs after their columns, whatever their arguments are called.

    The keys of a SignatureDef's inputs are what a server's clients name, and may be any text.

    Args:
        folder: The SavedModel, which is changed.
        signature: Key of the signature.
        arguments: By column its argument, from `argument_names`.
    """
    if all(column == argument for column, argument in arguments.items()):
        return
    file = Path(folder) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in saved.meta_graphs:
        inputs = graph.signature_def[signature].inputs
        found = {column: inputs[argument] for column, argument in arguments.items()}
        copies = {
            column: type(info).FromString(info.SerializeToString())
            for column, info in found.items()
        }
        inputs.clear()
        for column, info in copies.items():
            inputs[column].CopyFrom(info)
    file.write_bytes(saved.SerializeToString(deterministic=True))
    # It is of the file as it was; a SavedModel needs none.
    (Path(folder) / "fingerprint.pb").unlink(missing_ok=True)
