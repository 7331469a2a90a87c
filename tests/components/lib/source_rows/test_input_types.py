"""What a model takes and what is declared, put together."""

import pytest

from retrainer.components.lib.source_rows.column_types import ColumnType
from retrainer.components.lib.source_rows.input_types import types_of_inputs

INTEGER, NUMBER, TEXT, LIST = (
    ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.TEXT, ColumnType.LIST,
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "declared", "expected"),
    [
        ("string", None, TEXT),
        ("int64", None, INTEGER),
        ("float32", None, NUMBER),
        ("half", None, NUMBER),
        ("bfloat16", None, NUMBER),
        # What is declared counts where it fits.
        ("float32", INTEGER, INTEGER),
        ("int64", NUMBER, NUMBER),
        ("string", TEXT, TEXT),
        ("string", LIST, LIST),
        ("string", INTEGER, TEXT),
        ("float32", TEXT, NUMBER),
        ("int64", LIST, INTEGER),
    ],
)
def test_a_declared_type_counts_where_the_model_takes_it(kind, declared, expected):
    known = {} if declared is None else {"x": declared}
    assert types_of_inputs({"x": kind}, {**known, "other": TEXT}) == {"x": expected}
