"""How sources are read, as the settings say it. Imports no Arrow, so that settings are checked without it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SourceOptions:
    """How sources are read.

    Attributes:
        format: A name of `FORMATS`, or `auto` to go by the name's ending.
        exclude: Columns that are not wanted; a source leaves them out before it looks at their cells.
        only: The columns that are wanted, for sources that can leave others unread; none: all.
        csv_columns: The columns' names, of CSV files without a header; none: the first row has them.
        csv_delimiter: One character between the cells of a CSV row.
        csv_encoding: Encoding of CSV files, by one of Python's names for it.
        csv_quote: The character around a CSV cell that holds a delimiter or a line break; empty for none.
        csv_skip_rows: Lines of a CSV file before its header.
        csv_null_values: Texts that mean a missing cell in CSV; None for the usual ones.
        csv_decimal: The mark before the fraction of a number in CSV.
        csv_thousands: The mark between groups of three digits in CSV; empty for none.
        csv_by_column: `null_values`, `decimal` and `thousands` by column, where they differ.
        query: Of BigQuery: SQL that gives a span's rows, with `{span}` and `{table}` in it; none takes the table.
        max_bytes_billed: Of BigQuery: bytes that the query may be charged for, each span; 0: the project's own limits.
    """

    format: str = "auto"
    exclude: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    csv_columns: tuple[str, ...] = ()
    csv_delimiter: str = ","
    csv_encoding: str = "utf-8"
    csv_quote: str = '"'
    csv_skip_rows: int = 0
    csv_null_values: tuple[str, ...] | None = None
    csv_decimal: str = "."
    csv_thousands: str = ""
    csv_by_column: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    query: str = ""
    max_bytes_billed: int = 0
