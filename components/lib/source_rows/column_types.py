"""Types of columns: which there are, how each is stored, and which one holds the values of two."""

from collections.abc import Mapping
from enum import Enum

import pyarrow as pa


class ColumnType(Enum):
    """The type of a column. Each is stored as one Arrow type."""

    EMPTY = "nothing"
    BOOLEAN = "flag"
    INTEGER = "integer"
    LONG = "long"
    """Integers of which some lie beyond 2^53, so that a floating-point number would lose their digits."""
    NUMBER = "number"
    TEXT = "text"
    LIST = "list"
    """Several texts or numbers in a cell, stored as a JSON list. It is declared, never inferred."""

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of such a column in a span's files."""
        return _ARROW_TYPES[self]

    def promote(self, other: "ColumnType") -> "ColumnType":
        """Return the narrowest type that holds the values of both."""
        if self == other or other == ColumnType.EMPTY:
            return self
        if self == ColumnType.EMPTY:
            return other
        return _PROMOTED.get(frozenset((self, other)), ColumnType.TEXT)


_PROMOTED = {
    frozenset((ColumnType.INTEGER, ColumnType.LONG)): ColumnType.LONG,
    frozenset((ColumnType.INTEGER, ColumnType.NUMBER)): ColumnType.NUMBER,
}
_ARROW_TYPES = {
    ColumnType.EMPTY: pa.null(),
    ColumnType.BOOLEAN: pa.int64(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.LONG: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.TEXT: pa.string(),
    ColumnType.LIST: pa.string(),
}


def is_compatible(stored: Mapping[str, str], wanted: Mapping[str, ColumnType]) -> bool:
    """Check whether stored columns have the types that are wanted.

    Args:
        stored: Arrow type of each column, as text.
        wanted: Types by column. Integers do for numbers, and a column without values does for every type.
    """
    for name, column_type in wanted.items():
        found = stored.get(name, "null")
        if found not in ("null", str(column_type.arrow_type)) and (column_type, found) != (
            ColumnType.NUMBER,
            "int64",
        ):
            return False
    return True
