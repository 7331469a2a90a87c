"""Beam's pipeline options as a mapping of names and values, and as the arguments that Beam takes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..words import did_you_mean, one_of
from .reference import (
    ANYTHING,
    FLAG,
    LIST,
    MAPPING,
    NEGATIVE_FLAG,
    NUMBER,
    TEXT,
    WHOLE,
    Kind,
    option_kinds,
)

RUNNER = "runner"
JSON_TEXT = ("environment_config",)
"""Options that are text to Beam, which reads the JSON in it."""
_NUMBERS = int | float


@dataclass(frozen=True)
class OptionProblem:
    """One thing that is wrong with the options.

    Attributes:
        name: The option, such as `num_workers`; empty if the problem is of no single one that is given.
        text: What is wrong and how to fix it, as a sentence that follows the option's name.
    """

    name: str
    text: str


class ArgumentError(ValueError):
    """An argument that is no option.

    Attributes:
        index: Its position.
    """

    def __init__(self, index: int, message: str):
        super().__init__(message)
        self.index = index


def read_arguments(arguments: Sequence[str], beam: str = "") -> dict[str, Any]:
    """Read arguments as Beam does, but without leaving any out.

    Args:
        arguments: Such as `--num_workers=3`, or `--num_workers` and `3`.
        beam: Version of Beam, as `option_kinds` takes it.

    Returns:
        The options by name, values as their kinds have them. Of an option that is no list and stands there twice, the
        last value counts.

    Raises:
        ArgumentError: If an item is neither an option nor the value of one.
    """
    kinds = option_kinds(beam)
    options: dict[str, Any] = {}
    index = 0
    while index < len(arguments):
        item = str(arguments[index])
        if not item.startswith("--") or item == "--":
            raise ArgumentError(index, f"'{item}' is no option of Beam's, which begin with --")
        name, equals, text = item.removeprefix("--").partition("=")
        index += 1
        kind = kinds.get(name, ANYTHING)
        if kind in (FLAG, NEGATIVE_FLAG) and not equals:
            options[name] = True
            continue
        if not equals:
            if index == len(arguments) or str(arguments[index]).startswith("--"):
                # Of an unknown option this is all that can be said; a known one lacks its value.
                options[name] = True
                continue
            text, index = str(arguments[index]), index + 1
        value = _read(text, kind)
        if kind == LIST:
            options.setdefault(name, []).append(value)
        elif kind == MAPPING and isinstance(value, dict):
            options[name] = {**options.get(name, {}), **value}
        else:
            options[name] = value
    return options


def write_arguments(options: Mapping[str, Any]) -> list[str]:
    """Write options as the arguments that Beam takes.

    Args:
        options: Options by name, without problems; one that is null is left out.

    Returns:
        Such as `--num_workers=3`. A flag that is false becomes Beam's flag against it, if there is one.
    """
    kinds = option_kinds()
    arguments: list[str] = []
    for name, value in options.items():
        kind = kinds.get(name, ANYTHING)
        if kind in (FLAG, NEGATIVE_FLAG):
            if _truth(value):
                arguments.append(f"--{name}")
            elif f"no_{name}" in kinds:
                arguments.append(f"--no_{name}")
        elif kind == LIST:
            items = (
                [f"{key}={one}" for key, one in value.items()]
                if isinstance(value, dict)
                else (value if isinstance(value, list) else [value])
            )
            arguments += [f"--{name}={item}" for item in items]
        elif value is not None:
            arguments.append(f"--{name}={_written(value)}")
    return arguments


def option_problems(options: Mapping[str, Any], beam: str = "") -> Iterator[OptionProblem]:
    """Find options that Beam does not have, and values that are not of the option's kind.

    Args:
        options: Options by name.
        beam: Version of Beam, as `option_kinds` takes it.

    Yields:
        A problem for each; of an unknown option with the nearest one.
    """
    kinds = option_kinds(beam)
    for name, value in options.items():
        bare = name.lstrip("-").replace("-", "_")
        if name not in kinds:
            near = f" Did you mean '{bare}'?" if bare in kinds else did_you_mean(bare, kinds)
            yield OptionProblem(name, f"is no option of Beam's.{near}")
        elif value is not None and (wanted := _misfit(value, kinds[name])):
            if name in JSON_TEXT and isinstance(value, dict):
                continue
            shown = f" and is {value!r}" if _is_plain(value) else ""
            yield OptionProblem(name, f"must be {wanted}{shown}.")


def _misfit(value: Any, kind: Kind) -> str:
    """Describe what a value should be; empty if it is."""
    if isinstance(kind, tuple):
        return "" if not isinstance(value, bool) and str(value) in kind else one_of(list(kind))
    if kind == WHOLE:
        return "" if _is_whole(value) else "a whole number"
    if kind == NUMBER:
        return "" if _is_number(value) else "a number"
    if kind in (FLAG, NEGATIVE_FLAG):
        return "" if _truth(value) is not None else "true or false"
    if kind == MAPPING:
        return "" if isinstance(value, dict) else "a mapping, such as {name: value}"
    if kind == LIST:
        items = (
            value
            if isinstance(value, list)
            else list(value.values())
            if isinstance(value, dict)
            else [value]
        )
        return "" if all(_is_plain(item) for item in items) else "a list of texts"
    if kind == TEXT:
        return "" if _is_plain(value) else "a text"
    return ""


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | _NUMBERS) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lstrip("-").isdigit()
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def _truth(value: Any) -> bool | None:
    """Read a flag's value; None if it is none."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _read(text: str, kind: Kind) -> Any:
    if kind == WHOLE and _is_whole(text):
        return int(text)
    if kind == MAPPING:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
