"""`retrainer schema`: what the data must be, and how that changes."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from .options import STORE


@click.group()
def schema() -> None:
    """Show the schema; accept permanent changes into it."""


_RUN = click.option(
    "--run",
    "run_id",
    default="last",
    show_default=True,
    help="Run whose data to compare ('last': the newest run with statistics).",
)
_STATISTICS = click.option(
    "--statistics",
    "folder",
    default="",
    metavar="URI",
    help="URI of a statistics artifact to compare instead, such as of a run on Vertex AI.",
)


@schema.command()
@STORE
@click.option("--pbtxt", is_flag=True, help="Print the schema.pbtxt itself.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(file: Path, pbtxt: bool, as_json: bool) -> None:
    """Show each column's type, presence, domain, thresholds.

    It is the one that validation.schema_uri names, or the one that the first run froze in the store.
    """
    from ...components.validate_examples.schema_words import describe
    from ..project.config import load_config
    from ..project.schemas import open_schema
    from .show_schema import print_schema

    if pbtxt and as_json:
        raise click.UsageError("choose either --pbtxt or --json")
    opened = open_schema(load_config(file).config)
    if pbtxt:
        click.echo(opened.text, nl=False)
    elif as_json:
        columns = [asdict(column) for column in describe(opened.schema)]
        click.echo(json.dumps({"uri": opened.uri, "columns": columns}, indent=2))
    else:
        click.echo(opened.uri)
        print_schema(describe(opened.schema))


@schema.command()
@STORE
@_RUN
@_STATISTICS
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there is a change.")
def diff(file: Path, run_id: str, folder: str, exit_code: bool) -> None:
    """Show the schema changes that the newest data requires, one a line."""
    from ..project.config import load_config
    from ..project.schemas import open_schema
    from ..runs.schema_changes import find_changes, read_data

    config = load_config(file).config
    opened = open_schema(config)
    data = read_data(config, run_id, folder)
    changes = find_changes(config, opened, data)
    for change in changes:
        click.echo(change.line)
    if not changes:
        click.echo(f"no changes: {data.name} fits {opened.uri}")
    elif exit_code:
        raise click.exceptions.Exit(1)


@schema.command()
@click.argument("columns", nargs=-1, metavar="[COLUMN]...")
@click.option("--all", "take_all", is_flag=True, help="Accept the changes of every column.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help="Accept only this kind of change, such as unexpected_values. Repeatable.",
)
@STORE
@_RUN
@_STATISTICS
@click.option("--dry-run", is_flag=True, help="Show what would change, without writing it.")
def accept(
    columns: tuple[str, ...],
    take_all: bool,
    kinds: tuple[str, ...],
    file: Path,
    run_id: str,
    folder: str,
    dry_run: bool,
) -> None:
    """Accept the changes of COLUMNs into the schema.

    The earlier schema is kept in a numbered file beside it.
    """
    from ..project.config import load_config
    from ..runs.schema_changes import Selection, accept_changes, read_data

    if bool(columns) == take_all:
        raise click.UsageError("name the columns to accept, or add --all")
    config = load_config(file).config
    data = read_data(config, run_id, folder)
    update, opened, kept = accept_changes(config, data, Selection(columns, kinds), dry_run)
    for change in update.changes:
        click.echo(change.line)
    for line in update.left:
        click.echo(f"not accepted: {line}")
    if not update.changes:
        click.echo(f"no changes: {data.name} fits {opened.uri}")
    elif dry_run:
        click.echo(f"nothing written (--dry-run) to {opened.uri}")
    else:
        click.echo(f"changed {opened.uri}; the former schema is {kept}")
