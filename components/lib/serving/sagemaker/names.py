"""Names in SageMaker, made of what they stand for, so that a retry finds what an earlier try made.

SageMaker's names have at most 63 letters, digits and `-` (CreateModel, `ModelName`). Models and endpoint configurations
can't be changed, so their names end with a digest of their content.
"""

import hashlib
import re

from ...digests import digest_value

_MOST_BASE = 40
_DIGITS = 12
_VARIANT = re.compile(r"v([1-9]\d*)")


def base_of(endpoint: str) -> str:
    """Return what the names of an endpoint's models and configurations begin with."""
    if len(endpoint) <= _MOST_BASE:
        return endpoint
    digest = hashlib.sha256(endpoint.encode()).hexdigest()[:8]
    return f"{endpoint[: _MOST_BASE - 9].rstrip('-')}-{digest}"


def model_name(endpoint: str, version: int, content: object) -> str:
    """Return the name of a model.

    Args:
        endpoint: The endpoint that it is for.
        version: The registry's number.
        content: What the model is made of, as JSON values.
    """
    return f"{base_of(endpoint)}-v{version}-{digest_value(content)[:_DIGITS]}"


def config_name(endpoint: str, content: object) -> str:
    """Return the name of an endpoint configuration with a content."""
    return f"{base_of(endpoint)}-{digest_value(content)[:_DIGITS]}"


def is_model_of(endpoint: str, name: str) -> bool:
    """Return whether a model has a name that `model_name` gives."""
    return bool(re.fullmatch(rf"{re.escape(base_of(endpoint))}-v\d+-[0-9a-f]{{{_DIGITS}}}", name))


def is_config_of(endpoint: str, name: str) -> bool:
    """Return whether an endpoint configuration has a name that `config_name` gives."""
    return bool(re.fullmatch(rf"{re.escape(base_of(endpoint))}-[0-9a-f]{{{_DIGITS}}}", name))


def variant_name(version: int) -> str:
    """Return the name of the variant that serves a version."""
    return f"v{version}"


def version_of(variant: str) -> int | None:
    """Return the version that a variant's name means; None if it means none."""
    found = _VARIANT.fullmatch(variant)
    return int(found[1]) if found else None
