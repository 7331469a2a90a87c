"""What TFMA's installed files say, read without importing TFMA, which takes seconds and loads TensorFlow and Beam."""

import ast
import functools
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

_MESSAGES = "tensorflow_model_analysis.proto.config_pb2"
_REGISTERED = re.compile(r"register_metric\(\s*(\w+)\s*\)")
# As Keras's generated files of public names have them: from tf_keras.src.losses import X [as Y].
_EXPORTED = re.compile(r"^from (\S+) import (\w+)(?: as (\w+))?$", re.MULTILINE)


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


def metric_names() -> frozenset[str]:
    """List what a metric's `class_name` may be without a module: TFMA's metrics, Keras's metrics and losses."""
    return frozenset(_classes())


@functools.cache
def metric_arguments(name: str) -> frozenset[str] | None:
    """List the arguments that a metric's `config` may have.

    Args:
        name: The metric's class.

    Returns:
        Their names; None if the class hands further ones on, or if there is no such class.
    """
    file, name = _classes().get(name, (None, name))
    if file is None or not file.is_file():
        return None
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            for its in node.body:
                if isinstance(its, ast.FunctionDef) and its.name == "__init__":
                    arguments = its.args
                    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs][1:]
                    return None if arguments.kwarg else frozenset(one.arg for one in named)
    return None


@functools.cache
def _classes() -> dict[str, tuple[Path, str]]:
    """Give the file that has a metric's class, and the class's name there, by the metric's name."""
    classes = {}
    for file in (_folder("tensorflow_model_analysis") / "metrics").glob("*.py"):
        if not file.name.endswith("_test.py"):
            for name in _REGISTERED.findall(file.read_text(encoding="utf-8")):
                classes[name] = (file, name)
    # TFMA's Keras is Keras 2.
    for kind in ("metrics", "losses"):
        keras = _folder("tf_keras")
        text = (keras / kind / "__init__.py").read_text(encoding="utf-8")
        for module, name, alias in _EXPORTED.findall(text):
            place = keras.parent.joinpath(*module.split("."))
            classes.setdefault(alias or name, (place.with_suffix(".py"), name))
    return {name: place for name, place in classes.items() if name[0].isupper()}


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(package)
    return Path(next(iter(found.submodule_search_locations)))
