"""How numbers are spelled: plain ones, codes that a number would lose, and version numbers."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from retrainer.components.lib.source_rows import number_spelling
from retrainer.components.lib.source_rows.number_spelling import (
    Cells,
    Spelling,
    Words,
    any_code,
    codes,
    may_be_words,
    reason_of,
)

PLAIN = [
    "0", "-0", "7", "-7", "10", "1.5", "0.5", ".5", "1.", "-0.25", "1e-05", "1e+05", "1.5e+10", "1.0E10", "1e-7",
    " 7 ", "nan", "inf", "-Infinity",
]  # fmt: skip
CODES = {
    "0700": "leading zeros", "-07": "leading zeros", "00": "leading zeros", "+49301": "a plus sign",
    "0x10": "hexadecimal", "1E5": "an exponent without a sign, as codes have",
    "1_000": "underscores", "7 %": "a unit", "$7": "a unit", "1,000": "thousands marks",
    "1.000.000,5": "thousands marks", "1'000": "thousands marks", "1,5": "a decimal comma",
}  # fmt: skip
WORDS = ["", "a", "7a", "1-2", "e5", "--7", "NA", "1e", "7 7"]


def test_what_programs_write_is_plain_and_the_rest_of_what_looks_like_a_number_is_a_code():
    assert codes(pa.array([*PLAIN, *WORDS])).to_pylist() == [False] * (len(PLAIN) + len(WORDS))
    assert codes(pa.array([*CODES, None])).to_pylist() == [True] * len(CODES) + [None]


@pytest.mark.parametrize(("cell", "reason"), CODES.items())
def test_a_code_says_what_makes_it_one(cell, reason):
    assert reason_of(cell) == reason


@pytest.mark.parametrize("cell", ["0700", "-07", "00", "-00", "+7", "0x10", "1E5", "-1e5"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_code_among_numbers_is_seen_wherever_it_is(cell, place):
    cells = ["7", "0", "-0.5"]
    cells.insert(place, cell)
    assert any_code(pa.array(cells))
    # Also in a slice, whose bytes begin elsewhere.
    assert any_code(pa.array(["1", *cells, "2"])[1:-1])
    assert not any_code(pa.array([cell, "7", "0", cell])[1:-1])


@pytest.mark.parametrize(
    "cells",
    [["0", "0.5", "-0", "-0.5", "7", "1e-05", "1.5E10"], [], [""], [None], ["0", None, "0"]],
)
def test_plain_numbers_are_no_codes(cells):
    assert not any_code(pa.array(cells, pa.string()))


@pytest.mark.parametrize(
    "cells",
    [
        ["0", "0.5", "-0", "-0.5", "7", "10", "-10", "1.05", "-100.0"], ["0"], ["-0"], ["-"], ["7"],
        ["-7", "-0.7", None, "0."], [], [""], [None],
    ],
)  # fmt: skip
def test_bytes_show_that_digits_and_points_are_no_codes(cells, monkeypatch):
    # The expression takes several times as long, and most blocks need none.
    monkeypatch.setattr(number_spelling, "pc", None)
    assert not any_code(pa.array(cells, pa.string()))
    assert not any_code(pa.array(["0700", *cells, "+7"], pa.string())[1:-1])


@pytest.mark.parametrize(
    ("cells", "words", "may_be"),
    [
        (["1", "2"], ("NA",), False),
        (["1", "A"], ("NA",), True),
        (["1", "@"], ("NA",), False),
        (["1", ""], ("NA",), True),
        (["1", "2"], ("", "NA"), False),
        (["1", "2"], ("-", "NA"), True),
        ([], ("NA",), False),
    ],
)
def test_cells_without_a_letter_are_none_of_the_words(cells, words, may_be):
    assert may_be_words(pa.array(cells, pa.string()), words) is may_be
    # Also in a slice, whose bytes begin elsewhere.
    assert may_be_words(pa.array(["123", *cells, ""], pa.string())[1:-1], words) is may_be


def test_the_first_three_distinct_cells_of_two_blocks_are_the_examples():
    cells = Cells()
    cells.add(pa.array(["a", "a", "b"]))
    cells.add(pa.array(["b", "c", "d"]))
    cells.add(pa.array([], pa.string()))
    assert (cells.rows, cells.examples) == (6, ["a", "b", "c"])


def numbers(*cells, spelling=None):
    spelling = spelling or Spelling()
    text = pa.array(cells)
    spelling.add_numbers(text, pc.cast(pc.utf8_trim_whitespace(text), pa.float64()))
    return spelling


@pytest.mark.parametrize(
    ("cells", "are_versions"),
    [
        (("3.9", "3.10"), True),
        (("3.9", "3.11"), False),
        ((".9", "3.10"), True),
        (("9.", "3.10"), True),
        (("3.90", "3.10"), False),
        (("3", "3.10"), False),
        (("3.0", "3.11"), False),
        (("3.9", " 3.10 "), True),
        (("3.9", "3.100"), False),
        (("3.9", "3.120"), True),
        (("3.9", "3.1230"), False),
        (("999.9", "3.10"), True),
        (("1000.9", "3.10"), False),
        (("-3.9", "3.10"), False),
        (("3.9", "3.10", "1.0e-3"), False),
    ],
)
def test_versions_vary_in_digits_and_end_in_a_zero_that_counts(cells, are_versions):
    assert numbers(*cells).versions is are_versions
    # Wherever blocks end.
    spelling = None
    for cell in cells:
        spelling = numbers(cell, spelling=spelling)
    assert spelling.versions is are_versions


def test_whole_numbers_of_a_column_count_too():
    for values, measured in (
        ([0, 999], False),
        ([0, 1000], True),
        ([-1, 5], True),
        ([None], False),
    ):
        spelling = Spelling()
        spelling.add_whole(pa.array(values, pa.int64()))
        assert spelling.measured is measured


@pytest.mark.parametrize(("digits", "is_long"), [(15, False), (16, True)])
def test_a_number_is_long_from_sixteen_digits_on(digits, is_long):
    spelling = Spelling()
    spelling.add_text(pa.array(["07", "9" * digits, f"-{'9' * digits}"]))
    assert spelling.long.rows == 2 * is_long
    assert (spelling.has_words, spelling.codes.rows, spelling.codes.examples) == (False, 1, ["07"])


@pytest.mark.parametrize("place", [0, 63, 64, 200])
def test_one_word_makes_a_column_text_wherever_it_is(place):
    cells = ["07"] * 201
    cells[place] = "seven"
    spelling = Spelling()
    spelling.add_text(pa.array(cells))
    spelling.add_text(pa.array(["08"]))
    assert spelling.has_words
    assert spelling.codes.rows == 0


def test_words_are_looked_for_in_the_first_thousand_cells():
    words = Words()
    words.add_numbers(998)
    words.add(pa.array(["a", None, "b", "c", "7"]))
    assert (words.seen, words.found.rows, words.found.examples) == (1000, 2, ["a", "b"])
    words.add(pa.array(["d"]))
    words.add_numbers(5)
    assert (words.seen, words.found.rows) == (1000, 2)
    for counts in ((600, 600), (1000,), (5000, 1)):
        many = Words()
        for count in counts:
            many.add_numbers(count)
        assert many.seen == 1000


@pytest.mark.parametrize(
    ("numbers", "cells", "are_few"),
    [
        (9, ["a"], True),
        (8, ["a"], False),
        (18, ["a", "b"], True),
        (10, ["7"], False),
        (0, [], False),
    ],
)
def test_words_are_few_up_to_one_in_ten_cells(numbers, cells, are_few):
    words = Words()
    words.add_numbers(numbers)
    words.add(pa.array(cells, pa.string()))
    assert words.are_few is are_few


def test_the_first_word_after_those_cells_is_one_where_there_was_none():
    words = Words()
    words.add_first(pa.array([None, "7", "a", "b"]))
    words.add_first(pa.array(["c"]))
    assert (words.found.rows, words.found.examples) == (1, ["a"])


def test_versions_take_two_lengths_of_fractions_and_a_zero_in_any_block():
    spelling = numbers("3.9", None, "3.11")
    assert not spelling.versions
    numbers("4.10", spelling=spelling)
    assert spelling.versions
    assert (spelling.zeros.rows, spelling.zeros.examples) == (1, ["4.10"])
    assert sorted(spelling.decimals) == [1, 2]
    spelling.add_whole(pa.array([7, None]))
    assert spelling.versions
    spelling.add_whole(pa.array([1000]))
    assert not spelling.versions
