"""Names of columns that are an index, that can't be seen, or that are there twice."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.sources.column_names import (
    check_characters,
    check_names,
    is_index,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", True), ("Unnamed: 0", True), ("Unnamed: 12", True), ("__index_level_0__", True),
        ("Unnamed: ", False), ("Unnamed: 0.1", False), ("index", False), ("__index_level_0__x", False),
    ],
)  # fmt: skip
def test_the_names_that_pandas_gives_an_index(name, expected):
    assert is_index(name) is expected


@pytest.mark.parametrize(("name", "is_tab"), [("a\tb", True), ("a\x00", False), ("\x85", False)])
def test_a_character_that_can_not_be_seen_is_refused(name, is_tab):
    with pytest.raises(RetrainerError) as error:
        check_characters(["fine", name], "a.csv")
    assert repr(name) in str(error.value)
    assert ("if tabs separate columns" in str(error.value)) is is_tab
    check_characters(["a b", "ä", "\u00a0", ""], "a.csv")


def test_a_name_that_comes_twice_is_refused():
    check_names([], "a.csv")
    check_names(["a", "A", "b"], "a.csv")
    with pytest.raises(RetrainerError, match=r"has the column 'b' more than once\..* Or not\."):
        check_names(["a", "b", "b"], "a.csv", " Or not.")
