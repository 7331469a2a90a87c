"""What an exported model keeps so that a later training can start from it.

The weights themselves are in the SavedModel's checkpoint; this says which is which.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from .layer_records import LayerRecord, describe_layers, is_functional

FORMAT = 1
# `assets.extra` is SavedModel's own place for what the model does not read itself.
RECORD_FILE = os.path.join("assets.extra", "warm_start.json")


@dataclass(frozen=True)
class WarmStartRecord:
    """How an exported model is built.

    Attributes:
        layers: Its layers by name.
        functional: Whether their connections are known.
        columns: Raw columns that its transform takes, with their kinds.
        arguments: By column the argument of the exported transform.
    """

    layers: dict[str, LayerRecord]
    functional: bool
    columns: dict[str, str]
    arguments: dict[str, str]


def write_record(
    folder: str, model: keras.Model, columns: Mapping[str, str], arguments: Mapping[str, str]
) -> None:
    """Write the record of a model into its SavedModel.

    Args:
        folder: The SavedModel.
        model: The model.
        columns: Raw columns with their kinds.
        arguments: By column the argument of the exported transform.
    """
    path = os.path.join(folder, RECORD_FILE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    content = {
        "format": FORMAT,
        "functional": is_functional(model),
        "columns": dict(columns),
        "arguments": dict(arguments),
        "layers": [layer.to_json() for layer in describe_layers(model).values()],
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False)


def read_record(folder: str) -> WarmStartRecord | None:
    """Read the record of a SavedModel.

    Returns:
        The record, or None if the model was exported without one, or with one of another format.
    """
    try:
        with open(os.path.join(folder, RECORD_FILE), encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return None
    if content.get("format") != FORMAT:
        return None
    layers = [LayerRecord.from_json(layer) for layer in content["layers"]]
    return WarmStartRecord(
        {layer.name: layer for layer in layers},
        content["functional"],
        content["columns"],
        content["arguments"],
    )


class Checkpoint:
    """The weights of an exported model."""

    def __init__(self, folder: str) -> None:
        """Open the SavedModel in a folder."""
        self._reader = tf.train.load_checkpoint(os.path.join(folder, "variables", "variables"))

    def weight(self, index: int) -> np.ndarray:
        """Read an array of weights, by its place in the model's variables."""
        return self._reader.get_tensor(f"model_variables/{index}/.ATTRIBUTES/VARIABLE_VALUE")
