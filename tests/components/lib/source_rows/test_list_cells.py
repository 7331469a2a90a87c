"""Cells of several values, as JSON lists."""

import datetime

import pyarrow as pa
import pytest

from retrainer.components.lib.source_rows.list_cells import lists_with, split_texts, to_lists


@pytest.mark.parametrize(
    ("cells", "texts", "rejected"),
    [
        # Of texts, one that begins with a bracket is a list, and another is the only value.
        (["a", '["a", 1]', ' ["ü"]', "", None], ['["a"]', '["a", 1]', '["ü"]', '[""]', None], []),
        (["[1", "a", '[{"a": 1}]', '[["a"]]'], [None, '["a"]', None, None], [0, 2, 3]),
        ([["[1]", "a"], []], ['["[1]", "a"]', "[]"], []),
        ([[1.5, None], [2.0]], ["[1.5, null]", "[2.0]"], []),
        ([[True], [False]], ["[true]", "[false]"], []),
        ([[datetime.date(2024, 2, 29)]], ['["2024-02-29"]'], []),
        ([[b"a", b"\xff"], [b"b"]], [None, '["b"]'], [0]),
        ([[{"a": 1}], []], [None, "[]"], [0]),
        ([[[1]], []], [None, "[]"], [0]),
        ([7, None], ["[7]", None], []),
    ],
)
def test_a_cell_is_written_as_a_json_list_or_rejected(cells, texts, rejected):
    found, wrong = to_lists(pa.array(cells))
    assert (found.to_pylist(), wrong.tolist()) == (texts, rejected)
    assert found.type == pa.string()


def test_a_text_is_split_at_a_mark_without_empty_parts():
    column = pa.array(["a; b", " ;a;; ", "", None, "a; b"])
    assert split_texts(column, ";").to_pylist() == ['["a", "b"]', '["a"]', "[]", None, '["a", "b"]']


def test_a_value_is_in_a_list_as_json_writes_it():
    column = pa.array(['["a", 1]', "[1.5, true]", "[]", None, '["1"]'])
    assert lists_with(column, "1").to_pylist() == [True, False, False, None, True]
    assert lists_with(column, "a").to_pylist() == [True, False, False, None, False]
    assert lists_with(column, "true").to_pylist() == [False, True, False, None, False]
    assert lists_with(column, "1.5").to_pylist() == [False, True, False, None, False]
