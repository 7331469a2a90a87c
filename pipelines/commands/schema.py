"""`retrainer schema`: what the data must be, and how that changes."""

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.group()
def schema() -> None:
    """Look at the schema, frozen in the store or curated."""


_FILE = click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path),
    default="retrain.yaml",
    show_default=True,
    help="The retrain.yaml whose schema is meant.",
)


@schema.command()
@_FILE
@click.option("--pbtxt", is_flag=True, help="Print the file as it stands.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(file: Path, pbtxt: bool, as_json: bool) -> None:
    """Show the schema: each column's type, presence, domain and thresholds.

    It is the one that validation.schema_uri names, or the one that the first run froze in the store.
    """
    from ...components.validate_examples.describing import describe
    from ..config import load_config
    from ..schema_view import print_schema
    from ..schemas import open_schema

    if pbtxt and as_json:
        raise click.UsageError("give --pbtxt or --json, not both")
    opened = open_schema(load_config(file).config)
    if pbtxt:
        click.echo(opened.text, nl=False)
    elif as_json:
        columns = [asdict(column) for column in describe(opened.schema)]
        click.echo(json.dumps({"uri": opened.uri, "columns": columns}, indent=2))
    else:
        click.echo(opened.uri)
        print_schema(describe(opened.schema))
