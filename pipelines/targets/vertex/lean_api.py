"""Which version of Vertex AI's API a target talks to, and the client library's modules of that version."""

import importlib
from typing import Any

from ....components.lib.lean_imports import enter_lean
from ...project.sections.targets import VertexConfig

_PACKAGES = {"v1": "google.cloud.aiplatform_v1", "v1beta1": "google.cloud.aiplatform_v1beta1"}
for _package in _PACKAGES.values():
    enter_lean(_package, f"{_package}.services", f"{_package}.types")


def api_version(config: VertexConfig) -> str:
    """Return the version: v1, or v1beta1 where a setting is in that one alone.

    That is RuntimeConfig.default_runtime, for persistent resources (google-cloud-aiplatform 1.165,
    types/pipeline_job.py of both packages).

    Args:
        config: The target's settings.
    """
    return "v1beta1" if config.persistent_resource else "v1"


def api_module(config: VertexConfig, name: str) -> Any:
    """Load a module of the client library.

    Args:
        config: The target's settings.
        name: Its name within the package of the version, such as `types.schedule`.
    """
    return importlib.import_module(f"{_PACKAGES[api_version(config)]}.{name}")
