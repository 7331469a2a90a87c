"""Opening the target that a command names."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.uris import is_local
from ..definitions.compiled import Pipeline
from ..project.config import LoadedConfig
from ..project.sections.targets import KubeflowConfig, VertexConfig
from .precedence import flag, settle
from .types import Target


class TargetKind(StrEnum):
    """Services that runs can be sent to."""

    VERTEX = "vertex"
    KUBEFLOW = "kubeflow"


def settle_vertex(loaded: LoadedConfig, flags: Mapping[str, Any]) -> VertexConfig:
    """Give Vertex's settings: flags over environment variables over retrain.yaml.

    Args:
        loaded: The configuration.
        flags: Flags by key of VertexConfig.
    """
    config = loaded.config
    settings = settle(TargetKind.VERTEX, config.targets.vertex, flags)
    if not settings.pipeline_root and config.artifacts_uri.startswith("gs://"):
        settings = settings.model_copy(update={"pipeline_root": config.artifacts_uri})
    return settings


def settle_kubeflow(loaded: LoadedConfig, flags: Mapping[str, Any]) -> KubeflowConfig:
    """Give Kubeflow's settings: flags over environment variables over retrain.yaml.

    Args:
        loaded: The configuration.
        flags: Flags by key of KubeflowConfig.
    """
    config = loaded.config
    settings = settle(TargetKind.KUBEFLOW, config.targets.kubeflow, flags)
    if not settings.pipeline_root and not is_local(config.artifacts_uri):
        settings = settings.model_copy(update={"pipeline_root": config.artifacts_uri})
    return settings


def open_target(
    kind: TargetKind,
    loaded: LoadedConfig,
    pipeline: Pipeline,
    flags: Mapping[str, Any],
    starts_runs: bool = True,
) -> Target:
    """Open a target.

    Args:
        kind: Which.
        loaded: The configuration.
        pipeline: What is submitted.
        flags: Flags by key of the target's settings.
        starts_runs: Whether runs will be started, which need an image that the target can pull and a folder for their
            artifacts.

    Raises:
        RetrainerError: If a setting is missing or wrong, or a flag is another target's.
    """
    sections: dict[TargetKind, Any] = {
        TargetKind.VERTEX: VertexConfig,
        TargetKind.KUBEFLOW: KubeflowConfig,
    }
    check_flags(flags, sections[kind].model_fields, kind)
    if kind == TargetKind.VERTEX:
        from .vertex.target import VertexTarget

        if starts_runs and not pipeline.template:
            _check_image(loaded)
        return VertexTarget(settle_vertex(loaded, flags), pipeline, starts_runs=starts_runs)
    from .kubeflow.target import KubeflowTarget

    if starts_runs and not loaded.config.image:
        raise RetrainerError(
            "image is not set, and every node of the cluster pulls it: name one with its registry as `image` in "
            "retrain.yaml, or with --image; or the name of a local build that the nodes have."
        )
    return KubeflowTarget(settle_kubeflow(loaded, flags), pipeline)


def check_flags(flags: Mapping[str, Any], known: Collection[str], kind: str) -> None:
    """Refuse flags that a target has no use for.

    Args:
        flags: Values by key; None is not given.
        known: Keys that it has a use for.
        kind: The target's name.

    Raises:
        RetrainerError: If one was given.
    """
    unused = [key for key, value in flags.items() if value is not None and key not in known]
    if unused:
        raise RetrainerError(f"{flag(unused[0])} is not for runs on {kind}; leave it out.")


def check_reachable(kind: TargetKind, values: Mapping[str, str]) -> None:
    """Refuse data and store that a task on another machine could not reach.

    Args:
        kind: Where the tasks run.
        values: URIs by what they are: `store`, `data.pattern`.

    Raises:
        RetrainerError: If one is a folder of this machine.
    """
    for key, uri in values.items():
        if is_local(uri.replace("{", "").replace("}", "")):
            raise RetrainerError(
                f"{key} is '{uri}', a folder of this machine, which tasks on {kind} can't reach. Put it on a bucket "
                f"(gs://, s3://) and say so in retrain.yaml, or give it with --parameter {key.rpartition('.')[2]}=..."
            )


def _check_image(loaded: LoadedConfig) -> None:
    image = loaded.config.image or ""
    host = image.partition("/")[0]
    if "/" not in image or "." not in host:
        shown = f"'{image}'" if image else "not set, which means a local build"
        raise RetrainerError(
            f"image is {shown}, and Vertex AI pulls from a registry. Build one (make image), push it, and name it with "
            "its registry as `image` in retrain.yaml, or with --image."
        )
