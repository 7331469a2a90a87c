"""Pushing a compiled pipeline into an Artifact Registry."""

from ...components.lib.errors import RetrainerError
from ..config import LoadedConfig
from ..targets.choosing import settle_vertex


def push_compiled(loaded: LoadedConfig, text: str, tags: tuple[str, ...]) -> str:
    """Push a compiled pipeline.

    Args:
        loaded: The configuration that it was compiled from.
        text: The compiled YAML.
        tags: Tags to give it.

    Returns:
        The template's URI with its digest.

    Raises:
        RetrainerError: If no repository is named, or the registry refuses.
    """
    from ..targets.templates import push_template

    repository = settle_vertex(loaded, {}).template_repository
    if not repository:
        raise RetrainerError(
            "there is nowhere to push to: set targets.vertex.template_repository in retrain.yaml, or the variable "
            "RETRAINER_VERTEX_TEMPLATE_REPOSITORY, to https://<region>-kfp.pkg.dev/<project>/<repository>."
        )
    return push_template(repository, text, loaded.config.name, tags)
