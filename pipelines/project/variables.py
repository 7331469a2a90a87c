"""Environment variables in the values of retrain.yaml: `${VARIABLE}` and `${VARIABLE:-default}`."""

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

import yaml

from .sections.section import is_section, without_null
from .yaml_places import YamlPlaces, dotted

OVERRIDES: Mapping[tuple[str, ...], str] = {
    ("store",): "RETRAINER_STORE",
    ("image",): "RETRAINER_IMAGE",
}
"""Variables that are put over a setting, whatever the file says of it."""
# Upper case alone: `${span:%Y%m%d}` is a partition of BigQuery, in a pattern.
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_SPAN = re.compile(r"span(:.*)?")

Change = Callable[[Any, Any, tuple[str | int, ...]], Any]


class VariableError(ValueError):
    """A text names a variable that is not set, or something else than a variable."""


def fill_in(text: str, environment: Mapping[str, str]) -> str:
    """Put environment variables in their places.

    Args:
        text: May hold `${VARIABLE}`, `${VARIABLE:-default}` (the default is for a variable that is not set or empty,
            and may hold variables itself), and `$${` for `${`. `${span}` and `${span:...}` are left as they are.
        environment: Variables by name.

    Returns:
        The text with their values.

    Raises:
        VariableError: If a variable is not set and has no default, or its name is not in upper case.
    """
    filled, rest = "", text
    while (at := rest.find("${")) >= 0:
        if at and rest[at - 1] == "$":
            filled, rest = f"{filled}{rest[: at - 1]}${{", rest[at + 2 :]
            continue
        end = _closing(rest, at + 2)
        inner = rest[at + 2 : end]
        filled += rest[:at] + _value(inner, environment)
        rest = rest[end + 1 :]
    return filled + rest


def _closing(text: str, start: int) -> int:
    """Find the brace that closes what is open at `start`."""
    depth = 1
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return at
    raise VariableError(f"'{text[start - 2 :]}' has no closing brace. Write $${{ for a plain ${{")


def _value(inner: str, environment: Mapping[str, str]) -> str:
    if _SPAN.fullmatch(inner):
        return f"${{{inner}}}"
    name, default_mark, default = inner.partition(":-")
    if not _NAME.fullmatch(name):
        raise VariableError(
            f"'${{{inner}}}' is not a variable: write ${{VARIABLE}} or ${{VARIABLE:-default}} with the name in upper "
            "case, or $${ for a plain ${"
        )
    value = environment.get(name)
    if default_mark:
        return value or fill_in(default, environment)
    if value is None:
        raise VariableError(
            f"the environment variable {name} is not set. Set it, or write ${{{name}:-default}}"
        )
    return value


def resolve_values(
    content: dict[str, Any], model: Any, places: YamlPlaces, environment: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Fill variables in, and take plain numbers as text where a text is due.

    `cpu: 4` and `"4"` mean the same there. What YAML would change (`007`, `1.10`, `yes`) is left for the section's own
    check, which says to put it in quotes. Where a setting takes a value of any kind, such as in hyperparameters, what
    stands without quotes is read as YAML reads the variable's value.

    Args:
        content: What was read.
        model: The section that it is.
        places: Its text.
        environment: Variables by name.

    Returns:
        The content, and what is wrong, a line each.
    """
    problems: list[str] = []

    def change(value: Any, kind: Any, location: tuple[str | int, ...]) -> Any:
        if isinstance(value, str) and "${" in value:
            try:
                filled = fill_in(value, environment)
            except VariableError as error:
                problems.append(f"{places.locate(location)}: '{dotted(location)}': {error}.")
                return value
            if kind is not Any or filled == value or places.is_quoted(location):
                return filled
            try:
                return yaml.safe_load(filled)
            except yaml.YAMLError:
                # Its value is not shown: it may be a secret.
                problems.append(
                    f"{places.locate(location)}: '{dotted(location)}' is not YAML with its variables filled in. Put "
                    "it in quotes to have text."
                )
                return value
        if isinstance(value, bool) and kind in (int, float):
            problems.append(
                f"{places.locate(location)}: '{dotted(location)}' is {places.written(location) or value}, which YAML "
                f"reads as {str(value).lower()}. Give a number."
            )
            return value
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if kind is str and plain and places.written(location) == str(value):
            return str(value)
        return value

    return _walk(content, model, change, ()), problems


def _walk(content: Any, kind: Any, change: Change, location: tuple[str | int, ...]) -> Any:
    """Change the single values of a content, each with the type that its setting has."""
    kind = without_null(kind)
    arguments = get_args(kind) if get_origin(kind) in (dict, list) else (Any,)
    if isinstance(content, dict):
        fields = kind.model_fields if is_section(kind) else {}
        return {
            key: _walk(
                value,
                fields[key].annotation if key in fields else arguments[-1],
                change,
                (*location, key),
            )
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [
            _walk(value, arguments[-1], change, (*location, index))
            for index, value in enumerate(content)
        ]
    return change(content, kind, location)
