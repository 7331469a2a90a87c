"""The command `retrainer`."""

import io
import logging
import os
import signal
import sys
import warnings
from pathlib import Path

import click

from ...components.lib.errors import RetrainerError
from ...components.lib.garbage_collection import collect_seldom
from ...components.lib.image import VERSION
from ...components.lib.network import prepare
from ..examples import EXAMPLES
from ..project.installed import missing_package
from ..project.pipelines import MONITORING
from .backfill import backfill
from .compile import compile_
from .config import config
from .deploy import deploy
from .metrics import metrics
from .models import models
from .monitor import monitor_group
from .notify import notify
from .options import ALLOW_OLDER, FILE, PIPELINE
from .predict import predict
from .report import report
from .rollout import rollout
from .runs import runs
from .schedule import schedule
from .schema import schema
from .serve_log import serve_log
from .spans import spans
from .submit import submit
from .trigger import trigger

# A shell's exit code of a program that a signal ended is this and the signal's number.
SIGNALLED = 128


def main() -> None:
    """Run the command line; the console script's entry point.

    Exit codes: 0 done (a refused model is a done run), 1 failed, 2 wrong usage, 3 a run on a service could no
    longer be followed and goes on, 130 interrupted by Ctrl-C (128 and the signal's number).
    """
    collect_seldom()
    prepare()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path or a value that the terminal's encoding lacks is no reason to end.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.exceptions.Exit as done:
        code = done.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        # click hides the interrupt in an Abort; a run's own says which run it was.
        cause = error.__cause__ or error
        click.echo(str(cause) or "interrupted", err=True)
        code = SIGNALLED + getattr(cause, "signal_number", signal.SIGINT)
    except BrokenPipeError:
        # The reader of our output went away, as `head` does. What is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "retrainer"):
            raise
        click.echo(
            click.style("error: ", fg="red", bold=True) + str(missing_package(package)), err=True
        )
        code = 1
    except (RetrainerError, OSError) as error:
        click.echo(click.style("error: ", fg="red", bold=True) + _describe(error), err=True)
        code = getattr(error, "exit_code", 1)
    sys.exit(code or 0)


def _list_examples() -> str:
    lines = [f"  {name.ljust(max(map(len, EXAMPLES)))}  {what}" for name, what in EXAMPLES.items()]
    # \b keeps click from joining the lines that follow.
    return "\b\n" + "\n".join(["Examples:", *lines])


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: '{error.filename}'" if error.filename else error.strerror
    return str(error)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="retrainer")
@click.option(
    "-v", "--verbose", is_flag=True, help="Show the libraries' output and every task's log."
)
@click.pass_context
def cli(context: click.Context, verbose: bool) -> None:
    """Continuous training for Kubeflow Pipelines and Vertex AI, on the TFX libraries."""
    context.obj = verbose
    if not verbose:
        # google.api_core warns once a package that this Python's end of life is years away.
        warnings.simplefilter("ignore", FutureWarning)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # Beam warns at the root itself of what it could not import.
        logging.getLogger().addFilter(_is_error)
        logging.getLogger("absl").setLevel(logging.ERROR)
        # It logs a traceback of each error that it raises.
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)


@cli.command(epilog=_list_examples())
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--example",
    type=click.Choice(list(EXAMPLES)),
    default="starter",
    show_default=True,
    help="Project to start from.",
)
def init(folder: Path, example: str) -> None:
    """Write a project that runs as it is into FOLDER.

    That is a retrain.yaml, a model.py and data.
    """
    from ..project.starting import init_project

    for file in init_project(folder, example):
        click.echo(f"wrote {file}")
    click.echo(f"Now: retrainer run {folder / 'retrain.yaml'}")


@cli.command()
@FILE
@PIPELINE
@click.option("--span", help="Newest span to use; by default the newest that there is.")
@ALLOW_OLDER
@click.option("--run-id", help="Name of the run; an existing name is an error.")
@click.option(
    "--resume",
    metavar="RUN",
    help="Resume a failed run from the tasks that failed ('last': the newest run).",
)
@click.option("--no-cache", is_flag=True, help="Ignore cached results and run every task.")
@click.option("--no-notify", is_flag=True, help="Do not send notifications.")
@click.option("--json", "as_json", is_flag=True, help="Print only the run's record, as JSON.")
@click.pass_obj
def run(
    verbose: bool,
    file: Path,
    pipeline: str,
    span: str | None,
    allow_older: bool,
    run_id: str | None,
    resume: str | None,
    no_cache: bool,
    no_notify: bool,
    as_json: bool,
    now: str = "",
) -> None:
    """Run a pipeline of FILE (retrain.yaml) on this machine.

    After --pipeline monitoring, the runs follow that incidents ask for.
    """
    if resume and (run_id or allow_older or span is not None):
        raise click.UsageError(
            "--resume keeps the span, --allow-older and name of the run: leave out --span, --allow-older and --run-id."
        )
    from .warm import warming_up

    with warming_up():
        from .run import run_here

        code = run_here(
            file,
            pipeline=pipeline,
            span=span,
            allow_older=allow_older,
            run_id=run_id,
            resume=resume,
            caching=False if no_cache else None,
            notify=not no_notify,
            now=now,
            as_json=as_json,
            verbose=verbose,
        )
    if pipeline == MONITORING:
        from .retrains import print_retrains, retrain_here

        found = retrain_here(file, quiet=as_json, verbose=verbose)
        code = max(code, print_retrains(found, err=as_json))
    raise click.exceptions.Exit(code)


@cli.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default="flights-demo",
    show_default=True,
    help="Output folder; an earlier demo there is replaced.",
)
@click.pass_obj
def demo(verbose: bool, folder: Path) -> None:
    """Retrain, serve and monitor on New York's flights of 2013."""
    from .warm import warming_up

    with warming_up():
        from .demo import run_demo

        code = run_demo(folder, verbose)
    raise click.exceptions.Exit(code)


cli.add_command(backfill)
cli.add_command(compile_)
cli.add_command(config)
cli.add_command(deploy)
cli.add_command(metrics)
cli.add_command(models)
cli.add_command(monitor_group(run, submit, schedule))
cli.add_command(notify)
cli.add_command(predict)
cli.add_command(report)
cli.add_command(rollout)
cli.add_command(runs)
cli.add_command(submit)
cli.add_command(schedule)
cli.add_command(schema)
cli.add_command(serve_log)
cli.add_command(trigger)
cli.add_command(spans)


if __name__ == "__main__":
    main()
