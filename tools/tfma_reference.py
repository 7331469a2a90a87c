"""Write what `retrainer config check` knows of TFMA, from the installed TFMA (part of `make docs`)."""

import base64
import inspect
import json
from pathlib import Path
from typing import Any

import tensorflow_model_analysis  # noqa: F401 - registers its metrics
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils.keras_lib import tf_keras

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "components/lib/evaluation/tfma_reference.json"


def reference() -> str:
    """Format TFMA's messages and metrics as the file has them.

    Returns:
        JSON: `messages`, the serialized descriptor of config.proto in base64, and `metrics`, the arguments of each
        metric by its class, null where it hands further ones on.
    """
    classes = dict(metric_types.registered_metrics())
    # TFMA's Keras is Keras 2.
    for kind in (tf_keras.metrics, tf_keras.losses):
        for name in dir(kind):
            if name[0].isupper():
                classes.setdefault(name, getattr(kind, name))
    messages = base64.b64encode(config_pb2.DESCRIPTOR.serialized_pb).decode()
    # A metric a line, so that a difference shows what another version of TFMA changed.
    metrics = [f'  "{name}": {json.dumps(_arguments(classes[name]))}' for name in sorted(classes)]
    lines = ",\n".join(metrics)
    return f'{{"messages": "{messages}",\n "metrics": {{\n{lines}\n }}}}\n'


def _arguments(cls: Any) -> list[str] | None:
    if "__init__" not in vars(cls):
        return None
    parameters = list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return None
    return sorted(one.name for one in parameters)


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
