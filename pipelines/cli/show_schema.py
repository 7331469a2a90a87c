"""Schemas, as people read them."""

from collections.abc import Sequence
from dataclasses import astuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...components.validate_examples.schema_words import ColumnWords
from .tables import open_console

_HEADS = ("column", "type", "presence", "domain", "thresholds", "notes")


def print_schema(columns: Sequence[ColumnWords], console: Console | None = None) -> None:
    """Print what a schema says as a table, one row a column; heads without any entry are left out."""
    console = console or open_console()
    rows = [astuple(column) for column in columns]
    shown = [i for i in range(len(_HEADS)) if i == 0 or any(row[i] for row in rows)]
    table = Table(box=None, pad_edge=False)
    for i in shown:
        table.add_column(_HEADS[i], no_wrap=i == 0)
    for row in rows:
        table.add_row(*(Text(row[i]) for i in shown))
    console.print(table)
