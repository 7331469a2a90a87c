"""How the cells of a column of CSV are to be read: which texts are missing cells, and how numbers are punctuated."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .number_spelling import may_be_words

NULL_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
# A cell that no parser takes for a number, in place of one that is punctuated otherwise.
_NO_NUMBER = "?"


@dataclass(frozen=True)
class CellRules:
    """How the cells of one column are read.

    Attributes:
        null_values: Texts that mean a missing cell.
        keep_words: Whether they do so among numbers alone, so that in a column of text only the empty cell is missing.
        decimal: The mark before the fraction of a number.
        thousands: The mark between groups of three digits; empty for none.
    """

    null_values: tuple[str, ...] = NULL_VALUES
    keep_words: bool = False
    decimal: str = "."
    thousands: str = ""

    @property
    def leave_numbers(self) -> bool:
        """Whether cells that a parser takes for numbers are those numbers, and none of them means a missing cell."""
        marks = (self.decimal, self.thousands) == (".", "")
        return marks and not any(_is_number(value) for value in self.null_values)

    def without_missing(self, text: pa.Array) -> pa.Array:
        """Make null what means a missing cell.

        Args:
            text: n cells.

        Returns:
            n cells.
        """
        return _without(text, self.null_values)

    def as_text(self, text: pa.Array) -> pa.Array:
        """Make null what means a missing cell in a column of text.

        Args:
            text: n cells.

        Returns:
            n cells.
        """
        if not self.keep_words:
            return _without(text, self.null_values)
        return _without(text, tuple(value for value in self.null_values if not value))

    def missing_words(self, text: pa.Array) -> dict[str, int]:
        """Count the words that mean a missing cell in a column of text.

        Args:
            text: The cells.

        Returns:
            How often each stands there; the empty cell is no word.
        """
        words = [value for value in self.null_values if value and not self.keep_words]
        found = text.filter(pc.is_in(text, value_set=pa.array(words, pa.string())))
        return {one["values"]: one["counts"] for one in pc.value_counts(found).to_pylist()}

    def as_numbers(self, text: pa.Array) -> pa.Array:
        """Write numbers with a point and without other marks, as parsers take them.

        Args:
            text: n cells.

        Returns:
            n cells. One that is punctuated otherwise is one that no parser takes. One of white space alone, as files of
            fixed width and some databases write it, is null if the empty one means a missing cell.
        """
        if "" in self.null_values and pc.any(blank := pc.utf8_is_space(text)).as_py():
            text = pc.if_else(blank, pa.scalar(None, pa.string()), text)
        if (self.decimal, self.thousands) == (".", ""):
            return text
        decimal, thousands = re.escape(self.decimal), re.escape(self.thousands)
        fraction = rf"(?:{decimal}[0-9]*)?(?:[eE][-+]?[0-9]+)?"
        plain = rf"[-+]?(?:[0-9]+{fraction}|{decimal}[0-9]+)"
        grouped = rf"[-+]?[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+{fraction}" if thousands else plain
        known = pc.match_substring_regex(
            text, rf"^\s*(?:{plain}|{grouped}|(?i:nan|inf|infinity|true|false))\s*$"
        )
        if thousands:
            text = pc.replace_substring(text, self.thousands, "")
        return pc.if_else(known, pc.replace_substring(text, self.decimal, "."), _NO_NUMBER)


def parse_rules(
    null_values: tuple[str, ...] | None,
    decimal: str,
    thousands: str,
    by_column: Mapping[str, Mapping[str, Any]],
    kept: frozenset[str],
) -> "Rules":
    """Make the rules of all columns.

    Args:
        null_values: What is missing in every column; None for the usual texts.
        decimal: The decimal mark.
        thousands: The thousands mark; empty for none.
        by_column: The same by column, where it differs.
        kept: Columns whose cells name somebody or are text by the settings. The usual texts for missing cells are
            missing there among numbers alone: `NA` may be Namibia. What was set is missing everywhere.
    """
    usual = CellRules(
        NULL_VALUES if null_values is None else null_values, False, decimal, thousands
    )
    known: dict[str, CellRules] = {}
    for name in {*by_column, *kept}:
        own = dict(by_column.get(name, {}))
        keep = name in kept and null_values is None and "null_values" not in own
        known[name] = CellRules(
            tuple(own.get("null_values", usual.null_values)),
            keep,
            own.get("decimal", decimal),
            own.get("thousands", thousands),
        )
    return Rules(usual, known)


@dataclass(frozen=True)
class Rules:
    """The rules of all columns of a span's CSV files.

    Attributes:
        usual: Of columns that have none of their own.
        known: By column.
    """

    usual: CellRules
    known: Mapping[str, CellRules]

    def of(self, column: str) -> CellRules:
        """Return the rules of a column."""
        return self.known.get(column, self.usual)


def _is_number(value: str) -> bool:
    try:
        return not math.isnan(float(value))
    except ValueError:
        return False


def _without(text: pa.Array, values: tuple[str, ...]) -> pa.Array:
    if not values or not may_be_words(text, values):
        return text
    missing = pc.is_in(text, value_set=pa.array(values, pa.string()))
    if not pc.any(missing).as_py():
        return text
    return pc.if_else(missing, pa.scalar(None, pa.string()), text)
