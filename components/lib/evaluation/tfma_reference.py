"""TFMA's configuration messages, metrics and their arguments, from a file: TFMA need not be loaded or installed.

Importing TFMA takes seconds and loads TensorFlow and Beam. `tools/tfma_reference.py` writes the file from the installed
TFMA (`make docs`), and a test compares the two on each dependency line.
"""

import base64
import functools
import json
import sys
from importlib.resources import files
from types import ModuleType, SimpleNamespace
from typing import Any

_MODULE = "tensorflow_model_analysis.proto.config_pb2"
_FILE = "tfma_reference.json"


@functools.cache
def load_messages() -> ModuleType | SimpleNamespace:
    """Load TFMA's configuration messages alone.

    Returns:
        `tensorflow_model_analysis.proto.config_pb2` if it is loaded, else a namespace with the same messages.
    """
    if _MODULE in sys.modules:
        return sys.modules[_MODULE]
    # wrappers_pb2 has messages that TFMA's refer to, which the pool has to know before.
    from google.protobuf import descriptor_pool, message_factory, wrappers_pb2  # noqa: F401

    pool = descriptor_pool.Default()
    file = pool.AddSerializedFile(base64.b64decode(_reference()["messages"]))
    # With Python's own implementation of protobuf, it returns nothing.
    file = file or pool.FindFileByName("tensorflow_model_analysis/proto/config.proto")
    messages = file.message_types_by_name.items()
    return SimpleNamespace(
        **{name: message_factory.GetMessageClass(message) for name, message in messages}
    )


def metric_names() -> frozenset[str]:
    """List what a metric's `class_name` may be without a module: TFMA's metrics, Keras's metrics and losses."""
    return frozenset(_reference()["metrics"])


def metric_arguments(name: str) -> frozenset[str] | None:
    """List the arguments that a metric's `config` may have.

    Args:
        name: The metric's class.

    Returns:
        Their names; None if the class hands further ones on, or if there is no such class.
    """
    arguments = _reference()["metrics"].get(name)
    return None if arguments is None else frozenset(arguments)


@functools.cache
def _reference() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((files(__package__) / _FILE).read_text(encoding="utf-8"))
    return loaded
