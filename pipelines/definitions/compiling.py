"""Compiling a retrain.yaml into a pipeline spec."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from kfp.compiler import pipeline_spec_builder

from ...components.lib.errors import RetrainerError
from ..project.checks import check_settings
from ..project.config import LoadedConfig
from ..project.pipelines import PIPELINES
from .compiled import Pipeline
from .pipeline_text import to_json, to_yaml
from .portable import drop_new_names, drop_unused_inputs
from .vertex_jobs import as_custom_jobs, with_resource_names


@dataclass(frozen=True)
class Compiled:
    """A compiled pipeline.

    Attributes:
        spec: The pipeline, as every reader takes it.
        platforms: What only Kubernetes takes; empty if there is nothing.
        vertex: The pipeline as Vertex AI alone takes it.
        has_vertex_settings: Whether tasks have settings there that no other reader takes.
        header: Comments that list its parameters.
    """

    spec: Mapping[str, Any]
    platforms: Mapping[str, Any] = field(default_factory=dict)
    vertex: Mapping[str, Any] = field(default_factory=dict)
    has_vertex_settings: bool = False
    header: str = ""

    def to_yaml(self) -> str:
        """Write one YAML document, without what only Kubernetes takes: every reader loads it."""
        return to_yaml(self.spec, header=self.header)

    def to_json(self) -> str:
        """Write the same as JSON."""
        return to_json(self.spec)

    def to_kubeflow_yaml(self) -> str:
        """Write what Kubeflow's API server, UI and client load: a second document has Kubernetes' settings."""
        documents = (self.spec, self.platforms) if self.platforms else (self.spec,)
        return to_yaml(*documents, header=self.header)

    def to_vertex_yaml(self) -> str:
        """Write what Vertex AI loads, with the settings that no other reader takes."""
        return to_yaml(self.vertex, header=self.header)


def compile_config(loaded: LoadedConfig) -> Compiled:
    """Compile a configuration.

    Args:
        loaded: The configuration; it says which pipeline.

    Returns:
        The pipeline, as it can be written for its readers.

    Raises:
        RetrainerError: If a component would refuse its settings.
    """
    check_settings(loaded)
    try:
        built = _build(loaded)
    except (ValueError, TypeError) as error:
        # KFP has rules of its own, such as which counts of accelerators there are.
        raise RetrainerError(
            f"{loaded.path}: Kubeflow Pipelines refuses a setting: {error}"
        ) from error
    # As kfp's Compiler.compile writes it, whose YAML in pure Python takes longer than all the rest.
    whole = _as_values(built.pipeline_spec)
    header = pipeline_spec_builder.extract_comments_from_pipeline_spec(whole, built.description)
    spec, platforms = drop_new_names(drop_unused_inputs(whole), _as_values(built.platform_spec))
    tasks = loaded.config.tasks
    named = {name: tasks.of(name) for name in type(tasks).model_fields if name != "all"}
    own = any(task.vertex.machine_type for task in named.values())
    vertex = as_custom_jobs(with_resource_names(spec), named, loaded.config.targets.vertex)
    return Compiled(spec, platforms, vertex, own, header)


def compile_spec(loaded: LoadedConfig) -> dict[str, Any]:
    """Compile a configuration.

    Args:
        loaded: The configuration; it says which pipeline.

    Returns:
        The pipeline spec as a dictionary.
    """
    return dict(compile_config(loaded).spec)


def compile_pipeline(loaded: LoadedConfig) -> Pipeline:
    """Compile a configuration for a target.

    Args:
        loaded: The configuration; it says which pipeline.

    Returns:
        What a target submits.
    """
    compiled = compile_config(loaded)
    return Pipeline(
        name=loaded.pipeline_name,
        text=compiled.to_kubeflow_yaml(),
        spec=compiled.spec,
        vertex=compiled.vertex,
    )


def _as_values(message: Message) -> dict[str, Any]:
    """Return a message as JSON's values, the keys in order."""
    values: dict[str, Any] = json.loads(
        json.dumps(json_format.MessageToDict(message), sort_keys=True)
    )
    return values


def _build(loaded: LoadedConfig) -> Any:
    """Build the pipeline in kfp's terms; its module is imported for it alone."""
    name = PIPELINES[loaded.pipeline].definition
    return getattr(importlib.import_module(f".{name}", __package__), name)(loaded)
