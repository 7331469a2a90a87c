"""Settings of retrain.yaml that had another name or place in earlier releases, and are read all the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ...components.lib.engine.options import ArgumentError
from ...components.lib.errors import RetrainerError
from .beam_args import engine_section, is_beam_args
from .sections.section import Section, is_section, without_null
from .yaml_places import Location, YamlPlaces, dotted


@dataclass(frozen=True)
class Rule:
    """One setting that moved.

    Attributes:
        old: Where it stood; `*` stands for any key.
        new: Where it stands now, with the same `*`.
        applies: Whether a value at the old place is of the old spelling: a section may have taken the place's name.
        convert: Returns the value in today's spelling; None: it is the same.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    applies: Callable[[Any], bool] = lambda value: True
    convert: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class OldSpelling:
    """One use of an old spelling in a file.

    Attributes:
        old: Where it stands.
        new: Where it belongs; the same place, if only its value is old.
        value: What stands there in today's spelling, if that is more than another place; otherwise None.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    value: Any = None

    def describe(self, places: YamlPlaces) -> str:
        """Describe the new spelling in one line."""
        instead = "null" if self.old == self.new else f"'{dotted(self.new)}'"
        value = f": {places.written(self.old) or repr('')}" if self.old == self.new else ""
        return (
            f"{places.locate(self.old)}: '{dotted(self.old)}{value}' is an old spelling of {instead}; "
            "'retrainer config migrate' changes it."
        )


def _rule(
    old: str,
    new: str,
    applies: Callable[[Any], bool] = lambda value: True,
    convert: Callable[[Any], Any] | None = None,
) -> Rule:
    return Rule(tuple(old.split(".")), tuple(new.split(".")), applies, convert)


def _is_no_section(value: Any) -> bool:
    return value is not None and not isinstance(value, dict)


KUBERNETES_KEYS = (
    "timeout_seconds",
    "image_pull_policy",
    "node_selector",
    "secrets",
    "secret_volumes",
)
RULES = (
    _rule("data.split", "data.split.by", _is_no_section),
    _rule("data.eval_spans", "data.split.eval_spans"),
    _rule("data.eval_fraction", "data.split.eval_fraction"),
    _rule("data.split_by", "data.split.columns"),
    _rule("data.hash", "data.hash.columns", _is_no_section),
    _rule("data.hash_key_env", "data.hash.key_env"),
    _rule("data.hash_key_file", "data.hash.key_file"),
    _rule("caching", "tasks.all.caching"),
    *(_rule(f"tasks.*.{key}", f"tasks.*.kubernetes.{key}") for key in KUBERNETES_KEYS),
    _rule("trigger_service.service_account", "trigger_service.push_account"),
    _rule("beam_args", "engine", is_beam_args, engine_section),
)
ZEROS = (
    ("data", "min_spans"),
    ("data", "max_bytes_billed"),
    ("model", "steps"),
    ("model", "early_stopping_patience"),
    ("serving", "max_latency_ms"),
    ("triggers", "*", "daily_limit"),
)
"""Settings that were 0 where they were not set."""


def read_old_spellings(
    content: dict[str, Any], places: YamlPlaces, model: type[Section]
) -> tuple[dict[str, Any], list[OldSpelling]]:
    """Put settings of old spellings where they belong.

    Args:
        content: What was read.
        places: Its text.
        model: The section that the whole file is.

    Returns:
        The content in the new spelling, and what was old in the order of the rules.

    Raises:
        RetrainerError: If a setting stands there in both spellings, or can't be read.
    """
    found: list[OldSpelling] = []
    moved = _copy(content)
    for rule in RULES:
        for old in list(_matches(content, rule.old)):
            value = _get(content, old)
            if not rule.applies(value):
                continue
            stars = iter([part for part, wild in zip(old, rule.old, strict=True) if wild == "*"])
            new = tuple(next(stars) if part == "*" else part for part in rule.new)
            if _get(content, new) is not None and old != new[: len(old)]:
                raise RetrainerError(
                    f"{places.locate(old)}: '{dotted(old)}' is an old spelling of '{dotted(new)}', which stands there "
                    f"too ({places.locate(new)}). Leave '{dotted(old)}' out."
                )
            converted = _converted(rule, value, old, places)
            _take(moved, old)
            if _put(moved, new, converted):
                changed = converted if rule.convert else None
                found.append(OldSpelling(old, new, changed))
            else:
                _put(moved, old, value)
    for pattern in ZEROS:
        for place in _matches(moved, pattern):
            value = _get(moved, place)
            if value == 0 and not isinstance(value, bool | str):
                _put(moved, place, None)
                found.append(OldSpelling(place, place))
    origins = {spelling.new: spelling.old for spelling in found}
    for place in list(_empty_texts(moved, model, ())):
        _put(moved, place, None)
        # What moved is said once, with its new place.
        if origins.get(place, place) == place:
            found.append(OldSpelling(place, place))
    return moved, found


def _converted(rule: Rule, value: Any, old: Location, places: YamlPlaces) -> Any:
    if rule.convert is None:
        return value
    try:
        return rule.convert(value)
    except ArgumentError as error:
        raise RetrainerError(
            f"{places.locate((*old, error.index))}: {error}. Write it as an option of the section engine."
        ) from error


def _empty_texts(content: Any, kind: Any, location: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Find empty texts where a setting may be unset."""
    if not isinstance(content, dict):
        return
    if not is_section(kind):
        for name, inner in content.items():
            yield from _empty_texts(inner, kind, (*location, name))
        return
    for key, field in kind.model_fields.items():
        value, inner = content.get(key), without_null(field.annotation)
        if value == "" and kind.empty_is_unset(key):
            yield (*location, key)
        elif is_section(inner):
            yield from _empty_texts(value, inner, (*location, key))
        elif isinstance(value, dict) and is_section(_of_each(inner)):
            for name, one in value.items():
                yield from _empty_texts(one, _of_each(inner), (*location, key, name))


def _of_each(kind: Any) -> Any:
    arguments = getattr(kind, "__args__", ())
    return arguments[-1] if arguments else None


def _copy(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _copy(value) for key, value in content.items()}
    return content


def _matches(content: Any, pattern: Location) -> Iterator[tuple[str, ...]]:
    """Find the places of a pattern that are in the content."""
    if not pattern:
        yield ()
        return
    if not isinstance(content, dict):
        return
    for key in content if pattern[0] == "*" else (pattern[0],):
        if key in content:
            yield from ((str(key), *rest) for rest in _matches(content[key], pattern[1:]))


def _get(content: Any, place: Location) -> Any:
    for part in place:
        content = content.get(part) if isinstance(content, dict) else None
    return content


def _take(content: dict[str, Any], place: Location) -> None:
    del _get(content, place[:-1])[place[-1]]


def _put(content: dict[str, Any], place: Location, value: Any) -> bool:
    """Set a value, with the sections around it; False where something else than a section stands in the way."""
    section: Any = content
    for part in place[:-1]:
        if section.get(str(part)) is None:
            section[str(part)] = {}
        section = section[str(part)]
        if not isinstance(section, dict):
            return False
    section[str(place[-1])] = value
    return True
