"""`retrainer backfill`: many spans in order."""

import json
from pathlib import Path

import click

from .options import ALLOW_OLDER, FILE


@click.command()
@FILE
@click.option("--from", "first", required=True, metavar="SPAN", help="Oldest span.")
@click.option(
    "--to", "last", default="latest", show_default=True, metavar="SPAN", help="Newest span."
)
@click.option("--again", is_flag=True, help="Also run spans that a run has done.")
@ALLOW_OLDER
@click.option("--json", "as_json", is_flag=True, help="Print each span's outcome as JSON.")
@click.pass_obj
def backfill(
    verbose: bool,
    file: Path,
    first: str,
    last: str,
    again: bool,
    allow_older: bool,
    as_json: bool,
) -> None:
    """Run the pipeline for many spans, oldest first.

    Each run is on this machine and has the window that ends with its span, as if it had run when the span was new.
    Spans that a run has done are skipped. The first failure ends the backfill; the same command continues it. No
    notifications are sent.
    """
    from ..local.observer import RunObserver
    from ..project.checks import check_settings
    from ..project.config import load_config
    from ..project.engine_reach import check_engines
    from ..project.reach import ignored_here
    from ..runs.backfill import plan, run_steps
    from ..runs.records import RunRecord
    from .options import show_warnings
    from .progress import make_observer
    from .run import run_locally
    from .show_backfill import print_steps
    from .tables import open_console
    from .warm import warm_runner

    loaded = load_config(file)
    show_warnings([*check_settings(loaded, here=True), *ignored_here(loaded)])
    check_engines(loaded)
    steps = plan(loaded, first, last, again, allow_older)
    done = False
    with warm_runner() as local:

        def run(span: str) -> RunRecord:
            observer = RunObserver() if as_json else make_observer(verbose=verbose)
            # Whoever started it sees the table; a message for each of many spans is one that nobody reads.
            return run_locally(
                local, loaded, observer, span=span, allow_older=allow_older, notify=False
            )

        try:
            done = run_steps(steps, loaded.config, run, lambda line: click.echo(line, err=as_json))
        finally:
            # Also after Ctrl-C: what was done stays done.
            if as_json:
                click.echo(json.dumps([step.to_json() for step in steps], indent=2))
            else:
                print_steps(steps, open_console())
    raise click.exceptions.Exit(0 if done else 1)
