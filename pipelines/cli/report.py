"""`retrainer report`: one page of everything that a store knows."""

from pathlib import Path

import click

from .options import STORE


@click.command()
@STORE
def report(file: Path) -> None:
    """Write one page of the store, with links to all reports.

    It shows champions, incidents and signals of monitoring, runs and spans. It is index.html in the store, and needs no
    network. No service is asked: runs on Vertex AI and Kubeflow have the state that their tasks recorded.
    """
    from ..project.config import load_config
    from ..site.page import write_site

    config = load_config(file).config
    click.echo(write_site(config.store, config.name))
