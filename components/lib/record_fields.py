"""The fields of records that are read back from the store, whose files anybody may have changed."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def known_fields(kind: type, content: Any) -> dict[str, Any]:
    """Return what a record has of a dataclass's fields; others are of another release, and left out.

    Args:
        kind: The dataclass.
        content: What was read of JSON.

    Raises:
        ValueError: If it is no mapping, or a value is not of its field's type.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"it is {_shown(content)}, and no mapping")
    hints = _hints(kind)
    for name, hint in hints.items():
        if name in content and not _fits(content[name], hint):
            raise ValueError(f"its '{name}' is {_shown(content[name])}")
    return {name: content[name] for name in hints if name in content}


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {attribute.name: hints[attribute.name] for attribute in fields(kind)}


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value of JSON is what a type becomes in it."""
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind is Any:
        return True
    if kind in (Union, UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if kind is NoneType:
        return value is None
    if isinstance(value, bool):
        return kind is bool
    if is_dataclass(kind):
        return isinstance(value, Mapping)
    if issubclass(kind, Enum | str):
        return isinstance(value, str)
    if issubclass(kind, Mapping):
        inner = arguments[-1] if arguments else Any
        return isinstance(value, Mapping) and all(_fits(one, inner) for one in value.values())
    if issubclass(kind, Sequence):
        inner = arguments[0] if arguments else Any
        return isinstance(value, list) and all(_fits(one, inner) for one in value)
    return isinstance(value, int | float if kind is float else kind)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
