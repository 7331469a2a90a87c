"""Rewriting a retrain.yaml's text in today's spelling, its comments and its order kept."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ...components.lib.errors import RetrainerError
from .config import read_content
from .old_spellings import OldSpelling, read_old_spellings
from .sections.retrain import VERSION, RetrainConfig
from .yaml_places import Location, YamlPlaces, dotted

_STEP = 2
_COMMENT = re.compile(r"( *)#.*\n?")


class _ByHandError(Exception):
    """A place that no edit here can change."""


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class _Entry:
    """A key of a mapping, with its value.

    Attributes:
        mapping: The mapping.
        key: Its node.
        value: Its value's node; of an alias that is the anchor's.
    """

    mapping: yaml.MappingNode
    key: yaml.Node
    value: yaml.Node

    @property
    def is_alias(self) -> bool:
        return self.value.start_mark.index < self.key.end_mark.index

    @property
    def in_flow(self) -> bool:
        return bool(self.mapping.flow_style)


def migrate(text: str, name: str) -> tuple[str, list[str]]:
    """Rewrite a retrain.yaml in today's spelling.

    Args:
        text: The file's text.
        name: What to call it in messages.

    Returns:
        The new text, and what was changed, a line each; the same text and none if it was of today's spelling.

    Raises:
        RetrainerError: If it is not YAML, or has something that must be changed by hand; it is named with its line.
    """
    wanted, spellings = _read(text, name)
    changes = [_describe(spelling, YamlPlaces(name, text)) for spelling in spellings]
    changed = text
    # One at a time, because each moves the places of those after it.
    for _ in range(len(spellings) + 1):
        _, left = _read(changed, name)
        if not left:
            break
        changed = _apply(changed, _edits(changed, name, left[0]))
    if "version" not in wanted:
        changed = _apply(changed, [_add_version(changed)])
        changes.insert(0, f"{name}: 'version: {VERSION}' is added")
    content, left = _read(changed, name)
    content.pop("version", None)
    wanted.pop("version", None)
    if left or content != wanted:
        raise RetrainerError(
            "\n".join(
                [
                    f"{name} can't be rewritten by itself, because of how it uses YAML's anchors; it is as it was. "
                    "Change by hand:",
                    *changes,
                ]
            )
        )
    return changed, changes


def _read(text: str, name: str) -> tuple[dict[str, Any], list[OldSpelling]]:
    return read_old_spellings(read_content(text, name), YamlPlaces(name, text), RetrainConfig)


def _describe(spelling: OldSpelling, places: YamlPlaces) -> str:
    instead = "null" if spelling.old == spelling.new else f"'{dotted(spelling.new)}'"
    return f"{places.locate(spelling.old)}: '{dotted(spelling.old)}' becomes {instead}"


def _apply(text: str, edits: list[_Edit]) -> str:
    for edit in sorted(edits, key=lambda one: one.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _add_version(text: str) -> _Edit:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    first = root.value[0][0].start_mark.index
    return _Edit(first, first, f"version: {VERSION}" + (", " if root.flow_style else "\n"))


def _edits(text: str, name: str, spelling: OldSpelling) -> list[_Edit]:
    try:
        return list(_edits_of(text, spelling))
    except _ByHandError as error:
        line = YamlPlaces(name, text).locate(spelling.old)
        raise RetrainerError(
            f"{line}: '{dotted(spelling.old)}' can't be rewritten by itself here: {error}. Write it as "
            f"'{dotted(spelling.new)}' by hand; the file is as it was."
        ) from error


def _edits_of(text: str, spelling: OldSpelling) -> Iterator[_Edit]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    old, new = spelling.old, spelling.new
    entry = _find(root, old)
    if old == new:
        if entry.is_alias:
            raise _ByHandError("its value is an alias")
        yield _Edit(entry.value.start_mark.index, entry.value.end_mark.index, "null")
        return
    if spelling.value is not None:
        yield _rewritten(text, entry, new[-1], spelling.value)
        return
    if old[:-1] == new[:-1]:
        yield _Edit(entry.key.start_mark.index, entry.key.end_mark.index, new[-1])
        return
    section, missing = _section_for(root, old, new)
    if section is entry.mapping and entry.in_flow:
        opened = "".join(f"{part}: {{" for part in missing)
        yield _Edit(entry.key.start_mark.index, entry.key.end_mark.index, opened + new[-1])
        end = _value_end(text, entry)
        yield _Edit(end, end, "}" * len(missing))
        return
    if section is entry.mapping:
        start, end = _lines_of(text, entry)
        renamed = _renamed(text, entry, start, end, new[-1])
        yield _Edit(start, end, _nested(renamed, _STEP * len(missing), missing, _column(entry)))
        return
    yield from _take_out(text, entry)
    if section.flow_style or not section.value:
        if not section.flow_style:
            raise _ByHandError(f"'{dotted(new[:-1])}' has nothing in it yet")
        place = section.end_mark.index - 1
        comma = "" if not section.value or text[:place].rstrip().endswith(",") else ", "
        opened = "".join(f"{part}: {{" for part in missing)
        value = _as_flow(text, entry)
        yield _Edit(place, place, f"{comma}{opened}{new[-1]}: {value}{'}' * len(missing)}")
        return
    place = _line_end(text, _last_line(section))
    column = section.value[0][0].start_mark.column
    within = column + _STEP * len(missing)
    if entry.in_flow:
        moved = _nested(f"{new[-1]}: {_as_flow(text, entry)}", within, missing, column)
    else:
        start, end = _lines_of(text, entry, with_comments=True)
        renamed = _renamed(text, entry, start, end, new[-1])
        moved = _nested(renamed, within - _column(entry), missing, column)
    yield _Edit(place, place, moved if text[:place].endswith("\n") else f"\n{moved}")


def _rewritten(text: str, entry: _Entry, key: str, value: Any) -> _Edit:
    """Write another key and value in an entry's place."""
    start, end = entry.key.start_mark.index, _value_end(text, entry)
    if not isinstance(entry.value, yaml.CollectionNode) or not entry.value.flow_style:
        # The mark of a block stands after the comments that follow it.
        end = len(text[: _line_end(text, _last_line_of(entry))].rstrip("\n"))
    if "#" in text[start:end]:
        raise _ByHandError("it has comments")
    if entry.in_flow or not value:
        written = yaml.safe_dump(value, sort_keys=False, default_flow_style=True, width=10**6)
        return _Edit(start, end, f"{key}: {written.rstrip()}")
    lines = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=10**6)
    indent = " " * (_column(entry) + _STEP)
    return _Edit(
        start, end, f"{key}:\n" + "\n".join(f"{indent}{line}" for line in lines.splitlines())
    )


def _find(node: yaml.Node | None, place: Location) -> _Entry:
    entry = None
    for part in place:
        if not isinstance(node, yaml.MappingNode):
            raise _ByHandError("it comes from an anchor")
        pair = next(((key, value) for key, value in node.value if key.value == part), None)
        if pair is None:
            raise _ByHandError("it comes from an anchor")
        entry = _Entry(node, *pair)
        node = entry.value
    assert entry is not None
    return entry


def _section_for(
    root: yaml.Node | None, old: Location, new: Location
) -> tuple[yaml.MappingNode, list[str]]:
    """Find the innermost section that exists already for a new place, and which ones are missing in it."""
    assert isinstance(root, yaml.MappingNode)
    section = root
    for depth, part in enumerate(new[:-1]):
        found = next((value for key, value in section.value if key.value == part), None)
        if not isinstance(found, yaml.MappingNode):
            if found is not None and tuple(new[: depth + 1]) != tuple(old):
                raise _ByHandError(f"'{dotted(new[: depth + 1])}' has nothing in it yet")
            return section, [str(one) for one in new[depth:-1]]
        section = found
    return section, []


def _renamed(text: str, entry: _Entry, start: int, end: int, key: str) -> str:
    """Return an entry's lines with another key."""
    name = entry.key
    return text[start : name.start_mark.index] + key + text[name.end_mark.index : end]


def _nested(lines: str, shift: int, missing: list[str], column: int) -> str:
    """Return an entry's lines indented, under the sections that are missing, the first of them at a column."""
    headers = "".join(
        f"{' ' * (column + _STEP * depth)}{part}:\n" for depth, part in enumerate(missing)
    )
    body = ""
    for line in lines.splitlines(keepends=True):
        indent = len(line) - len(line.lstrip(" "))
        body += line if line.isspace() else " " * max(indent + shift, 0) + line[indent:]
    return headers + (body if body.endswith("\n") else f"{body}\n")


def _take_out(text: str, entry: _Entry) -> Iterator[_Edit]:
    """Remove an entry; the comments before it go with it, where it has lines of its own."""
    if len(entry.mapping.value) == 1:
        raise _ByHandError("its section would have nothing in it")
    if not entry.in_flow:
        start, end = _lines_of(text, entry, with_comments=True)
        # Of the empty lines around it, those after it are enough.
        if text[:start].endswith("\n\n") and (not text[end:] or text[end:].startswith("\n")):
            start -= 1
        yield _Edit(start, end, "")
        return
    start, end = entry.key.start_mark.index, _value_end(text, entry)
    rest = text[end:].lstrip()
    if rest.startswith(","):
        end = text.index(",", end) + 1
        end += len(text[end:]) - len(text[end:].lstrip(" "))
    else:
        before = text[:start].rstrip()
        start = len(before) - 1 if before.endswith(",") else start
    yield _Edit(start, end, "")


def _lines_of(text: str, entry: _Entry, with_comments: bool = False) -> tuple[int, int]:
    """Return where an entry's lines begin and end."""
    start = text.rfind("\n", 0, entry.key.start_mark.index) + 1
    if text[start : entry.key.start_mark.index].strip():
        raise _ByHandError("it does not begin its line")
    end = _line_end(text, _last_line_of(entry))
    # Comments further in than the key are the value's.
    while (comment := _COMMENT.match(text, end)) and len(comment[1]) > _column(entry):
        end = comment.end()
    while with_comments and start:
        above = text.rfind("\n", 0, start - 1) + 1
        line = text[above:start]
        if not line.strip().startswith("#") or line.index("#") != _column(entry):
            break
        start = above
    return start, end


def _line_end(text: str, line: int) -> int:
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: line + 1]))


def _last_line_of(entry: _Entry) -> int:
    return entry.key.end_mark.line if entry.is_alias else _last_line(entry.value)


def _last_line(node: yaml.Node) -> int:
    """Return the line that a value ends on: a block's own mark stands after the comments that follow it."""
    if isinstance(node, yaml.ScalarNode):
        block = node.style in ("|", ">")
        return int(node.end_mark.line) - (1 if block and node.end_mark.column == 0 else 0)
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.line)
    last = node.value[-1]
    if isinstance(node, yaml.MappingNode):
        return _last_line_of(_Entry(node, *last))
    return _last_line(last)


def _value_end(text: str, entry: _Entry) -> int:
    if not entry.is_alias:
        return int(entry.value.end_mark.index)
    star = text.index("*", entry.key.end_mark.index)
    return next(
        (at for at in range(star, len(text)) if text[at] in " \n,}]"),
        len(text),
    )


def _as_flow(text: str, entry: _Entry) -> str:
    """Write a value on one line."""
    if entry.is_alias:
        return text[text.index("*", entry.key.end_mark.index) : _value_end(text, entry)]
    one_line = entry.value.start_mark.line == entry.value.end_mark.line
    if one_line and (not isinstance(entry.value, yaml.CollectionNode) or entry.value.flow_style):
        return text[entry.value.start_mark.index : entry.value.end_mark.index]
    shown = yaml.serialize(_in_flow(entry.value), Dumper=yaml.SafeDumper, width=10**6)
    return shown.removesuffix("\n").removesuffix("\n...")


def _in_flow(node: yaml.Node) -> yaml.Node:
    if isinstance(node, yaml.MappingNode):
        pairs = [(_in_flow(key), _in_flow(value)) for key, value in node.value]
        return yaml.MappingNode(node.tag, pairs, flow_style=True)
    if isinstance(node, yaml.SequenceNode):
        return yaml.SequenceNode(node.tag, [_in_flow(one) for one in node.value], flow_style=True)
    return node


def _column(entry: _Entry) -> int:
    return int(entry.key.start_mark.column)
