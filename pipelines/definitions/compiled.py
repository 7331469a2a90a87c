"""A compiled pipeline, as targets take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pipeline:
    """A compiled pipeline as it is submitted.

    Attributes:
        name: Its name.
        text: The compiled YAML; a second document holds what only Kubernetes takes. Empty for a template.
        spec: The first document, or the template's pipeline.
        vertex: The pipeline as Vertex AI alone takes it; None if that is `spec`.
        template: The template in Artifact Registry with its digest,
            `https://<region>-kfp.pkg.dev/<project>/<repository>/<package>/sha256:...`, if it was pushed. Vertex is then
            sent this name in place of the spec.
    """

    name: str
    text: str
    spec: Mapping[str, Any]
    template: str = ""
    vertex: Mapping[str, Any] | None = None
