"""What TFMA's installed files say, read without importing TFMA, which takes seconds and loads TensorFlow and Beam."""

import functools
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

_MESSAGES = "tensorflow_model_analysis.proto.config_pb2"
_REGISTERED = re.compile(r"register_metric\(\s*(\w+)\s*\)")
# As Keras's generated files of public names have them: from tf_keras.src.losses import X [as Y].
_EXPORTED = re.compile(r"^from \S+ import (\w+)(?: as (\w+))?$", re.MULTILINE)


@functools.cache
def load_messages() -> ModuleType:
    """Load TFMA's configuration messages alone.

    Returns:
        `tensorflow_model_analysis.proto.config_pb2`, or a module of the same messages from the same file.
    """
    if _MESSAGES in sys.modules:
        return sys.modules[_MESSAGES]
    spec = importlib.util.spec_from_file_location(
        "tfma_config_pb2", _folder("tensorflow_model_analysis") / "proto" / "config_pb2.py"
    )
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(_MESSAGES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def metric_names() -> frozenset[str]:
    """List what a metric's `class_name` may be without a module: TFMA's metrics, Keras's metrics and losses."""
    names = set()
    for file in (_folder("tensorflow_model_analysis") / "metrics").glob("*.py"):
        if not file.name.endswith("_test.py"):
            names |= set(_REGISTERED.findall(file.read_text(encoding="utf-8")))
    # TFMA's Keras is Keras 2.
    for kind in ("metrics", "losses"):
        text = (_folder("tf_keras") / kind / "__init__.py").read_text(encoding="utf-8")
        names |= {alias or name for name, alias in _EXPORTED.findall(text)}
    return frozenset(name for name in names if name[0].isupper())


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(package)
    return Path(next(iter(found.submodule_search_locations)))
