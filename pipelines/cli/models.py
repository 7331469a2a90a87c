"""`retrainer models`: the registry of models, and taking the champion out of service."""

import json
from pathlib import Path

import click

from .options import STORE


@click.group()
def models() -> None:
    """List the pushed models; retire the champion."""


@models.command("list")
@STORE
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(file: Path, as_json: bool) -> None:
    """List the models in the registry, newest first."""
    from ..project.config import load_config
    from .show_models import list_models, print_models

    found = list_models(load_config(file).config.store)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        print_models(found)


@models.command()
@STORE
@click.option("--why", default="", help="Reason, kept in the registry.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def retire(file: Path, why: str, as_json: bool) -> None:
    """Take the champion out of service.

    The next run has no champion to compare with: its model is judged by the value thresholds alone. The retired model
    and the history stay in the registry.
    """
    from ..project.config import load_config
    from .show_models import retire_champion

    version = retire_champion(load_config(file).config.store, why)
    if as_json:
        click.echo(json.dumps({"retired": version, "why": why}, indent=2))
        return
    click.echo(
        f"version {version} is no longer the champion. The next run has no champion to compare with; only the value "
        "thresholds decide."
    )
