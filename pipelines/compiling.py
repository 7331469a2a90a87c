"""Compiling a retrain.yaml into a pipeline spec."""

import tempfile
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler

from ..components.lib.errors import RetrainerError
from .config import LoadedConfig
from .continuous_training import continuous_training
from .setting_checks import check_settings
from .targets.interface import Pipeline


def compile_text(loaded: LoadedConfig) -> str:
    """Compile a configuration.

    Args:
        loaded: The configuration.

    Returns:
        The pipeline spec as YAML, as Kubeflow Pipelines and Vertex AI take it.

    Raises:
        RetrainerError: If a component would refuse its settings.
    """
    check_settings(loaded)
    with tempfile.TemporaryDirectory(prefix="retrainer-compile-") as folder:
        file = Path(folder) / "pipeline.yaml"
        try:
            compiler.Compiler().compile(continuous_training(loaded), str(file))
        except (ValueError, TypeError) as error:
            # KFP has rules of its own, such as which counts of accelerators there are.
            raise RetrainerError(
                f"{loaded.path}: Kubeflow Pipelines refuses a setting: {error}"
            ) from error
        return file.read_text(encoding="utf-8")


def compile_spec(loaded: LoadedConfig) -> dict[str, Any]:
    """Compile a configuration.

    Args:
        loaded: The configuration.

    Returns:
        The pipeline spec as a dictionary.
    """
    return _first_document(compile_text(loaded))


def compile_pipeline(loaded: LoadedConfig, template: str = "") -> Pipeline:
    """Compile a configuration for a target.

    Args:
        loaded: The configuration.
        template: The pushed template with its digest, to be named in place of the spec.

    Returns:
        What a target submits.
    """
    text = compile_text(loaded)
    return Pipeline(loaded.config.name, text, _first_document(text), template)


def _first_document(text: str) -> dict[str, Any]:
    # A spec may be followed by a second document with Kubernetes' own settings.
    return next(iter(yaml.safe_load_all(text)))
