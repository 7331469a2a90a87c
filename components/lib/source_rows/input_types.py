"""Types of the columns that a model takes: its signature and the schema, put together."""

from collections.abc import Mapping

from ..features import STRING
from .column_types import ColumnType

_TEXTS = (ColumnType.TEXT, ColumnType.LIST)


def types_of_inputs(
    kinds: Mapping[str, str], declared: Mapping[str, ColumnType]
) -> dict[str, ColumnType]:
    """Return the type of each column that a model takes.

    Args:
        kinds: What the model takes: `int64`, `float32`, `string` and so on, by column.
        declared: What the schema and the settings declare. It counts unless the model takes text and it says numbers,
            or the other way round. A list is text: examples hold it as JSON.
    """
    types = {}
    for name, kind in kinds.items():
        known = declared.get(name)
        fits = known is not None and (known in _TEXTS) == (kind == STRING)
        types[name] = known if known is not None and fits else _type_of(kind)
    return types


def _type_of(kind: str) -> ColumnType:
    if kind == STRING:
        return ColumnType.TEXT
    return ColumnType.NUMBER if kind.startswith(("float", "bfloat", "half")) else ColumnType.INTEGER
