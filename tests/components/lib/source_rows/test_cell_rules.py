"""Missing cells and the punctuation of numbers, as the settings say them."""

import pyarrow as pa
import pytest

from retrainer.components.lib.source_rows import cell_rules
from retrainer.components.lib.source_rows.cell_rules import CellRules, parse_rules

CELLS = ["1.204,50", "1.204", "7", "-0,5", "1.20", "1,204.50", "1.5e3", "x", None, "true", "nan"]


@pytest.mark.parametrize(
    ("decimal", "thousands", "read"),
    [
        (",", ".", ["1204.50", "1204", "7", "-0.5", "?", "?", "?", "?", None, "true", "nan"]),
        (".", ",", ["?", "1.204", "7", "?", "1.20", "1204.50", "1.5e3", "?", None, "true", "nan"]),
        (",", "", ["?", "?", "7", "-0.5", "?", "?", "?", "?", None, "true", "nan"]),
    ],
)
def test_numbers_are_read_by_their_marks_and_what_has_others_is_none(decimal, thousands, read):
    rules = CellRules(decimal=decimal, thousands=thousands)
    assert rules.as_numbers(pa.array(CELLS)).to_pylist() == read


@pytest.mark.parametrize("mark", [" ", "\u00a0", "\u202f", "'", "_"])
def test_any_character_may_stand_between_thousands(mark):
    rules = CellRules(decimal=",", thousands=mark)
    cells = pa.array([f"12{mark}345{mark}678,9", f"1{mark}23", "5"])
    assert rules.as_numbers(cells).to_pylist() == ["12345678.9", "?", "5"]


def test_a_cell_of_white_space_is_missing_among_numbers_and_a_text_among_texts():
    cells = pa.array([" ", "7", "", "\u00a0 ", None])
    rules = CellRules()
    assert rules.as_numbers(cells).to_pylist() == [None, "7", "", None, None]
    assert rules.as_text(cells).to_pylist() == [" ", "7", None, "\u00a0 ", None]
    assert CellRules(null_values=("-",)).as_numbers(cells) is cells


def test_rules_of_a_column_go_before_those_of_all():
    rules = parse_rules(
        ("", "-"), ",", ".", {"a": {"decimal": "."}, "b": {"null_values": ("x",)}}, frozenset("abc")
    )
    assert rules.of("a") == CellRules(("", "-"), False, ".", ".")
    assert rules.of("b") == CellRules(("x",), False, ",", ".")
    assert rules.of("c") == rules.of("other") == CellRules(("", "-"), False, ",", ".")


def test_what_is_set_to_be_missing_is_missing_in_a_key_and_what_is_usual_is_not():
    cells = pa.array(["NA", "", "-"])
    usual = parse_rules(None, ".", "", {}, frozenset("a"))
    assert usual.of("a").as_text(cells).to_pylist() == ["NA", None, "-"]
    assert usual.of("other").as_text(cells).to_pylist() == [None, None, "-"]
    own = parse_rules(None, ".", "", {"a": {"null_values": ("NA",)}}, frozenset("a"))
    assert own.of("a").as_text(cells).to_pylist() == [None, "", "-"]
    said = parse_rules(("NA", "-"), ".", "", {}, frozenset("a"))
    assert said.of("a").as_text(cells).to_pylist() == [None, "", None]


def test_cells_of_which_none_is_missing_are_handed_on_as_they_are():
    rules = CellRules()
    for cells in (["1", "2"], ["Ulm", "Bonn"], ["Ulm", None]):
        column = pa.array(cells)
        assert rules.without_missing(column) is column
        assert rules.as_text(column) is column
        assert rules.as_numbers(column) is column
    assert CellRules(null_values=()).without_missing(pa.array(["", "NA"])).to_pylist() == ["", "NA"]
    assert CellRules(null_values=(), keep_words=True).as_text(pa.array([""])).to_pylist() == [""]


def test_bytes_show_that_no_number_is_a_word(monkeypatch):
    monkeypatch.setattr(cell_rules, "pc", None)
    for column in (pa.array(["1", "-2.5"]), pa.array([], pa.string())):
        assert CellRules().without_missing(column) is column
    assert CellRules(null_values=()).without_missing(words := pa.array(["NA"])) is words


def test_words_for_missing_cells_are_counted_but_for_the_empty_one():
    cells = pa.array(["NA", "", "x", "null", "NA", None])
    assert CellRules().missing_words(cells) == {"NA": 2, "null": 1}
    assert CellRules(keep_words=True).missing_words(cells) == {}


@pytest.mark.parametrize(
    ("rules", "leave"),
    [
        (CellRules(), True), (CellRules(decimal=","), False), (CellRules(thousands=" "), False),
        (CellRules(null_values=("", "-1")), False), (CellRules(null_values=("nan", "x")), True),
        (CellRules(null_values=("inf",)), False), (CellRules(null_values=()), True),
    ],
)  # fmt: skip
def test_numbers_are_left_as_they_are_where_none_means_a_missing_cell(rules, leave):
    assert rules.leave_numbers is leave


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        (",5", ".5"), ("-,5", "-.5"), ("+1.000", "+1000"), ("1.000.000,25e+3", "1000000.25e+3"),
        ("1.00", "?"), ("1000.000", "?"), ("1,", "1."), (" 7 ", " 7 "), ("Infinity", "Infinity"), ("1e5", "1e5"),
    ],
)  # fmt: skip
def test_a_number_has_groups_of_three_digits_or_none(cell, read):
    rules = CellRules(decimal=",", thousands=".")
    assert rules.as_numbers(pa.array([cell])).to_pylist() == [read]
