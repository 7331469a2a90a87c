"""Pushing a compiled pipeline into an Artifact Registry."""

from ...components.lib.errors import RetrainerError
from ..definitions.compiling import Compiled
from ..project.config import LoadedConfig
from ..targets.catalog import settle_vertex


def push_compiled(
    loaded: LoadedConfig, compiled: Compiled, tags: tuple[str, ...], repository: str | None
) -> str:
    """Push a compiled pipeline.

    Args:
        loaded: The configuration that it was compiled from.
        compiled: The pipeline. Only Vertex AI runs templates, so what Kubernetes alone takes is left out.
        tags: Tags to give it.
        repository: Where to, over the environment variable and retrain.yaml.

    Returns:
        The template's URI with its digest.

    Raises:
        RetrainerError: If no repository is named, or the registry refuses.
    """
    from ..targets.templates import push_template

    settings = settle_vertex(loaded, {"template_repository": repository})
    if not settings.template_repository:
        raise RetrainerError(
            "there is nowhere to push to: set targets.vertex.template_repository in retrain.yaml, or give "
            "--template-repository or the variable RETRAINER_VERTEX_TEMPLATE_REPOSITORY, as "
            "https://<region>-kfp.pkg.dev/<project>/<repository>."
        )
    return push_template(
        settings.template_repository, compiled.to_vertex_yaml(), loaded.config.name, tags
    )
