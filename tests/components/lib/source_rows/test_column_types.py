import pytest

from retrainer.components.lib.source_rows.column_types import ColumnType, is_compatible


@pytest.mark.parametrize("one", ColumnType)
@pytest.mark.parametrize("other", ColumnType)
def test_promotion_is_the_same_in_any_order_and_holds_both(one, other):
    wide = one.promote(other)
    assert wide == other.promote(one)
    assert wide.promote(one) == wide.promote(other) == wide


def test_integers_and_empty_columns_are_compatible_and_text_is_not():
    stored = {"a": "int64", "b": "null", "c": "string"}
    assert is_compatible(
        stored,
        {
            "a": ColumnType.NUMBER,
            "b": ColumnType.TEXT,
            "c": ColumnType.TEXT,
            "new": ColumnType.INTEGER,
        },
    )
    assert not is_compatible(stored, {"a": ColumnType.TEXT})
    assert not is_compatible(stored, {"c": ColumnType.NUMBER})
    assert not is_compatible({"a": "double"}, {"a": ColumnType.INTEGER})
