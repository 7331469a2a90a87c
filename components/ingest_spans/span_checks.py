"""Checks of a span: required columns, a numeric label, and few unreadable rows."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.source_rows.column_types import ColumnType
from ..lib.source_rows.number_spelling import MARKS, reason_of
from ..lib.source_rows.rejecting_casts import NO_INTEGER, NO_NUMBER, NOT_UTF8, cast_or_reject
from ..lib.source_rows.required_columns import required_columns
from ..lib.source_rows.settings import IngestSettings
from ..lib.source_rows.sources.base import BadRow
from ..lib.source_rows.span_reader import Rows
from ..lib.words import did_you_mean

_COLUMNS_SHOWN = 30
_CHARACTERS_SHOWN = 60
_DELIMITERS = ";|,"


def check_columns(
    span: str,
    settings: IngestSettings,
    first: Rows,
    blocks: Iterator[Rows],
    excluded: Collection[str] = (),
) -> None:
    """Check that a span has the columns that the settings name.

    Args:
        span: The span's name.
        settings: They name the columns.
        first: The first rows.
        blocks: The others, which are read to their end first: a column may come later, which their reader then raises.
        excluded: Columns that were found and left out.

    Raises:
        RetrainerError: If there is no row, or a column is missing.
    """
    there = first.table.column_names
    if not there:
        # Another block may have some, which the reader raises at its end.
        bad = [*first.bad, *(row for rows in blocks for row in rows.bad)]
        example = f" The first: {_describe(bad[0])}." if bad else ""
        raise RetrainerError(
            f"span {span} has no readable row.{example} Upload it again, or set data.format."
        )
    needed = required_columns(settings)
    for column, setting in needed.items():
        if column not in there and column not in excluded:
            # Another block may have it, which the reader raises at its end.
            _drain(blocks)
            # A column that is computed of a missing one is there all the same.
            there = [name for name in there if name not in settings.changes.derived]
            near = did_you_mean(column, there)
            hint = f"{near} It has: {', '.join(there[:_COLUMNS_SHOWN])}."
            if (settings.hash or settings.drop) and needed.keys().isdisjoint(there):
                # Without a header, they are the cells of the first row.
                hint = f" Is its header missing (data.csv.columns)? It has {len(there)} columns."
            if setting.startswith("data.columns.") and not near:
                hint += f" If a text was meant, write {{value: {column}}}."
            hint += _other_delimiter(there)
            raise RetrainerError(f"span {span} has no column '{column}' ({setting}).{hint}")


def _other_delimiter(columns: Sequence[str]) -> str:
    """Say that a CSV file seems to be separated otherwise; empty if it does not."""
    found = [mark for mark in _DELIMITERS if len(columns) == 1 and mark in columns[0]]
    if not found:
        return ""
    most = json.dumps(max(found, key=columns[0].count))
    return f" Its header seems to be separated by {most}: set data.csv to {{delimiter: {most}}}."


def check_number(
    span: str, name: str, role: str, expected: str, first: Rows, blocks: Iterator[Rows]
) -> None:
    """Check that a span's label or weight is numeric.

    Args:
        span: The span's name.
        name: The column.
        role: What it is: `label` or `weight`.
        expected: What its cells should be.
        first: The first rows.
        blocks: The others.

    Raises:
        RetrainerError: If it is text.
    """
    if first.table.schema.field(name).type != pa.string():
        return
    for rows in chain([first], blocks):
        column = rows.table.column(name).combine_chunks()
        rejected = cast_or_reject(column, ColumnType.NUMBER)[1]
        if len(rejected):
            example = column[int(rejected[0])].as_py()
            if len(example) > _CHARACTERS_SHOWN:
                example = f"{example[:_CHARACTERS_SHOWN]}..."
            _drain(blocks)
            if example == name:
                raise RetrainerError(
                    f"span {span} has its header again among its rows: a cell of '{name}' is '{name}'. Were files "
                    "joined with their headers? Fix the source, or set the column's type, so that such rows are "
                    f"quarantined (data.types: {{{name}: number}})."
                )
            text = json.dumps(example, ensure_ascii=False)
            made = f"data.columns: {{target: {{equal: [{name}, {{value: {text}}}]}}}}"
            here = ""
            if role == "label":
                here = (
                    f" Or compute one: {made} is 1 where it is {text}; of several classes, {{index_in: [{name}, "
                    "{value: [first, second, third]}]} is 0 for the first, 1 for the second, and so on. data.label: "
                    f"target names it, and data.drop: [{name}] keeps the text from being an input."
                )
            raise RetrainerError(
                f"the {role} '{name}' of span {span} is text (such as {example!r}). Make it a number in the "
                f"source: {expected}.{here}"
            )
    raise RetrainerError(
        f"the {role} '{name}' of span {span} is text, though all its cells are numbers. Set data.types to "
        f"{{{name}: number}}, or fix its type in the source or the schema."
    )


def check_bad_rows(
    span: str, counts: Mapping[str, int], max_bad_rows: float, bad: Sequence[BadRow] = ()
) -> None:
    """Check that few rows of a span are unreadable.

    Args:
        span: The span's name.
        counts: Of rows read and unreadable.
        max_bad_rows: The share that may be unreadable, between 0 and 1.
        bad: The first of them, to be named.

    Raises:
        RetrainerError: If there are more.
    """
    # Divided, 29 of 100 are 0.29; multiplied, 0.29 * 100 is a little less than 29.
    if not counts["unreadable"] or counts["unreadable"] / counts["read"] <= max_bad_rows:
        return
    first = f" The first: {_describe(bad[0])}." if bad else ""
    if bad and NOT_UTF8 in bad[0].reason:
        first += " Are the files in another encoding (data.csv.encoding), or is the column binary (data.drop)?"
    changed = bad and any(fault in bad[0].reason for fault in (NO_INTEGER, NO_NUMBER))
    types = "set its type (data.types), " if changed else ""
    if changed and reason_of(bad[0].cell) in MARKS:
        types = "set its number format (data.csv.decimal, data.csv.thousands), "
    raise RetrainerError(
        f"span {span}: {counts['unreadable']:,} of {counts['read']:,} rows are unreadable, more than max_bad_rows "
        f"{max_bad_rows:.2%} allows.{first} Fix the source, {types}or raise data.max_bad_rows."
    )


def _describe(row: BadRow) -> str:
    cell = f" ('{row.cell}')" if row.cell else ""
    return f"{row.file} row {row.row:,}: {row.reason}{cell}"


def _drain(blocks: Iterator[Rows]) -> None:
    for _ in blocks:
        pass
