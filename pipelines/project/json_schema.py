"""The JSON schema of retrain.yaml, by which editors complete and check it."""

import json
from collections.abc import Mapping
from typing import Any

from ...components.lib.engine.options import JSON_TEXT
from ...components.lib.engine.reference import (
    FLAG,
    NEGATIVE_FLAG,
    NUMBER,
    TEXT,
    WHOLE,
    Kind,
    option_kinds,
    runner_names,
)
from ...components.lib.engine.runners import SHORT_NAMES
from .sections.retrain import RetrainConfig
from .sections.targets import TARGETS, TargetsConfig, section_type
from .sections.triggers import TRIGGER_KINDS, section_of_kind

_VARIABLE = {"type": "string", "pattern": r"\$\{"}
_BEAM_TYPES: Mapping[Kind, str] = {
    TEXT: "string",
    WHOLE: "integer",
    NUMBER: "number",
    FLAG: "boolean",
    NEGATIVE_FLAG: "boolean",
}
"""Types of JSON by the kind of Beam's option; of other kinds a file may hold several."""


def config_schema() -> str:
    """Describe retrain.yaml for editors.

    Returns:
        JSON Schema, as text.
    """
    schema = RetrainConfig.model_json_schema()
    _add_listed(schema["$defs"])
    return json.dumps(_as_written(schema), indent=2) + "\n"


def _add_listed(sections: dict[str, Any]) -> None:
    """Add what modules in the lists of targets and of triggers' kinds have as sections of their own."""
    for name in TARGETS:
        if name not in TargetsConfig.model_fields:
            sections["TargetsConfig"]["properties"][name] = section_type(name).model_json_schema()
    for name in TRIGGER_KINDS:
        own = section_of_kind(name).model_json_schema()["properties"]
        sections["TriggerConfig"]["properties"] |= own
    for name in ("EngineConfig", "EngineOverrideConfig"):
        own = sections[name]["properties"]
        own["options"] |= {"properties": _beam_options(), "additionalProperties": False}
        own["runner"]["examples"] = [*SHORT_NAMES, *runner_names()]


def _beam_options() -> dict[str, Any]:
    """Describe Beam's options by name."""
    described: dict[str, Any] = {}
    for name, kind in option_kinds().items():
        if name not in JSON_TEXT and kind in _BEAM_TYPES:
            described[name] = {"anyOf": [{"type": _BEAM_TYPES[kind]}, {"type": "null"}]}
        else:
            described[name] = {"examples": list(kind)} if isinstance(kind, tuple) else {}
    return described


def _as_written(schema: Any) -> Any:
    """Allow what a file may have in place of a value: a variable, and a plain number for a text."""
    if isinstance(schema, list):
        return [_as_written(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = ("default", "enum", "const", "required", "examples")
    schema = {key: value if key in plain else _as_written(value) for key, value in schema.items()}
    kind = schema.get("type")
    if kind in ("integer", "number", "boolean") or (kind == "string" and "enum" in schema):
        return _or_variable(schema)
    if kind == "string" and "pattern" in schema:
        return _or_variable(schema)
    if kind == "string":
        return {**schema, "type": ["string", "number"]}
    return schema


def _or_variable(schema: dict[str, Any]) -> dict[str, Any]:
    kept = ("title", "description", "default")
    about = {key: schema[key] for key in kept if key in schema}
    rule = {key: value for key, value in schema.items() if key not in kept}
    return {**about, "anyOf": [rule, _VARIABLE]}
