"""Where in a YAML text a setting stands, so that a message can name its line."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

Location = Sequence[str | int]
"""Keys of mappings and positions in lists, from the outermost in."""

_MERGE, _TEXT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"
_KINDS = {
    "timestamp": "a date",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}
_MAX_DEPTH, _MAX_VALUES = 100, 1_000_000
_TOO_DEEP = f"its values are nested more than {_MAX_DEPTH} deep, or one holds itself by an alias (&name, *name)"
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def load_yaml(text: str) -> Any:
    """Read a YAML text whose mappings have text as keys, as JSON's have.

    YAML reads the keys of `{0: 1.0, off: text}` as a number and as false; here they are `0` and `off`.

    Args:
        text: YAML.

    Returns:
        Its content.

    Raises:
        yaml.YAMLError: If it is not YAML, or a mapping has a key twice.
    """
    # Subclasses of SafeLoader, which construct plain values only.
    try:
        content = yaml.load(text, Loader=_FastTextKeys)
    except yaml.YAMLError:
        # The parser in Python shows the line where it stopped. What it takes all the same is no YAML either.
        yaml.load(text, Loader=_PlainTextKeys)
        raise
    except RecursionError as error:
        raise yaml.MarkedYAMLError(problem=_TOO_DEEP) from error
    _check_size(content)
    return content


def _check_size(content: Any) -> None:
    """Raise for what aliases make endless or huge, such as `&a [*a]`: whatever reads it later would not return."""
    count, open_ = 0, [(content, 0)]
    while open_:
        value, depth = open_.pop()
        count += 1
        if depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP)
        if count > _MAX_VALUES:
            raise yaml.MarkedYAMLError(
                problem=f"with its aliases it has more than {_MAX_VALUES:,} values"
            )
        inner = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict | list):
            open_ += [(one, depth + 1) for one in inner]


class _TextKeys(yaml.constructor.SafeConstructor):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, OverflowError) as error:
            # PyYAML matches the form of a value alone: 2026-13-45 looks like a date.
            kind = _KINDS.get(node.tag.rpartition(":")[2], node.tag)
            value = str(node.value)[:40]
            raise yaml.constructor.ConstructorError(
                problem=f"'{value}' looks like {kind} and is none; put a text in quotes",
                problem_mark=node.start_mark,
            ) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        problem=f"the key '{key.value}' stands here twice",
                        problem_mark=key.start_mark,
                    )
                seen.add(key.value)
                key.tag = _TEXT
        return super().construct_mapping(node, deep)


class _PlainTextKeys(_TextKeys, yaml.SafeLoader):
    pass


class _FastTextKeys(_TextKeys, yaml.CSafeLoader):
    pass


@dataclass(frozen=True)
class YamlPlaces:
    """The places of a YAML text.

    Attributes:
        name: What to call the text, such as its file's name.
        text: The text, which must be YAML.
        moved: Where settings stand in it, by where they would stand in today's spelling.
        overridden: What has been put over settings of it from outside, such as an environment variable's name.
    """

    name: str
    text: str
    moved: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    overridden: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    def locate(self, location: Location) -> str:
        """Name a place, as `retrain.yaml:12`.

        Args:
            location: The place. Of one that is not there the innermost section around it is named, if there is one.
        """
        if origin := self.overridden.get(tuple(map(str, location))):
            return origin
        node = self._root()
        line = _walk(node, self._origin(location))[1] if node is not None else 0
        return f"{self.name}:{line}" if line else self.name

    def written(self, location: Location) -> str:
        """Return the text of a value as it is written, such as `No` for what YAML reads as false.

        Args:
            location: The value's place.

        Returns:
            The text; empty if no single value stands there.
        """
        found = self._scalar(location)
        return found.value if found else ""

    def is_quoted(self, location: Location) -> bool:
        """Return whether a value is quoted, or a block of text."""
        found = self._scalar(location)
        return found is not None and found.style is not None

    def _scalar(self, location: Location) -> yaml.ScalarNode | None:
        node = self._root()
        found = _walk(node, self._origin(location))[0] if node is not None else None
        return found if isinstance(found, yaml.ScalarNode) else None

    def _origin(self, location: Location) -> Location:
        for end in range(len(location), 0, -1):
            if (old := self.moved.get(tuple(map(str, location[:end])))) is not None:
                return (*old, *location[end:])
        return location

    def _root(self) -> yaml.Node | None:
        return _compose(self.text)


@functools.lru_cache(maxsize=8)
def _compose(text: str) -> yaml.Node | None:
    return yaml.compose(text, Loader=yaml.SafeLoader)


def dotted(location: Location) -> str:
    """Write a place as messages do: its keys with dots between them."""
    return ".".join(str(part) for part in location)


def parse_place(place: str) -> list[str | int]:
    """Read a place as messages write it, such as `evaluation.metrics_specs[0].metrics[1]`."""
    return [name or int(index) for name, index in _PART.findall(place)]


def _walk(node: yaml.Node, location: Location) -> tuple[yaml.Node | None, int]:
    """Return the node at a place (None if there is none), and the line of the innermost one around it (0 if none)."""
    line = 0 if location else node.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                return None, line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return None, line
    return node, line
