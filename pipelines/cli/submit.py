"""`retrainer submit`: one run, now."""

import json
from dataclasses import asdict
from pathlib import Path
from signal import SIGINT
from typing import Any

import click

from ..project.pipelines import CONTINUOUS_TRAINING, MONITORING
from ..project.sections.targets import TARGETS
from .options import (
    ALLOW_OLDER,
    FILE,
    IMAGE,
    PARAMETERS,
    PIPELINE,
    show_warnings,
    take_flags,
    target_options,
)


@click.command()
@FILE
@PIPELINE
@click.option(
    "--to",
    "kind",
    type=click.Choice([*TARGETS, "local"]),
    required=True,
    help="Service to run on; local is the same as `retrainer run`.",
)
@click.option("--run-id", help="Name of the run; if it exists, no run is started.")
@click.option("--span", help="Newest span of the window; by default the newest that there is.")
@ALLOW_OLDER
@PARAMETERS
@IMAGE
@click.option(
    "--template",
    default="",
    help="Vertex: run a pushed template, https://<region>-kfp.pkg.dev/...; a tag is resolved to its "
    "digest.",
)
@click.option("--wait", is_flag=True, help="Follow the run until it ends, task by task.")
@click.option(
    "--poll-seconds",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Seconds between two requests of --wait.",
)
@click.option("--dry-run", is_flag=True, help="Print the request without sending it.")
@click.option("--json", "as_json", is_flag=True, help="Print the service's answer as JSON.")
@target_options
@click.pass_obj
def submit(
    verbose: bool,
    file: Path,
    pipeline: str,
    kind: str,
    run_id: str | None,
    span: str | None,
    allow_older: bool,
    parameters: tuple[str, ...],
    image: str | None,
    template: str,
    wait: bool,
    poll_seconds: float,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Start a run on Vertex AI, Kubeflow or this machine.

    Exit codes with --wait: 0 the run succeeded, 1 it failed or was cancelled, 3 it could no longer be followed and
    continues, 130 or 143 Ctrl-C or SIGTERM ended the waiting and the run continues.
    """
    from ..project.checks import check_settings
    from ..project.formats.names import check_run_id
    from ..runs.run_ids import new_run_id
    from ..runs.submissions import SubmissionRecorder
    from ..targets.catalog import check_flags, open_target
    from ..targets.errors import UnavailableError
    from ..targets.run_progress import LostSightError, Stopped, follow, stopped_by_signals
    from ..targets.types import RemoteState, RunRequest
    from .prepare import prepare, read_parameters
    from .users import this_user

    given = read_parameters(parameters, span, allow_older, pipeline)
    if kind == "local":
        unused = {**take_flags(options), "image": image, "template": template or None}
        check_flags(unused, (), kind)
        code = _run_here(
            file, pipeline, given, run_id, as_json=as_json, dry_run=dry_run, verbose=verbose
        )
        if pipeline == MONITORING and not dry_run:
            from .retrains import print_retrains, retrain_here

            found = retrain_here(file, quiet=as_json, verbose=verbose)
            code = max(code, print_retrains(found, err=as_json))
        raise click.exceptions.Exit(code)
    loaded, compiled = prepare(file, image, kind, given, template, pipeline)
    if not template:
        show_warnings(check_settings(loaded))
    target = open_target(kind, loaded, compiled, take_flags(options))
    request = RunRequest(check_run_id(run_id or new_run_id(compiled.name)), given)
    if dry_run:
        click.echo(json.dumps(target.describe(request), indent=2))
        return
    which = "" if pipeline == CONTINUOUS_TRAINING else f" --pipeline {pipeline}"
    again = f"retrainer submit {file}{which} --to {kind} --run-id {request.run_id}"
    try:
        submission = target.submit(request)
    except UnavailableError as error:
        raise UnavailableError(
            f"{error} Whether run {request.run_id} was started is not known; this starts it unless it was: {again}"
        ) from error
    if as_json:
        click.echo(json.dumps(asdict(submission), indent=2, default=str))
    else:
        word = "exists already" if submission.existed else "submitted"
        click.echo(f"run {submission.run_id} {word}: {submission.url}")
    recorder = SubmissionRecorder(loaded, target)
    problem = recorder.record_in_time(request, submission, by=this_user())
    show_warnings([problem] if problem else [])
    if not wait:
        return
    goes_on = (
        f"Run {request.run_id} is no longer followed, and goes on: {submission.url}\n"
        f"To follow it again: {again} --wait (with the same other options)"
    )
    try:
        with stopped_by_signals():
            status = follow(
                target, submission, lambda line: click.echo(line, err=as_json), poll_seconds
            )
    except LostSightError as error:
        raise LostSightError(f"{error}\n{goes_on}") from error
    except KeyboardInterrupt as error:
        raise Stopped(goes_on, getattr(error, "signal_number", SIGINT)) from error
    click.echo(f"{status.state}{': ' if status.error else ''}{status.error}", err=as_json)
    if pipeline == MONITORING:
        from .retrains import print_retrains, retrain_on

        print_retrains(retrain_on(kind, file, image, take_flags(options)), err=as_json)
    raise click.exceptions.Exit(0 if status.state == RemoteState.SUCCEEDED else 1)


def _run_here(
    file: Path,
    pipeline: str,
    parameters: dict[str, str],
    run_id: str | None,
    *,
    as_json: bool,
    dry_run: bool,
    verbose: bool,
) -> int:
    from ...components.lib.errors import RetrainerError
    from ..runs.run_ids import check_local_run_id
    from .run import run_here

    others = sorted(set(parameters) - {"span", "allow_older", "now"})
    if others:
        raise RetrainerError(
            f"--parameter {others[0]}: a local run takes it from retrain.yaml; set it there."
        )
    if run_id:
        check_local_run_id(run_id)
    if dry_run:
        click.echo(json.dumps({"run": run_id, "parameters": parameters}, indent=2))
        return 0
    return run_here(
        file,
        pipeline=pipeline,
        span=parameters.get("span"),
        allow_older=parameters.get("allow_older") == "true",
        now=parameters.get("now", ""),
        run_id=run_id,
        as_json=as_json,
        verbose=verbose,
    )
