"""What an exported model keeps about its layers, so that a later training can start from their weights."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import keras

INPUT = "input:"
"""Before a feature's name: the name of its input layer."""
# Their weights are measured (`adapt`) or listed, not learned.
NOT_LEARNED = frozenset({"Normalization", "Discretization"})
LOOKUPS = frozenset({"StringLookup", "IntegerLookup", "TextVectorization"})


@dataclass(frozen=True)
class WeightRecord:
    """One array of weights.

    Attributes:
        name: Such as `kernel`.
        shape: Its shape.
        index: Its place in `model.variables`, which is its place in the SavedModel's checkpoint.
    """

    name: str
    shape: tuple[int, ...]
    index: int


@dataclass(frozen=True)
class LayerRecord:
    """One layer, or one operation of a functional model.

    Attributes:
        name: The user's name for it, else its class and a number that counts the unnamed ones of that class in this
            model: Keras's own numbers count all models of a process.
        kind: Its class.
        inputs: Names of the layers whose outputs it takes, in order; empty if the model is not functional.
        width: Length of its output's last axis, or None.
        weights: Its weights, in Keras's order.
        tokens: What its indices stand for, for a lookup layer; else None.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    width: int | None
    weights: tuple[WeightRecord, ...]
    tokens: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "LayerRecord":
        """Read what `to_json` gave."""
        tokens = record["tokens"]
        return cls(
            name=record["name"],
            kind=record["kind"],
            inputs=tuple(record["inputs"]),
            width=record["width"],
            weights=tuple(
                WeightRecord(weight["name"], tuple(weight["shape"]), weight["index"])
                for weight in record["weights"]
            ),
            tokens=None if tokens is None else tuple(tokens),
        )


def is_functional(model: keras.Model) -> bool:
    """Report whether Keras knows how the model's layers are connected."""
    return bool(getattr(model, "operations", None)) and bool(getattr(model, "outputs", None))


def describe_layers(model: keras.Model) -> dict[str, LayerRecord]:
    """Describe a model's layers.

    Args:
        model: A built model.

    Returns:
        Records by name; inputs come before the layers that take them, if the model is functional.
    """
    places = {id(variable): place for place, variable in enumerate(model.variables)}
    functional = is_functional(model)
    operations = list(model.operations if functional else model.layers)
    names = dict(zip(map(id, operations), _names(model, operations), strict=True))
    records = {}
    for operation in operations:
        inputs = (
            [names.get(id(producer), "") for producer in _producers(operation, names)]
            if functional
            else []
        )
        records[names[id(operation)]] = LayerRecord(
            name=names[id(operation)],
            kind=type(operation).__name__,
            inputs=tuple(inputs),
            width=_width(operation) if functional else None,
            weights=tuple(
                WeightRecord(weight.name, tuple(weight.shape), places[id(weight)])
                for weight in getattr(operation, "weights", [])
                if id(weight) in places
            ),
            tokens=_tokens(operation),
        )
    return records


def _names(model: keras.Model, operations: list[Any]) -> Iterator[str]:
    counts: dict[str, int] = {}
    features = _features(model) if is_functional(model) else {}
    for operation in operations:
        if id(operation) in features:
            yield f"{INPUT}{features[id(operation)]}"
            continue
        kind = type(operation).__name__
        if re.fullmatch(rf"{_snake_case(kind)}(_\d+)?", operation.name):
            counts[kind] = counts.get(kind, 0) + 1
            yield f"{kind}#{counts[kind]}"
        else:
            yield operation.name


def _features(model: keras.Model) -> dict[int, str]:
    """Name the feature of each input layer, by the layer's id."""
    inputs = (
        model.input if isinstance(model.input, dict) else {one.name: one for one in model.inputs}
    )
    return {id(tensor._keras_history.operation): name for name, tensor in inputs.items()}


def _producers(operation: Any, names: dict[int, str]) -> Iterator[Any]:
    for node in operation._inbound_nodes:
        tensors = node.input_tensors
        # A layer may have been called outside of this model too.
        if all(id(tensor._keras_history.operation) in names for tensor in tensors):
            yield from (tensor._keras_history.operation for tensor in tensors)


def _width(operation: Any) -> int | None:
    if not operation._inbound_nodes:
        return None
    shape = operation._inbound_nodes[0].output_tensors[0].shape
    return shape[-1] if shape else None


def _tokens(operation: Any) -> tuple[str, ...] | None:
    if type(operation).__name__ not in LOOKUPS:
        return None
    return tuple(str(token) for token in operation.get_vocabulary())


def _snake_case(name: str) -> str:
    # As Keras makes a layer's name of its class.
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
