"""A target's settings: a flag goes over an environment variable, and that over retrain.yaml."""

import os
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ...components.lib.errors import RetrainerError

OLD_VARIABLES = {"RETRAINER_TRIGGER_PUSH_ACCOUNT": "RETRAINER_TRIGGER_SERVICE_ACCOUNT"}
"""What variables were called in earlier releases, by their names now."""

Settings = TypeVar("Settings", bound=BaseModel)


def variable(section: str, key: str) -> str:
    """Name the environment variable of a setting, such as RETRAINER_VERTEX_PROJECT."""
    return f"RETRAINER_{section}_{key}".upper()


def flag(key: str) -> str:
    """Name the flag of a setting, such as `--service-account`; `--label` is given once a label."""
    return "--label" if key == "labels" else "--" + key.replace("_", "-")


def resolve_settings(
    section: str,
    settings: Settings,
    flags: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Apply flags and environment variables over what retrain.yaml says.

    Args:
        section: `vertex`, `kubeflow` or `trigger`: the variables are `RETRAINER_<SECTION>_<KEY>`.
        settings: What retrain.yaml says.
        flags: Values by key; None is not given. Those of other sections are left alone.
        environment: Variables; those of the process if not given. Labels stand in one as `team=search,tier=1`,
            lists as `a,b`.

    Returns:
        The settings.

    Raises:
        RetrainerError: If a value is not right; the flag or variable that it came from is named.
    """
    environment = os.environ if environment is None else environment
    values, origins = settings.model_dump(), {}
    for key in type(settings).model_fields:
        value, origin = flags.get(key), flag(key)
        if value is None:
            origin = variable(section, key)
            value = environment.get(origin)
            if value is None and (old := OLD_VARIABLES.get(origin, "")) in environment:
                print(f"note: {old} is an old name of {origin}; set that.", file=sys.stderr)
                origin, value = old, environment[old]
        if value is None:
            continue
        if isinstance(values[key], dict) and isinstance(value, str):
            value = parse_pairs(value.split(",") if value else [], origin)
        if isinstance(values[key], list) and isinstance(value, str):
            value = [one.strip() for one in value.split(",") if one.strip()]
        values[key], origins[key] = value, origin
    try:
        return type(settings).model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        key = str(problem["loc"][0]) if problem["loc"] else ""
        message = problem["msg"].removeprefix("Value error, ")
        # A rule over the whole section names the value itself.
        place = f"{origins[key]}: " if key in origins else ""
        raise RetrainerError(f"{place}{message}.") from error


def parse_pairs(texts: list[str] | tuple[str, ...], origin: str) -> dict[str, str]:
    """Read `key=value` texts.

    Args:
        texts: The texts.
        origin: Flag or variable that they came from, for errors.

    Returns:
        Values by key, the last one where a key comes twice.

    Raises:
        RetrainerError: If one has no `=` or no key.
    """
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise RetrainerError(f"{origin}: '{text}' is not of the form key=value.")
        pairs[key.strip()] = value.strip()
    return pairs
