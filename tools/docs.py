"""Write the references in docs/ from the code: components from their faces, retrain.yaml from its model.

Usage: python tools/docs.py [--check]   (--check: say which file differs, and exit with 1)
"""

import json
import re
import sys
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import docstring_parser
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import retrainer.components
from retrainer.components.validate_examples.checks import known_kinds
from retrainer.pipelines.project.sections.retrain import RetrainConfig
from retrainer.pipelines.project.sections.section import is_section, without_null
from retrainer.pipelines.project.sections.targets import TARGETS, TargetsConfig, section_type
from retrainer.pipelines.project.sections.triggers import (
    TRIGGER_KINDS,
    TriggerConfig,
    section_of_kind,
)

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FINDINGS = ROOT / "components" / "validate_examples" / "README.md"
TABLE = "<!-- kinds of findings, written by tools/docs.py from checks/ -->\n"
TABLE_END = "<!-- end of kinds -->\n"
GENERATED = (
    "<!-- Written by tools/docs.py from the code: change it there, then `make docs`. -->\n\n"
)


def components_page() -> str:
    """Lay out the component reference.

    Returns:
        Markdown.
    """
    page = [
        "# Component reference\n\n",
        GENERATED,
        "Each component is a KFP component: `from retrainer.components import ingest_spans`. Its folder's README shows "
        "it alone in a pipeline.\n",
    ]
    for name in retrainer.components.__all__:
        page.append(_component(name, getattr(retrainer.components, name)))
    return "".join(page)


def _component(name: str, component: Any) -> str:
    doc = docstring_parser.parse(component.python_func.__doc__)
    described = {
        param.arg_name: " ".join((param.description or "").split()) for param in doc.params
    }
    spec = component.component_spec
    text = [f"\n## {name}\n\n{doc.short_description}\n\n"]
    if doc.long_description:
        text.append(f"{doc.long_description}\n\n")
    text.append(
        f"[README](../components/{name}/README.md)\n\n| input | type | default | |\n|---|---|---|---|\n"
    )
    for key, value in (spec.inputs or {}).items():
        default = (
            ""
            if not value.optional
            else f"`{value.default!r}`"
            if value.default is not None
            else "none"
        )
        text.append(f"| `{key}` | {_type(value.type)} | {default} | {described[key]} |\n")
    returns = {
        line.split(":", 1)[0].strip(): line.split(":", 1)[1].strip()
        for line in ((doc.returns and doc.returns.description) or "").splitlines()
        if ":" in line
    }
    if doc.returns and doc.returns.type_name:
        # The parser takes the first output's name for a type.
        first = (doc.returns.description or "").splitlines()[0].strip()
        returns.setdefault(doc.returns.type_name.strip(), first)
    text.append("\n| output | type | |\n|---|---|---|\n")
    for key, value in spec.outputs.items():
        text.append(f"| `{key}` | {_type(value.type)} | {described.get(key) or returns[key]} |\n")
    return "".join(text)


def _type(kind: str) -> str:
    if kind.startswith("system."):
        return kind.removeprefix("system.").partition("@")[0]
    return kind.replace("typing.", "").lower()


def config_page() -> str:
    """Lay out the reference of retrain.yaml.

    Returns:
        Markdown.
    """
    page = [
        "# retrain.yaml\n\n",
        GENERATED,
        "`retrainer config json-schema` prints this as JSON Schema, for editors; `retrainer config check` checks a "
        "file. An unknown key is an error that names the nearest known one. What holds for all keys (null, variables, "
        "checks, old spellings): [settings](settings.md).\n",
    ]
    _section(RetrainConfig, "", page)
    # Targets and kinds of triggers that were added to the lists; the built-in ones are fields above.
    for name in TARGETS:
        if name not in TargetsConfig.model_fields:
            _section(section_type(name), f"targets.{name}", page)
    for name in TRIGGER_KINDS:
        if section_of_kind(name) is not TriggerConfig:
            _section(section_of_kind(name), f"triggers.<name> of kind {name}", page)
    return "".join(page)


def _section(model: type[BaseModel], path: str, page: list[str]) -> None:
    title = f"`{path}`" if path else "Top level"
    page.append(
        f"\n## {title}\n\n{_first_line(model)}\n\n| key | type | default | |\n|---|---|---|---|\n"
    )
    nested: dict[type[BaseModel], str] = {}
    for name, field in model.model_fields.items():
        kind = without_null(field.annotation)
        key = f"{path}.{name}" if path else name
        of_each = get_origin(kind) is dict and is_section(get_args(kind)[-1])
        if of_each:
            kind, key = get_args(kind)[-1], f"{key}.<name>"
        many = get_origin(kind) is list and is_section(get_args(kind)[0])
        if many:
            kind = get_args(kind)[0]
        if is_section(kind):
            # Sections of one kind, as those of the tasks, are described once.
            key = nested.setdefault(kind, key)
            required = "required" if field.is_required() else "optional"
            anchor = re.sub(r"[^a-z0-9_-]", "", key)
            # A field says so itself where one section can stand alone.
            lists = "section, or a list of them" if field.json_schema_extra else "list of sections"
            described = "one by name" if of_each else lists if many else "section"
            text = field.description or _first_line(kind)
            page.append(f"| `{name}` | [{described}](#{anchor}) | {required} | {text} |\n")
            continue
        default = "required" if field.is_required() else f"`{json.dumps(_default(field))}`"
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        listed = extra.get("enum")
        words = _or(listed) if isinstance(listed, list) else ""
        page.append(
            f"| `{name}` | {words or _annotation(kind)} | {default} | {field.description} |\n"
        )
    for kind, key in nested.items():
        _section(kind, key, page)


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _default(field: Any) -> Any:
    if field.default is not PydanticUndefined:
        return round(field.default, 4) if isinstance(field.default, float) else field.default
    return field.default_factory()


def _or(values: Iterable[object]) -> str:
    return " or ".join(f"`{value}`" for value in values)


def _annotation(kind: Any) -> str:
    if kind is Any:
        return "any"
    kind = without_null(kind)
    if str(get_origin(kind)) == "typing.Literal":
        return _or(get_args(kind))
    if get_origin(kind) in (dict, list):
        return f"{get_origin(kind).__name__}[{', '.join(map(_annotation, get_args(kind)))}]"
    if get_origin(kind) is UnionType:
        # A bar would end the table's cell.
        return " or ".join(map(_annotation, get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _or(one.value for one in kind)
    if get_origin(kind) is not None:
        return str(kind)
    return str(getattr(kind, "__name__", kind))


def findings_page() -> str:
    """Return the README of validate_examples with the table of findings that its checks report.

    Returns:
        Markdown.
    """
    head, _, rest = FINDINGS.read_text(encoding="utf-8").partition(TABLE)
    _, _, tail = rest.partition(TABLE_END)
    rows = [
        f"| `{kind.name}` | {kind.title} | {kind.severity} | {kind.about} |\n"
        for kind in known_kinds().values()
    ]
    table = ["| kind | title | default | reported |\n|---|---|---|---|\n", *rows]
    return "".join([head, TABLE, "\n", *table, "\n", TABLE_END, tail])


def main() -> int:
    """Write the pages, or check that they are as the code says.

    Returns:
        The exit code.
    """
    pages = {
        DOCS / "components.md": components_page(),
        DOCS / "retrain-yaml.md": config_page(),
        FINDINGS: findings_page(),
    }
    stale = [file for file, text in pages.items() if not _is(file, text)]
    if "--check" in sys.argv:
        for file in stale:
            print(f"{file.relative_to(ROOT)} is not what the code says; run `make docs`")
        return 1 if stale else 0
    for file in stale:
        file.write_text(pages[file], encoding="utf-8")
        print(f"wrote {file.relative_to(ROOT)}")
    return 0


def _is(file: Path, text: str) -> bool:
    return file.exists() and file.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
