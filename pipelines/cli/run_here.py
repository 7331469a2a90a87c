"""Running a pipeline on this machine, for every command that does."""

import json
from dataclasses import asdict
from pathlib import Path

import click


def run_here(
    file: Path,
    *,
    span: str,
    allow_older: bool = False,
    run_id: str | None,
    resume: str | None = None,
    caching: bool | None = None,
    notify: bool = True,
    as_json: bool,
    verbose: bool,
) -> int:
    """Run a retrain.yaml's pipeline and show it.

    Args:
        file: The retrain.yaml.
        span: The window's newest span, or `latest`.
        allow_older: Whether the model may replace a champion that has seen newer spans.
        run_id: Name of the run; None for one made of pipeline and time.
        resume: The failed run to go on with, or `last`.
        caching: False to do every task anew.
        notify: Whether those are notified whom `notify` names.
        as_json: Whether to print the run's record, and nothing else.
        verbose: Whether to show what tasks print.

    Returns:
        The exit code.

    Raises:
        RetrainerError: If the run can't start.
    """
    from ..local.observer import RunObserver
    from ..project.checks import check_settings
    from ..project.config import load_config
    from ..project.reach import ignored_here
    from ..runs.records import RunState
    from .options import show_warnings
    from .progress import make_observer
    from .run import run_locally, warm_runner

    loaded = load_config(file)
    show_warnings([*check_settings(loaded, here=True), *ignored_here(loaded)])
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
        )
    if as_json:
        click.echo(json.dumps(asdict(record), indent=2))
    return 0 if record.state == RunState.SUCCEEDED else 1
