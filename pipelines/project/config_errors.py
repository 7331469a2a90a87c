"""What is wrong with a retrain.yaml's keys and types, as sentences that name the line and the fix."""

import datetime
import math
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from ...components.lib.words import did_you_mean
from .sections.section import is_section, without_null
from .sections.targets import section_type
from .yaml_places import YamlPlaces, dotted

# Beyond it a double, which protobuf makes of each number, skips whole numbers.
_LARGEST_EXACT = 2**53
_SHOWN = 100
_NOT_TEXT = bool | int | float | datetime.date


def describe(problem: Any, places: YamlPlaces, model: type[BaseModel]) -> str:
    """Put one of pydantic's errors into a sentence.

    Args:
        problem: An entry of `ValidationError.errors()`.
        places: The text that was validated.
        model: What it was validated as.

    Returns:
        One line: the place, the key, its value, and the fix.
    """
    # "[key]" follows a key of a mapping that is wrong itself.
    location = [part for part in problem["loc"] if part not in ("function-after", "[key]")]
    name = dotted(location)
    place = places.locate(location)
    kind, value = problem["type"], problem.get("input")
    if kind == "extra_forbidden":
        known = list(_section_at(model, location[:-1]).model_fields)
        hint = did_you_mean(location[-1], known, "Known here", cutoff=0.5)
        return f"{place}: unknown key '{name}'.{hint}"
    if kind == "missing":
        return f"{place}: '{name}' is missing. {_help(model, location)}".rstrip()
    message = problem["msg"].removeprefix("Value error, ").removesuffix(".")
    end = "" if message.endswith("?") else "."
    if kind == "string_pattern_mismatch" and name == "name":
        message = "must be lower case letters, digits and dashes, starting with a letter, at most 128 characters"
    if not name:
        return f"{place}: {message}{end}"
    if kind == "string_type" and isinstance(value, _NOT_TEXT):
        written = places.written(location) or str(value)
        return (
            f"{place}: '{name}' is {written}, which YAML reads as {_kind_of(value)}. Put it in quotes to have text: "
            f'"{written}".'
        )
    if kind == "string_pattern_mismatch" and name != "name" and (about := _help(model, location)):
        # An abbreviation keeps its capitals.
        about = about if about[1:2].isupper() else f"{about[0].lower()}{about[1:]}"
        rule = problem.get("ctx", {}).get("pattern", "")
        shown = _shorten(repr(value))
        return f"{place}: '{name}' is {shown}, which does not match '{rule}'. It is: {about}"
    if shape := _shape(problem, model, location):
        return f"{place}: '{name}' must be {shape}."
    shown = "" if isinstance(value, dict | list) else f" is {_shorten(repr(value))}"
    return f"{place}: '{name}'{shown}: {message[0].lower()}{message[1:]}{end}"


def _shape(problem: Any, model: type[BaseModel], location: list[Any]) -> str:
    """Describe the shape that a value must have; empty if its shape is right."""
    kind, value = problem["type"], problem.get("input")
    if kind == "list_type":
        one = _shorten(str(value)) if isinstance(value, str | int | float) else "a, b"
        return f"a list: write [{one}]"
    if kind == "dict_type":
        return "a mapping, such as {name: value}"
    if kind == "model_type":
        section = _section_at(model, location)
        return f"a section of its own, with {', '.join(list(section.model_fields)[:5])} and so on"
    return ""


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"


# Settings that go to a service's clock, and into no pipeline.
_TIMES = {("schedule", "start"), ("schedule", "end")}


def untransportable(content: Any, places: YamlPlaces) -> list[str]:
    """Find values that no pipeline can carry: KFP passes what JSON has, and YAML has more.

    Args:
        content: What was read.
        places: Its text.

    Returns:
        A line for each date, time, set, binary value and number without a value.
    """
    return list(_find_untransportable(content, (), places))


def _find_untransportable(
    value: Any, location: tuple[str | int, ...], places: YamlPlaces
) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _find_untransportable(inner, (*location, str(key)), places)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _find_untransportable(inner, (*location, index), places)
    elif isinstance(value, float) and not math.isfinite(value):
        yield (
            f"{places.locate(location)}: '{dotted(location)}' is {places.written(location)}, and a pipeline carries "
            "finite numbers only. Leave it out, or give a number."
        )
    elif isinstance(value, int) and abs(value) > _LARGEST_EXACT:
        yield (
            f"{places.locate(location)}: '{dotted(location)}' is {_shorten(str(value))}, and a pipeline carries whole "
            f"numbers up to {_LARGEST_EXACT:,}. Give a smaller one, or put it in quotes to have text."
        )
    elif isinstance(value, str) and "\0" in value:
        yield (
            f"{places.locate(location)}: '{dotted(location)}' has a NUL character, which no path or name may hold. "
            "Take it out."
        )
    elif location in _TIMES and isinstance(value, datetime.date):
        return
    elif value is not None and not isinstance(value, str | bool | int | float):
        written = places.written(location)
        advice = f': "{written}"' if written else ""
        yield (
            f"{places.locate(location)}: '{dotted(location)}' is {_kind_of(value)} to YAML, which a pipeline can't "
            f"carry. Put it in quotes to have text{advice}."
        )


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return "a time"
    if isinstance(value, datetime.date):
        return "a date"
    if isinstance(value, int | float):
        return "a number"
    return "a set" if isinstance(value, set) else "bytes"


def _section_at(model: type[BaseModel], location: list[Any]) -> type[BaseModel]:
    kind: Any = model
    for part in location:
        # Below a mapping of sections, such as triggers, comes a name and then the section.
        if not is_section(kind):
            kind = without_null(get_args(kind)[-1])
        elif str(part) in kind.model_fields:
            kind = without_null(kind.model_fields[str(part)].annotation)
        else:
            # The section of a target that is described in the target's module alone.
            kind = section_type(str(part))
    return kind


def _help(model: type[BaseModel], location: list[Any]) -> str:
    """Return a key's description; empty for what no section describes, such as one entry of a mapping."""
    section = _section_at(model, location[:-1])
    fields = section.model_fields if hasattr(section, "model_fields") else {}
    return (fields[str(location[-1])].description or "") if str(location[-1]) in fields else ""
