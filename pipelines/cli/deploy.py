"""`retrainer deploy`: bringing services to what should serve, and what differs."""

import json
from pathlib import Path

import click

from .options import STORE


@click.command()
@STORE
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME",
    help="Only this service of serving.deploy. Repeatable.",
)
@click.option("--status", is_flag=True, help="Show what serves and what differs; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def deploy(file: Path, services: tuple[str, ...], status: bool, as_json: bool) -> None:
    """Deploy the champion to the services of serving.deploy.

    A service that serves it already is left as it is.

    The exit code is 1 if a service fails, or, with --status, if one serves something else than it should.
    """
    from ..project.config import load_config
    from .show_deployments import (
        chosen_services,
        deploy_services,
        print_deployments,
        print_status,
        read_status,
    )

    config = load_config(file).config
    chosen = chosen_services(config, services)
    if status:
        rows = read_status(config, chosen)
        show, bad = print_status, any(row["error"] or row["differences"] for row in rows)
    else:
        rows = deploy_services(config, chosen, lambda line: click.echo(line, err=True))
        show, bad = print_deployments, any(row["error"] for row in rows)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        show(rows)
    raise click.exceptions.Exit(int(bad))
