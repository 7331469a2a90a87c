"""What commands do before they start a run on a service: read, check, compile, push."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from ...components.lib.errors import RetrainerError
from ...components.lib.moments import parse_now
from ..definitions.compiled import Pipeline
from ..definitions.compiling import Compiled, compile_pipeline
from ..project.config import LoadedConfig, load_config
from ..project.formats.names import check_run_id
from ..project.pipelines import CONTINUOUS_TRAINING, PIPELINES
from ..project.reach import (
    is_reachable,
    local_only,
    missing_secrets,
    reading_tasks,
    source_pattern,
    store_tasks,
)
from ..project.sections.targets import TARGETS
from ..project.sections.triggers import FLAGS
from ..targets.catalog import check_reachable, find_kind, target_settings
from ..targets.checks import check_target
from ..targets.images.pinning import pin_images
from ..targets.precedence import parse_pairs
from .options import show_warnings


def load_with_image(
    file: Path, image: str | None, pipeline: str = CONTINUOUS_TRAINING
) -> LoadedConfig:
    """Read a retrain.yaml, and pin its images; warns of images that can't be pinned.

    Args:
        file: The file.
        image: Image in place of the file's.
        pipeline: Which of `PIPELINES`.

    Returns:
        The configuration, its images named by digest where their registries say it.

    Raises:
        RetrainerError: If the file or an image's name is wrong.
    """
    loaded = load_config(file).of(pipeline)
    if image:
        config = loaded.config.model_copy(update={"image": image})
        loaded = dataclasses.replace(loaded, config=config)
    pinned, warnings = pin_images(loaded)
    show_warnings(warnings)
    return pinned


def prepare(
    file: Path,
    image: str | None,
    kind: str,
    parameters: Mapping[str, str],
    template: str,
    pipeline: str = CONTINUOUS_TRAINING,
) -> tuple[LoadedConfig, Pipeline]:
    """Prepare a pipeline for a target.

    Args:
        file: The retrain.yaml.
        image: Image in place of the file's.
        kind: Where it will run.
        parameters: Parameters of the run or schedule.
        template: Pushed template in place of the spec; a tag is resolved to its digest. Empty for none.
        pipeline: Which of `PIPELINES`.

    Returns:
        The configuration and the compiled pipeline.

    Raises:
        RetrainerError: If something is wrong that the service would report only after minutes.
    """
    if template:
        return _prepare_template(file, image, kind, parameters, template, pipeline)
    loaded = load_with_image(file, image, pipeline)
    check_run_id(loaded.pipeline_name)
    place, pattern = source_pattern(loaded)
    reached = {}
    for key, uri, tasks in (
        ("store", loaded.config.store, store_tasks(loaded)),
        (".".join(place), pattern, reading_tasks(loaded)),
    ):
        given = parameters.get(key.rpartition(".")[2], uri)
        if tasks and not is_reachable(given, loaded.config, tasks, kind):
            reached[key] = given
    check_reachable(kind, reached)
    show_warnings(
        [
            *check_target(loaded, kind),
            *local_only(loaded, kind),
            *missing_secrets(loaded, kind),
        ]
    )
    return loaded, compile_pipeline(loaded)


def _prepare_template(
    file: Path,
    image: str | None,
    kind: str,
    parameters: Mapping[str, str],
    template: str,
    pipeline: str,
) -> tuple[LoadedConfig, Pipeline]:
    """Prepare a pushed template: its own pipeline runs, with its own image."""
    from ..targets.templates import read_template, resolve_template

    if not find_kind(kind).takes_templates:
        able = " or ".join(name for name in TARGETS if find_kind(name).takes_templates)
        raise RetrainerError(f"--template works on {able} alone; on {kind} leave it out.")
    if image:
        raise RetrainerError(
            "--image does not apply to templates, which name their image. Push another template, or leave --image out."
        )
    loaded = load_config(file).of(pipeline)
    name = check_run_id(loaded.pipeline_name)
    uri = resolve_template(template)
    spec = read_template(uri)
    inputs = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    reached = {
        key: parameters.get(key, str(inputs.get(key, {}).get("defaultValue", "")))
        for key in ("store", "pattern")
    }
    check_reachable(kind, {key: value for key, value in reached.items() if value})
    return loaded, Pipeline(name, text="", spec=spec, template=uri)


def read_parameters(
    texts: tuple[str, ...],
    span: str | None = None,
    allow_older: bool = False,
    pipeline: str = CONTINUOUS_TRAINING,
) -> dict[str, str]:
    """Read the parameters that a command was given.

    Args:
        texts: `key=value` each.
        span: What `--span` says.
        allow_older: Whether `--allow-older` was given.
        pipeline: Which of `PIPELINES` they are for.

    Returns:
        Values by name.

    Raises:
        RetrainerError: If the pipeline has no such parameter, or a flag is neither true nor false.
    """
    parameters = parse_pairs(texts, "--parameter")
    if span is not None:
        parameters["span"] = span
    if allow_older:
        parameters["allow_older"] = "true"
    known = PIPELINES[pipeline].parameters
    for name in parameters:
        if name not in known:
            place = {"span": "--span", "allow_older": "--allow-older"}.get(name, "--parameter")
            raise RetrainerError(
                f"{place}: the pipeline {pipeline} has no '{name}'; it has {', '.join(known)}."
            )
    if parameters.get("allow_older", "false") not in FLAGS:
        raise RetrainerError(
            f"--parameter: allow_older is '{parameters['allow_older']}'; it must be true or false."
        )
    parse_now(parameters.get("now", ""))
    return parameters


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

    settings = target_settings("vertex", loaded, {"template_repository": repository})
    if not settings.template_repository:
        raise RetrainerError(
            "no template repository is configured. Set targets.vertex.template_repository in retrain.yaml, "
            "--template-repository or the variable RETRAINER_VERTEX_TEMPLATE_REPOSITORY, such as "
            "https://<region>-kfp.pkg.dev/<project>/<repository>."
        )
    return push_template(
        settings.template_repository, compiled.to_vertex_yaml(), loaded.pipeline_name, tags
    )
