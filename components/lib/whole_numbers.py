"""Whole numbers in settings that went through a pipeline's parameter."""

from collections.abc import Mapping
from typing import Any


def whole_numbers(value: Any) -> Any:
    """Convert the floats of JSON values that are whole to integers, at any depth.

    KFP hands every number inside a mapping over as a float: its parameters are protobuf's `Struct`.
    """
    if isinstance(value, Mapping):
        return {name: whole_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
