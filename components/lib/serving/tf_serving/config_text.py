"""The entry of one model in a `model_config_list`, in protobuf's text format.

Everything else in the file stays as it is, comments included: the entries of other models may have fields that this
release does not know. So the text is taken apart into fields, and not parsed into messages. The messages are
`ModelServerConfig` and `ModelConfig` (tensorflow/serving, config/model_server_config.proto).
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LIST = "model_config_list"
_TEXT = r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
_TOKEN = re.compile(
    rf"""(?P<space>\s+|\#[^\n]*)|(?P<text>{_TEXT})"""
    r"""|(?P<mark>[{}<>\[\]:;,])|(?P<word>[^\s\#"'{}<>\[\]:;,]+)"""
)
_CLOSING = {"{": "}", "<": ">", "[": "]"}


class ConfigTextError(Exception):
    """The text is not protobuf's text format."""


@dataclass(frozen=True)
class ModelEntry:
    """What retrainer sets of a model in the configuration.

    Attributes:
        name: The model's name.
        base_path: Folder of its versions, as the servers see it.
        versions: The versions that are loaded.
        labels: Version by label.
    """

    name: str
    base_path: str
    versions: tuple[int, ...]
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Field:
    """A field in a text: where it begins and ends, and its value without braces."""

    name: str
    start: int
    end: int
    inner: tuple[int, int]

    def text(self, text: str) -> str:
        return text[self.inner[0] : self.inner[1]]


def read_entry(text: str, name: str) -> ModelEntry | None:
    """Read a model's entry.

    Args:
        text: The configuration file.
        name: The model's name.

    Returns:
        The entry; None if there is none, or it does not name its versions.

    Raises:
        ConfigTextError: If it is no text format.
    """
    found = _find(text, name)
    if found is None:
        return None
    fields = list(_fields(text, *found.inner))
    versions: list[int] = []
    labels: dict[str, int] = {}
    base_path = ""
    for one in fields:
        if one.name == "base_path":
            base_path = _string(one.text(text))
        elif one.name == "model_version_policy":
            versions += _specific(text, one)
        elif one.name == "version_labels":
            pair = {part.name: part.text(text) for part in _fields(text, *one.inner)}
            labels[_string(pair.get("key", '""'))] = _number(pair.get("value", "0"))
    return ModelEntry(name, base_path, tuple(versions), labels)


def with_entry(text: str, entry: ModelEntry) -> str:
    """Return the text with a model's entry; other models, comments, and its fields that are not ours stay.

    Args:
        text: The configuration file; may be empty.
        entry: What the entry has to say.

    Raises:
        ConfigTextError: If it is no text format.
    """
    body = _body(entry)
    found = _find(text, entry.name)
    if found:
        kept = _without(
            text,
            found.inner,
            {"name", "base_path", "model_platform", "model_version_policy", "version_labels"},
        )
        return f"{text[: found.inner[0]]}\n{body}{kept}{text[found.inner[1] :]}"
    block = f"  config {{\n{body}  }}\n"
    listed = [one for one in _fields(text, 0, len(text)) if one.name == LIST]
    if listed:
        end = listed[-1].inner[1]
        before = text[:end]
        gap = "" if before.endswith("\n") else "\n"
        return f"{before}{gap}{block}{text[end:]}"
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{LIST} {{\n{block}}}\n"


def without_entry(text: str, name: str) -> str:
    """Return the text without a model's entry.

    Raises:
        ConfigTextError: If it is no text format.
    """
    found = _find(text, name)
    return text if found is None else f"{text[: found.start].rstrip(' ')}{text[found.end :]}"


def _body(entry: ModelEntry) -> str:
    versions = " ".join(f"versions: {version}" for version in entry.versions)
    lines = [
        f"name: {_quoted(entry.name)}",
        f"base_path: {_quoted(entry.base_path)}",
        'model_platform: "tensorflow"',
        f"model_version_policy {{ specific {{ {versions} }} }}",
        *(
            f"version_labels {{ key: {_quoted(label)} value: {version} }}"
            for label, version in sorted(entry.labels.items())
        ),
    ]
    return "".join(f"    {line}\n" for line in lines)


def _find(text: str, name: str) -> _Field | None:
    for listed in _fields(text, 0, len(text)):
        if listed.name == "custom_model_config":
            raise ConfigTextError(
                f"it has a custom_model_config, which leaves no room for a {LIST}"
            )
        if listed.name != LIST:
            continue
        for config in _fields(text, *listed.inner):
            names = (one for one in _fields(text, *config.inner) if one.name == "name")
            if config.name == "config" and any(_string(one.text(text)) == name for one in names):
                return config
    return None


def _specific(text: str, policy: _Field) -> Iterator[int]:
    for kind in _fields(text, *policy.inner):
        if kind.name == "specific":
            for one in _fields(text, *kind.inner):
                yield from (_number(value) for value in one.text(text).split(",") if value.strip())


def _without(text: str, inner: tuple[int, int], names: set[str]) -> str:
    kept, at = "", inner[0]
    for one in _fields(text, *inner):
        if one.name in names:
            kept += text[at : one.start].rstrip(" ")
            at = one.end
    rest = kept + text[at : inner[1]]
    return re.sub(r"\n\s*\n+", "\n", rest).lstrip("\n")


def _fields(text: str, start: int, end: int) -> Iterator[_Field]:
    """Yield the fields of a message that stands between two places of a text."""
    tokens = _tokens(text, start, end)
    at = 0
    while at < len(tokens):
        name, begin, _, kind = tokens[at]
        if kind == "mark" and name in ";,":
            at += 1
            continue
        if kind != "word":
            raise _wrong(text, begin)
        at += 1
        if at < len(tokens) and tokens[at][0] == ":":
            at += 1
        if at >= len(tokens):
            raise _wrong(text, begin)
        value, first, last, kind = tokens[at]
        if kind == "mark" and value in _CLOSING:
            closing = _matching(text, tokens, at)
            yield _Field(name, begin, tokens[closing][2], (last, tokens[closing][1]))
            at = closing + 1
            continue
        if kind == "mark":
            raise _wrong(text, first)
        at += 1
        # Adjacent strings are one.
        while kind == "text" and at < len(tokens) and tokens[at][3] == "text":
            last = tokens[at][2]
            at += 1
        yield _Field(name, begin, last, (first, last))


def _tokens(text: str, start: int, end: int) -> list[tuple[str, int, int, str]]:
    tokens = []
    at = start
    while at < end:
        match = _TOKEN.match(text, at, end)
        if match is None:
            raise _wrong(text, at)
        if match.lastgroup != "space":
            tokens.append((match[0], match.start(), match.end(), str(match.lastgroup)))
        at = match.end()
    return tokens


def _matching(text: str, tokens: list[tuple[str, int, int, str]], at: int) -> int:
    pending: list[str] = []
    for place in range(at, len(tokens)):
        token, begin, _, kind = tokens[place]
        if kind != "mark":
            continue
        if token in _CLOSING:
            pending.append(_CLOSING[token])
        elif token in _CLOSING.values():
            if token != pending.pop():
                raise _wrong(text, begin)
            if not pending:
                return place
    raise _wrong(text, tokens[at][1])


def _wrong(text: str, at: int) -> ConfigTextError:
    return ConfigTextError(f"line {text.count(chr(10), 0, at) + 1} is not protobuf's text format")


def _string(value: str) -> str:
    try:
        return "".join(ast.literal_eval(one) for one in re.findall(_TEXT, value))
    except (SyntaxError, ValueError):
        return value


def _number(value: str) -> int:
    try:
        return int(value.strip(), 0)
    except ValueError:
        raise ConfigTextError(f"'{value.strip()}' is no version") from None


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
