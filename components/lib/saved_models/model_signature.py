"""What a SavedModel takes and returns, read from its file without TensorFlow.

TensorFlow takes seconds and hundreds of megabytes to import, which a task that reads logs alone can do without. So the
few messages that lead to a signature are declared here, with the numbers of their fields as TensorFlow has them
(tensorflow/core/protobuf/saved_model.proto, meta_graph.proto, framework/tensor_shape.proto, framework/types.proto).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from ..errors import RetrainerError
from ..uris import join, read_bytes

SIGNATURE = "serving_default"
"""Key of the signature that servers call."""
OUTPUT = "predictions"
"""Name of the output that counts, of a model with several."""
_FILE = "saved_model.pb"
_PACKAGE = "retrainer.saved_model"
_Field = descriptor_pb2.FieldDescriptorProto
# Of each message its fields: name, number, and type: a message's name, or a type of protocol buffers.
_MESSAGES: dict[str, list[tuple[str, int, str | int, bool]]] = {
    "SavedModel": [("meta_graphs", 2, "MetaGraph", True)],
    "MetaGraph": [("signature_def", 5, "SignatureEntry", True)],
    "SignatureEntry": [("key", 1, _Field.TYPE_STRING, False), ("value", 2, "Signature", False)],
    "Signature": [("inputs", 1, "TensorEntry", True), ("outputs", 2, "TensorEntry", True)],
    "TensorEntry": [("key", 1, _Field.TYPE_STRING, False), ("value", 2, "Tensor", False)],
    "Tensor": [("dtype", 2, _Field.TYPE_INT32, False), ("tensor_shape", 3, "Shape", False)],
    "Shape": [("dim", 2, "Dimension", True)],
    "Dimension": [("size", 1, _Field.TYPE_INT64, False)],
}
_DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 9: "int64", 10: "bool",
    14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip


@dataclass(frozen=True)
class ModelSignature:
    """What a model takes and returns.

    Attributes:
        inputs: The type of each column that it takes, such as `int64`, `float32` or `string`, sorted by name.
        outputs: How many numbers it returns for a row, by the output's name; 1 where the signature does not say.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, int]


def read_signature(folder: str, signature: str = SIGNATURE) -> ModelSignature:
    """Read a signature.

    Args:
        folder: The SavedModel.
        signature: Its key.

    Raises:
        RetrainerError: If there is no SavedModel, or it has no such signature.
    """
    try:
        saved = _message().FromString(read_bytes(join(folder, _FILE)))
    except (FileNotFoundError, DecodeError) as error:
        raise RetrainerError(
            f"there is no SavedModel at '{folder}' whose signature can be read ({error}). Restore it from a copy, or "
            "promote another version ('retrainer models promote')."
        ) from error
    known = {one.key: one.value for graph in saved.meta_graphs[:1] for one in graph.signature_def}
    if signature not in known:
        raise RetrainerError(
            f"the model at '{folder}' has no signature '{signature}', only {sorted(known) or 'none'}. Export it with "
            "one that takes named columns."
        )
    found = known[signature]
    inputs = {one.key: _DTYPES.get(one.value.dtype, "") for one in found.inputs}
    return ModelSignature(
        dict(sorted(inputs.items())),
        {
            # Of unknown size is what depends on the rows.
            output.key: math.prod(max(1, size.size) for size in output.value.tensor_shape.dim[1:])
            for output in found.outputs
        },
    )


@cache
def _message() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="retrainer/saved_model.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            one = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                one.type, one.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                one.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.SavedModel"))
