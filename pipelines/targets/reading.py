"""Opening a service to ask for its runs: without an image, and without compiling the pipeline."""

from collections.abc import Mapping
from typing import Any

from ..definitions.compiled import Pipeline
from ..project.config import LoadedConfig
from ..project.sections.tasks import TasksConfig
from .catalog import TargetKind, settle_kubeflow, settle_vertex
from .types import Target

_NAMES = {TargetKind.VERTEX: "Vertex AI", TargetKind.KUBEFLOW: "Kubeflow Pipelines"}


def service_name(kind: TargetKind) -> str:
    """Give the name of a service for people."""
    return _NAMES[kind]


def configured(loaded: LoadedConfig) -> list[TargetKind]:
    """List the services that retrain.yaml or the environment name.

    Args:
        loaded: The configuration.
    """
    vertex, kubeflow = settle_vertex(loaded, {}), settle_kubeflow(loaded, {})
    kinds = []
    if vertex.project and vertex.region:
        kinds.append(TargetKind.VERTEX)
    if kubeflow.host:
        kinds.append(TargetKind.KUBEFLOW)
    return kinds


def open_for_reading(
    kind: TargetKind, loaded: LoadedConfig, seconds: float, place: Mapping[str, str] | None = None
) -> Target:
    """Open a service to list, follow and cancel runs.

    Args:
        kind: Which.
        loaded: The configuration.
        seconds: How long a call may take, its repetitions included.
        place: Where the runs are, over the configuration's own, as `Target.place` said when they were submitted.

    Raises:
        RetrainerError: If a setting is missing or wrong.
    """
    flags = {key: value for key, value in (place or {}).items() if value}
    # Of a run that was started from an uploaded pipeline the service may not give the spec.
    names = [name.replace("_", "-") for name in TasksConfig.model_fields if name != "all"]
    spec: dict[str, Any] = {"root": {"dag": {"tasks": {name: {} for name in names}}}}
    pipeline = Pipeline(loaded.config.name, "", spec)
    if kind == TargetKind.VERTEX:
        from .vertex.target import VertexTarget

        settings = settle_vertex(loaded, flags)
        return VertexTarget(settings, pipeline, deadline_seconds=seconds, starts_runs=False)
    from .kubeflow.target import KubeflowTarget

    return KubeflowTarget(settle_kubeflow(loaded, flags), pipeline, seconds)
