"""Running a retrain.yaml on this machine."""

import dataclasses
import json
from dataclasses import asdict
from pathlib import Path

import click

from ...components.lib.errors import RetrainerError
from ...components.lib.moments import parse_now
from ...components.lib.uris import filesystem, is_local
from ..definitions.compiling import compile_spec
from ..local.observer import RunObserver
from ..local.runner import LocalRunner
from ..project.checks import check_settings
from ..project.config import LoadedConfig, load_config
from ..project.engine_reach import check_engines
from ..project.pipelines import CONTINUOUS_TRAINING, PIPELINES
from ..project.reach import ignored_here
from ..project.sections.notify import NotifyConfig
from ..runs.record_store import find_run
from ..runs.records import RunRecord, RunState
from ..runs.run_ids import new_run_id
from .options import show_warnings
from .progress import make_observer
from .warm import warm_runner


def run_locally(
    local: LocalRunner,
    loaded: LoadedConfig,
    observer: RunObserver,
    *,
    span: str | None = None,
    allow_older: bool = False,
    run_id: str | None = None,
    resume: str | None = None,
    caching: bool | None = None,
    notify: bool = True,
    now: str = "",
) -> RunRecord:
    """Compile a retrain.yaml and run what was compiled.

    Args:
        local: The runner.
        loaded: The configuration.
        observer: Is called at each step.
        span: The newest span to use; by default the newest that there is.
        allow_older: Whether the model may replace a champion that has seen newer spans.
        run_id: Name of the run; made of the pipeline's name and the time if not given.
        resume: The failed run to resume, or `last`.
        caching: False to ignore the cache.
        notify: Whether notifications are sent.
        now: When it is, in ISO 8601; empty for the clock's time.

    Returns:
        The run's record, whether it succeeded or failed.

    Raises:
        RetrainerError: If the run can't start.
        RunInterrupted: On SIGINT, SIGTERM or SIGHUP, after every task was ended.
    """
    if not notify:
        quiet = loaded.config.model_copy(update={"notify": NotifyConfig()})
        loaded = dataclasses.replace(loaded, config=quiet)
    config = loaded.config
    if not is_local(config.artifacts_uri):
        raise RetrainerError(
            f"pipeline_root is '{config.artifacts_uri}', and a local run writes its artifacts to a local "
            "folder. Set pipeline_root to a local folder; the store may stay on a bucket."
        )
    known = PIPELINES[loaded.pipeline].parameters
    given = {"span": span or "latest", "allow_older": str(allow_older).lower(), "now": now}
    parameters = {name: value for name, value in given.items() if name in known}
    if resume:
        earlier = find_run(config.store, resume, loaded.pipeline_name)
        run_id = earlier.run_id
        parameters |= {
            name: earlier.parameters[name] for name in parameters if name in earlier.parameters
        }
    return local.run(
        compile_spec(loaded),
        store=config.store,
        pipeline_root=filesystem(config.artifacts_uri)[1],
        run_id=run_id or new_run_id(loaded.pipeline_name),
        parameters=parameters,
        resume=bool(resume),
        caching=caching,
        observer=observer,
    )


def run_here(
    file: Path,
    *,
    pipeline: str = CONTINUOUS_TRAINING,
    span: str | None,
    allow_older: bool = False,
    run_id: str | None,
    resume: str | None = None,
    caching: bool | None = None,
    notify: bool = True,
    now: str = "",
    as_json: bool,
    verbose: bool,
) -> int:
    """Run a retrain.yaml's pipeline and show it.

    Args:
        file: The retrain.yaml.
        pipeline: Which of `PIPELINES`.
        span: The newest span to use; by default the newest that there is.
        allow_older: Whether the model may replace a champion that has seen newer spans.
        run_id: Name of the run; None for one made of pipeline and time.
        resume: The failed run to resume, or `last`.
        caching: False to ignore the cache.
        notify: Whether notifications are sent.
        now: When it is, in ISO 8601; empty for the clock's time. For a pipeline that has this parameter.
        as_json: Whether to print the run's record, and nothing else.
        verbose: Whether to show what tasks print.

    Returns:
        The exit code.

    Raises:
        RetrainerError: If the run can't start.
    """
    loaded = load_config(file).of(pipeline)
    given = ("span", span is not None), ("allow_older", allow_older), ("now", bool(now))
    for name in (name for name, is_given in given if is_given):
        if name not in PIPELINES[pipeline].parameters:
            raise RetrainerError(
                f"the pipeline {pipeline} has no parameter '{name}'; leave it out."
            )
    parse_now(now)
    show_warnings([*check_settings(loaded, here=True), *ignored_here(loaded)])
    if not resume:
        check_engines(loaded)
    with warm_runner() as local:
        record = run_locally(
            local,
            loaded,
            RunObserver() if as_json else make_observer(verbose=verbose),
            span=span,
            allow_older=allow_older,
            run_id=run_id,
            resume=resume,
            caching=caching,
            notify=notify,
            now=now,
        )
    if as_json:
        click.echo(json.dumps(asdict(record), indent=2))
    return 0 if record.state == RunState.SUCCEEDED else 1
