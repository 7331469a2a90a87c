"""Vertex AI Pipelines as a target."""

from ...definitions.compiled import Pipeline
from ...project.config import LoadedConfig
from ...project.sections.targets import VertexConfig
from ..interface import Target, TargetKind
from .settings import check_image, wrong_values


def open_vertex(
    loaded: LoadedConfig,
    settings: VertexConfig,
    pipeline: Pipeline,
    *,
    deadline_seconds: float,
    starts_runs: bool,
) -> Target:
    """Open Vertex AI; see `interface.OpenTarget`."""
    from .target import VertexTarget

    if starts_runs and not pipeline.template:
        check_image(loaded.config.image or "")
    return VertexTarget(
        settings, pipeline, deadline_seconds=deadline_seconds, starts_runs=starts_runs
    )


def with_root(loaded: LoadedConfig, settings: VertexConfig) -> VertexConfig:
    """Return the settings with the pipeline's own root where they name none, and Vertex AI can write there."""
    root = loaded.config.artifacts_uri
    if settings.pipeline_root or not root.startswith("gs://"):
        return settings
    return settings.model_copy(update={"pipeline_root": root})


TARGET = TargetKind(
    title="Vertex AI",
    section=VertexConfig,
    open=open_vertex,
    is_configured=lambda settings: bool(settings.project and settings.region),
    wrong_values=wrong_values,
    with_defaults=with_root,
    takes_templates=True,
    keeps_limits=True,
)
