"""`retrainer compile`: the pipeline as files for other tools."""

from pathlib import Path

import click

from .options import FILE, PIPELINE, show_warnings


@click.command("compile")
@FILE
@PIPELINE
@click.option(
    "-o",
    "--output",
    default="pipeline.yaml",
    show_default=True,
    help="Path or URI of the compiled pipeline; .json writes JSON.",
)
@click.option("--image", help="Container image of every task; overrides retrain.yaml.")
@click.option(
    "--push", is_flag=True, help="Also push the pipeline to targets.vertex.template_repository."
)
@click.option(
    "--tag",
    "tags",
    multiple=True,
    help="With --push: tag of the template, 'latest' by default. Repeatable.",
)
@click.option(
    "--template-repository",
    "repository",
    help="With --push: repository to push to; overrides retrain.yaml.",
)
def compile_(
    file: Path,
    pipeline: str,
    output: str,
    image: str | None,
    push: bool,
    tags: tuple[str, ...],
    repository: str | None,
) -> None:
    """Compile the pipeline for Kubeflow Pipelines or Vertex AI.

    If tasks have settings that only Kubernetes takes, another file, pipeline.kubernetes.yaml, has the pipeline with
    them, for Kubeflow's UI and kfp's client; and with settings of Vertex AI alone, pipeline.vertex.yaml.
    """
    from ...components.lib.uris import write_atomic
    from ..definitions.compiling import compile_config
    from ..project.checks import check_settings
    from ..project.reach import local_only, missing_secrets
    from ..targets.checks import check_target, check_together
    from .prepare import load_with_image, push_compiled

    for flag, given in (("--tag", tags), ("--template-repository", repository)):
        if given and not push:
            raise click.UsageError(f"{flag} needs --push: add --push, or leave {flag} out.")
    loaded = load_with_image(file, image, pipeline)
    compiled = compile_config(loaded)
    show_warnings(
        [
            *check_settings(loaded),
            *check_target(loaded),
            *check_together(loaded),
            *local_only(loaded),
            *missing_secrets(loaded),
        ]
    )
    as_json = output.lower().endswith(".json")
    write_atomic(output, compiled.to_json() if as_json else compiled.to_yaml())
    click.echo(f"wrote {output}")
    _write_beside(
        beside_file(output, "kubernetes"),
        compiled.to_kubeflow_yaml() if compiled.platforms else None,
        "the same with the settings that only Kubernetes takes; upload this file to Kubeflow",
    )
    _write_beside(
        beside_file(output, "vertex"),
        compiled.to_vertex_yaml() if compiled.has_vertex_settings else None,
        "the same with the settings that only Vertex AI takes; submit this file to Vertex AI",
    )
    if push:
        click.echo(f"pushed {push_compiled(loaded, compiled, tags or ('latest',), repository)}")


def beside_file(output: str, target: str) -> str:
    """Name the file with a target's own settings that stands beside a compiled pipeline.

    Args:
        output: Path or URI of the pipeline, such as `out/pipeline.yaml`.
        target: `kubernetes` or `vertex`.

    Returns:
        Such as `out/pipeline.kubernetes.yaml`: YAML in any case, since JSON has no second document.
    """
    folder, slash, name = output.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if not dot or ending.lower() not in ("yaml", "yml", "json"):
        stem = name
    return f"{folder}{slash}{stem}.{target}.yaml"


def _write_beside(uri: str, text: str | None, what: str) -> None:
    from ...components.lib.uris import write_atomic

    if text:
        write_atomic(uri, text)
        click.echo(f"wrote {uri}: {what}")
    elif _remove_old(uri):
        click.echo(f"removed {uri}: no task has these settings any more")


def _remove_old(uri: str) -> bool:
    """Remove what an earlier compilation wrote: whoever uploads it would run that one's settings."""
    from ...components.lib.uris import exists, read_text, remove
    from ..definitions.pipeline_text import KFP_HEADER

    if not exists(uri) or not read_text(uri).startswith(KFP_HEADER):
        return False
    remove(uri)
    return True
