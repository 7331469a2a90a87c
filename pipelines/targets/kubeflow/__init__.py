"""Kubeflow Pipelines as a target."""

from ....components.lib.errors import RetrainerError
from ....components.lib.uris import is_local
from ...definitions.compiled import Pipeline
from ...project.config import LoadedConfig
from ...project.sections.targets import KubeflowConfig
from ..interface import Target, TargetKind
from .settings import wrong_values


def open_kubeflow(
    loaded: LoadedConfig,
    settings: KubeflowConfig,
    pipeline: Pipeline,
    *,
    deadline_seconds: float,
    starts_runs: bool,
) -> Target:
    """Open Kubeflow Pipelines; see `interface.OpenTarget`."""
    from .target import KubeflowTarget

    if starts_runs and not loaded.config.image:
        raise RetrainerError(
            "image is not set, and every node of the cluster pulls it: name one with its registry as `image` in "
            "retrain.yaml, or with --image; or the name of a local build that the nodes have."
        )
    return KubeflowTarget(settings, pipeline, deadline_seconds)


def with_root(loaded: LoadedConfig, settings: KubeflowConfig) -> KubeflowConfig:
    """Return the settings with the pipeline's own root where they name none, and the cluster can reach it."""
    root = loaded.config.artifacts_uri
    if settings.pipeline_root or is_local(root):
        return settings
    return settings.model_copy(update={"pipeline_root": root})


TARGET = TargetKind(
    title="Kubeflow Pipelines",
    section=KubeflowConfig,
    open=open_kubeflow,
    is_configured=lambda settings: bool(settings.host),
    wrong_values=wrong_values,
    with_defaults=with_root,
)
