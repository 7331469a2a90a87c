"""Parsing and checking the options of CSV files."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..errors import RetrainerError
from ..words import did_you_mean
from .sources.options import SourceOptions


def parse_csv_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Parse the options of CSV files.

    Args:
        options: `columns`, `delimiter`, `encoding`, `quote`, `skip_rows`, `null_values`, `decimal`, `thousands` and
            `by_column` (of the last three); what is missing has its default.

    Returns:
        Arguments of `SourceOptions`.

    Raises:
        RetrainerError: If an option is unknown, or has an invalid value.
    """
    _check_options(
        options,
        [
            attribute.name[4:]
            for attribute in fields(SourceOptions)
            if attribute.name.startswith("csv_")
        ],
        "data.csv",
    )
    delimiter, encoding = options.get("delimiter", ","), options.get("encoding", "utf-8")
    if not isinstance(delimiter, str) or len(delimiter.encode()) != 1 or delimiter in '"\r\n':
        raise RetrainerError(
            f"the CSV delimiter is {delimiter!r}; give one ASCII character, such as ';' (data.csv.delimiter)."
        )
    quote = options.get("quote", '"')
    if not isinstance(quote, str) or len(quote.encode()) > 1 or quote in (delimiter, "\r", "\n"):
        raise RetrainerError(
            f"the CSV quote is {quote!r}; give one ASCII character other than the delimiter, or an empty text where "
            "cells are not quoted (data.csv.quote)."
        )
    try:
        # Of all that Python calls an encoding, some are of bytes (base64) and not of text.
        " ".encode(encoding)
    except (LookupError, TypeError, UnicodeError) as error:
        raise RetrainerError(
            f"Python knows no encoding {encoding!r}; give one such as utf-8, cp1252 or utf-16 (data.csv.encoding)."
        ) from error
    skipped = options.get("skip_rows", 0)
    # KFP hands numbers on as floats.
    if (
        isinstance(skipped, bool)
        or not isinstance(skipped, int | float)
        or skipped < 0
        or skipped % 1
    ):
        raise RetrainerError(
            f"skip_rows is {skipped!r}; give the number of lines before the header (data.csv.skip_rows)."
        )
    by_column = options.get("by_column", {})
    for column, own in by_column.items():
        place = f"data.csv.by_column.{column}"
        _check_options(own, ["null_values", "decimal", "thousands"], place)
        _check_marks(
            own.get("decimal", options.get("decimal", ".")), own.get("thousands", ""), place
        )
    _check_marks(options.get("decimal", "."), options.get("thousands", ""), "data.csv")
    parsed = {
        f"csv_{name}": tuple(value) if isinstance(value, list | tuple) else value
        for name, value in options.items()
    }
    if skipped:
        parsed["csv_skip_rows"] = int(skipped)
    if by_column:
        parsed["csv_by_column"] = {
            column: {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in own.items()
            }
            for column, own in by_column.items()
        }
    return parsed


def _check_options(options: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    for name in options:
        if name not in known:
            hint = did_you_mean(name, known)
            raise RetrainerError(
                f"the CSV option '{name}' is unknown.{hint} There are {', '.join(known)} ({place})."
            )


def _check_marks(decimal: str, thousands: str, place: str) -> None:
    if decimal not in (".", ","):
        raise RetrainerError(f"the decimal mark is {decimal!r}; use '.' or ',' ({place}.decimal).")
    if thousands and (len(thousands) != 1 or thousands.isalnum() or thousands in "-+"):
        raise RetrainerError(
            f"the thousands mark is {thousands!r}; give one character, such as ',', '.', \"'\" or ' '; empty for none "
            f"({place}.thousands)."
        )
    if decimal == thousands:
        raise RetrainerError(
            f"the decimal and the thousands mark are both {decimal!r}; they must differ ({place})."
        )
