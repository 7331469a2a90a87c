"""Which of a champion's weights go where in a new model: by what they mean, not by their shape."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from .feature_changes import Changed, Index, Meaning
from .layer_records import INPUT, LOOKUPS, NOT_LEARNED, LayerRecord, WeightRecord
from .weight_axes import Axis, axis_of, unchanged_axis

# What hands each place of its input's last axis on, so that it keeps its meaning.
_ELEMENTWISE = frozenset(
    {"Activation", "ActivityRegularization", "AlphaDropout", "Dropout", "ELU", "Flatten", "GaussianDropout",
     "GaussianNoise", "Identity", "LeakyReLU", "Normalization", "PReLU", "ReLU", "Rescaling", "Reshape", "Squeeze",
     "Cast", "ExpandDims", "BatchNormalization", "LayerNormalization"}
)  # fmt: skip
# Those of them with one weight for each place.
_NORMALISING = frozenset({"BatchNormalization", "LayerNormalization"})
_ONE_HOT = frozenset({"CategoryEncoding", "OneHot"})


@dataclass
class Plan:
    """What is carried over.

    Attributes:
        values: By place in the new model's variables: the champion's weights where it has them, the new model's own
            elsewhere.
        carried: How many weights are the champion's.
        total: How many weights are learned.
        new_words: Words without a weight of the champion.
        reinitialized: Layers that keep their own initial weights, each with the reason.
    """

    values: dict[int, np.ndarray] = field(default_factory=dict)
    carried: int = 0
    total: int = 0
    new_words: set[str] = field(default_factory=set)
    reinitialized: dict[str, str] = field(default_factory=dict)


def plan_weights(
    new: Mapping[str, LayerRecord],
    old: Mapping[str, LayerRecord],
    features: Mapping[str, Meaning],
    fresh: Callable[[int], np.ndarray],
    trained: Callable[[int], np.ndarray],
    functional: bool,
) -> Plan:
    """Plan a warm start.

    Args:
        new: The new model's layers.
        old: The champion's.
        features: How the meaning of each transformed feature changed.
        fresh: Gives the new model's weights, by place in its variables.
        trained: Gives the champion's weights, by place in its variables.
        functional: Whether both models' connections are known. If not, every layer may see every feature.

    Returns:
        The plan.
    """
    return _Planner(new, old, features, fresh, trained, functional).plan()


class _Planner:
    def __init__(
        self,
        new: Mapping[str, LayerRecord],
        old: Mapping[str, LayerRecord],
        features: Mapping[str, Meaning],
        fresh: Callable[[int], np.ndarray],
        trained: Callable[[int], np.ndarray],
        functional: bool,
    ) -> None:
        self._new, self._old, self._features = new, old, features
        self._fresh, self._trained = fresh, trained
        self._functional = functional
        self._plan = Plan()
        # What a layer's output means to the champion's layers; None for nothing.
        self._outputs: dict[str, Index | Axis | None] = {}
        # Why a layer's output means nothing to them.
        self._reasons: dict[str, str] = {}

    def plan(self) -> Plan:
        changed = _changed(self._features)
        for name, layer in self._new.items():
            if layer.kind not in NOT_LEARNED:
                self._plan.total += sum(_size(weight) for weight in layer.weights)
            if name.startswith(INPUT):
                self._input(layer)
            elif not self._functional and changed:
                self._reinitialize(layer, changed)
            else:
                self._layer(layer)
        return self._plan

    def _input(self, layer: LayerRecord) -> None:
        feature = layer.name.removeprefix(INPUT)
        meaning = self._features.get(feature)
        if isinstance(meaning, Index):
            self._outputs[layer.name] = meaning
        elif meaning is None or isinstance(meaning, Changed):
            reason = meaning.reason if meaning else "is new"
            self._outputs[layer.name] = None
            self._reasons[layer.name] = f"'{feature}' {reason}"
        else:
            self._outputs[layer.name] = unchanged_axis(layer.width)

    def _layer(self, layer: LayerRecord) -> None:
        before = self._old.get(layer.name)
        if before is None or before.kind != layer.kind or before.inputs != layer.inputs:
            self._reinitialize(layer, "the champion has no such layer there")
            return
        if not self._functional:
            self._other(layer, before)
        elif layer.kind in LOOKUPS:
            self._outputs[layer.name] = self._lookup(layer, before)
        elif layer.kind == "Embedding":
            self._embedding(layer, before)
        elif layer.kind in _ONE_HOT:
            self._outputs[layer.name] = self._one_hot(layer, before)
        elif layer.kind == "Concatenate":
            self._outputs[layer.name] = self._concatenated(layer)
        elif layer.kind == "Dense":
            self._rows_of_first(layer, before, self._axis_into(layer))
        elif layer.kind in _ELEMENTWISE:
            self._elementwise(layer, before)
        else:
            self._other(layer, before)

    def _lookup(self, layer: LayerRecord, before: LayerRecord) -> Index | Axis | None:
        source = self._source(layer)
        if not self._is_same(source) or layer.tokens is None or before.tokens is None:
            self._reasons[layer.name] = self._reason(layer)
            return None
        places = {token: place for place, token in enumerate(before.tokens)}
        moved = {
            value: places[token] for value, token in enumerate(layer.tokens) if token in places
        }
        index = Index(None if layer.tokens == before.tokens else moved, layer.tokens)
        if layer.width is None or layer.width != len(layer.tokens) or before.width is None:
            return index
        return Axis(self._placed(index, layer.width, before.width), before.width)

    def _embedding(self, layer: LayerRecord, before: LayerRecord) -> None:
        source = self._source(layer)
        index = source if isinstance(source, Index) else None
        if index is None or not layer.weights or not before.weights:
            self._reinitialize(layer, self._reason(layer))
            return
        rows, old_rows = layer.weights[0].shape[0], before.weights[0].shape[0]
        self._rows_of_first(layer, before, Axis(self._placed(index, rows, old_rows), old_rows))

    def _one_hot(self, layer: LayerRecord, before: LayerRecord) -> Axis | None:
        source = self._source(layer)
        if not isinstance(source, Index) or layer.width is None or before.width is None:
            self._reasons[layer.name] = self._reason(layer)
            return None
        return Axis(self._placed(source, layer.width, before.width), before.width)

    def _concatenated(self, layer: LayerRecord) -> Axis | None:
        places: list[np.ndarray] = []
        old_start = 0
        for name in layer.inputs:
            width, old_width = self._new[name].width, self._old[name].width
            if width is None or old_width is None:
                self._reasons[layer.name] = self._reason(layer)
                return None
            axis = axis_of(self._outputs.get(name), width) or Axis(np.full(width, -1), old_width)
            places.append(np.where(axis.places >= 0, axis.places + old_start, -1))
            old_start += old_width
            if (axis.places < 0).any() and name in self._reasons:
                self._reasons[layer.name] = self._reasons[name]
        if sum(map(len, places)) != layer.width:
            # Along another axis than the last.
            return unchanged_axis(layer.width) if self._all_same(layer) else None
        return Axis(np.concatenate(places), old_start)

    def _elementwise(self, layer: LayerRecord, before: LayerRecord) -> None:
        axis = self._axis_into(layer)
        source = self._source(layer)
        if layer.weights and layer.kind in _NORMALISING and axis is not None:
            self._rows_of_first(layer, before, axis, every=True)
        elif layer.weights and layer.kind not in NOT_LEARNED:
            self._other(layer, before)
        if isinstance(source, Index):
            self._outputs[layer.name] = source
        elif axis is not None and layer.width == len(axis.places):
            self._outputs[layer.name] = axis
        else:
            # Several axes made one.
            self._outputs[layer.name] = (
                unchanged_axis(layer.width) if self._all_same(layer) else None
            )
        self._reasons[layer.name] = self._reason(layer)

    def _other(self, layer: LayerRecord, before: LayerRecord) -> None:
        """Carry a layer over as a whole, if nothing that it takes has changed."""
        if self._functional and not self._all_same(layer):
            if layer.weights:
                self._reinitialize(layer, self._reason(layer))
            else:
                self._outputs[layer.name] = None
                self._reasons[layer.name] = self._reason(layer)
            return
        self._outputs[layer.name] = unchanged_axis(layer.width)
        if layer.kind in NOT_LEARNED:
            return
        if _shapes(layer) != _shapes(before):
            self._reinitialize(layer, "its shape is another")
            return
        for weight, old in zip(layer.weights, before.weights, strict=True):
            self._carry(weight, self._trained(old.index), _size(weight))

    def _rows_of_first(
        self, layer: LayerRecord, before: LayerRecord, axis: Axis | None, every: bool = False
    ) -> None:
        """Carry weights over whose first axis moves: of the first array (a kernel), or of every one."""
        self._outputs[layer.name] = unchanged_axis(layer.width)
        fits = axis is not None and len(layer.weights) == len(before.weights)
        for number, (weight, old) in enumerate(zip(layer.weights, before.weights, strict=False)):
            moves = every or number == 0
            fits = fits and (
                weight.shape[1:] == old.shape[1:]
                and axis is not None
                and (weight.shape[0], old.shape[0]) == (len(axis.places), axis.old_width)
                if moves
                else weight.shape == old.shape
            )
        if not fits or axis is None:
            reason = self._reason(layer) if axis is None else "its shape is another"
            self._reinitialize(layer, reason)
            return
        kept = axis.places >= 0
        if not kept.any():
            self._reinitialize(layer, self._reason(layer))
            return
        for number, (weight, old) in enumerate(zip(layer.weights, before.weights, strict=True)):
            if not (every or number == 0):
                self._carry(weight, self._trained(old.index), _size(weight))
                continue
            values = np.array(self._fresh(weight.index))
            values[kept] = self._trained(old.index)[axis.places[kept]]
            self._carry(weight, values, int(kept.sum()) * (_size(weight) // len(kept)))

    def _carry(self, weight: WeightRecord, values: np.ndarray, count: int) -> None:
        self._plan.values[weight.index] = values
        self._plan.carried += count

    def _reinitialize(self, layer: LayerRecord, reason: str) -> None:
        self._outputs[layer.name] = unchanged_axis(layer.width)
        if layer.weights and layer.kind not in NOT_LEARNED:
            self._plan.reinitialized[layer.name] = reason

    def _source(self, layer: LayerRecord) -> Index | Axis | None:
        """Return what the layer's input means; a layer that is used on several inputs must take all of them alike."""
        sources = [self._outputs.get(name) for name in layer.inputs]
        if len(sources) == 1:
            return sources[0]
        first = sources[0] if sources else None
        alike = isinstance(first, Index) and all(source == first for source in sources)
        return first if alike or all(map(self._is_same, sources)) else None

    def _axis_into(self, layer: LayerRecord) -> Axis | None:
        width = self._new[layer.inputs[0]].width if layer.inputs else None
        return axis_of(self._source(layer), width)

    def _placed(self, index: Index, size: int, old_size: int) -> np.ndarray:
        places = index.places(size, old_size)
        self._plan.new_words.update(
            word for word, place in zip(index.words, places, strict=False) if place < 0
        )
        return places

    def _all_same(self, layer: LayerRecord) -> bool:
        return all(self._is_same(self._outputs.get(name)) for name in layer.inputs)

    @staticmethod
    def _is_same(output: Index | Axis | None) -> bool:
        return output is not None and (
            output.moved is None if isinstance(output, Index) else output.same
        )

    def _reason(self, layer: LayerRecord) -> str:
        found = [self._reasons[name] for name in layer.inputs if name in self._reasons]
        return next(filter(None, found), "what it takes has changed")


def _changed(features: Mapping[str, Meaning]) -> str:
    for name, meaning in features.items():
        if isinstance(meaning, Changed):
            return f"'{name}' {meaning.reason}"
        if isinstance(meaning, Index) and meaning.moved is not None:
            return f"the values of '{name}' have other places, and the model is not functional"
    return ""


def _shapes(layer: LayerRecord) -> list[tuple[int, ...]]:
    return [weight.shape for weight in layer.weights]


def _size(weight: WeightRecord) -> int:
    return int(np.prod(weight.shape))
