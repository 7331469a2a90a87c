"""What is wrong with a span's columns or cells, with the fix that fits."""

import pyarrow as pa
import pytest

from retrainer.components.ingest_spans.span_checks import (
    check_bad_rows,
    check_columns,
    check_number,
)
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources.base import BadRow
from retrainer.components.lib.source_rows.span_reader import Rows


def rows(*bad, **columns):
    return Rows(pa.table(columns), [BadRow("a.csv", *one) for one in bad])


def columns_error(settings, *blocks, excluded=()):
    """What is said of blocks; they are all read."""
    first, *others = blocks
    left = iter(others)
    with pytest.raises(RetrainerError) as error:
        check_columns("3", settings, first, left, excluded)
    assert list(left) == []
    return str(error.value)


def test_a_span_without_a_readable_row_shows_the_first():
    settings = IngestSettings("y")
    said = "span 3 has no readable row. Upload it again"
    assert said in columns_error(settings, rows())
    bad = (1, "not JSON"), (2, "another")
    for blocks in ([rows(*bad)], [rows(), rows(*bad)]):
        said = "no readable row. The first: a.csv row 1: not JSON."
        assert said in columns_error(settings, *blocks)


def test_columns_that_are_there_or_left_out_pass():
    settings = IngestSettings("y", key=("id",), drop=("name",))
    check_columns("3", settings, rows(y=[1], id=[1]), iter([]))
    check_columns("3", settings, rows(y=[1]), iter([]), excluded=["id"])


def test_a_missing_column_is_named_with_its_setting_and_what_is_there():
    message = columns_error(IngestSettings("label"), rows(labl=[1], x=[2]), rows(x=[1]))
    assert message == (
        "span 3 has no column 'label' (data.label). Did you mean 'labl'? It has: labl, x."
    )
    many = {f"c{i}": [1] for i in range(31)}
    assert columns_error(IngestSettings("label"), rows(**many)).endswith("c28, c29.")
    key = columns_error(IngestSettings("y", key=("id",)), rows(y=[1]))
    assert "no column 'id' (data.key). It has: y." in key


def test_without_any_of_the_columns_the_names_may_be_cells_and_are_not_shown():
    for more in ({"hash": ("name",)}, {"drop": ("name",)}):
        message = columns_error(IngestSettings("label", **more), rows(Ada=[1], Ulm=[2]))
        assert "Is its header missing (data.csv.columns)? It has 2 columns." in message
        assert "Ada" not in message
    there = columns_error(IngestSettings("label", hash=("name",)), rows(name=[1]))
    assert "It has: name." in there
    assert "It has: Ada." in columns_error(IngestSettings("label"), rows(Ada=[1]))


def test_a_text_that_was_meant_is_written_as_a_value():
    columns = {"made": {"equal": ["kind", "left"]}}
    settings = IngestSettings("made", columns=columns)
    message = columns_error(settings, rows(kind=["a"], made=[1]))
    # What is computed of the missing one is not there.
    assert "no column 'left' (data.columns.made). It has: kind." in message
    assert "If a text was meant, write {value: left}." in message
    near = columns_error(settings, rows(kind=["a"], lefts=[1], made=[1]))
    assert "Did you mean 'lefts'?" in near
    assert "{value:" not in near
    assert "{value:" not in columns_error(IngestSettings("y"), rows(x=[1]))


@pytest.mark.parametrize(
    ("header", "mark"), [("id;y", ";"), ("id|y", "|"), ("id;a|b|y", "|"), ("a;b;c|y", ";")]
)
def test_a_header_of_one_column_may_be_separated_otherwise(header, mark):
    message = columns_error(IngestSettings("y"), rows(**{header: [1]}))
    assert f'separated by "{mark}": set data.csv to {{delimiter: "{mark}"}}' in message
    two = columns_error(IngestSettings("y"), rows(**{header: [1], "b": [1]}))
    assert "separated" not in two


def number_error(*blocks, role="label", name="y"):
    first, *others = blocks
    left = iter(others)
    with pytest.raises(RetrainerError) as error:
        check_number("3", name, role, "0 or 1", first, left)
    assert list(left) == []
    return str(error.value)


def test_a_label_of_numbers_passes():
    for cells in ([0, 1], [0.5, None], pa.nulls(2)):
        check_number("3", "y", "label", "0 or 1", rows(y=cells), iter([rows(y=["x"])]))


def test_a_label_of_text_is_shown_and_computed_from():
    message = number_error(rows(y=["0", None]), rows(y=["1", "yes", "no"]), rows(y=["maybe"]))
    assert "the label 'y' of span 3 is text (such as 'yes')" in message
    assert 'data.columns: {target: {equal: [y, {value: "yes"}]}} is 1 where it is "yes"' in message
    weight = number_error(rows(y=["much"]), role="weight")
    assert "the weight 'y' of span 3 is text (such as 'much')" in weight
    assert "data.columns" not in weight


@pytest.mark.parametrize(("length", "end"), [(60, "x'"), (61, "x...'")])
def test_a_long_cell_is_cut(length, end):
    assert f"{'x' * 59}{end}" in number_error(rows(y=["x" * length]))


def test_a_header_among_the_rows_is_seen():
    message = number_error(rows(y=["1", "y"]))
    assert "has its header again among its rows" in message
    assert "(data.types: {y: number})" in message


def test_a_text_of_numbers_is_given_its_type():
    message = number_error(rows(y=["0", "1"]), rows(y=["1"]))
    assert "though all its cells are numbers. Set data.types to {y: number}" in message


def bad_rows_error(*bad):
    with pytest.raises(RetrainerError) as error:
        check_bad_rows("3", {"read": 2000, "unreadable": 1001}, 0.5, bad)
    return str(error.value)


def test_too_many_bad_rows_are_counted():
    assert bad_rows_error() == (
        "span 3: 1,001 of 2,000 rows are unreadable, more than max_bad_rows 50.00% allows. Fix the "
        "source, or raise data.max_bad_rows."
    )


@pytest.mark.parametrize(
    ("reason", "cell", "first", "fix"),
    [
        ("it has 3 cells", "", "row 1,234: it has 3 cells. Fix", "source, or raise"),
        ("'a' is not UTF-8", "", "another encoding (data.csv.encoding)", "source, or raise"),
        ("'a' is no number", "x", "'a' is no number ('x').", "set its type (data.types), or"),
        ("'a' is no integer of 64 bits", "x", "('x').", "set its type (data.types), or"),
        ("'a' is no number", "1,5", "('1,5').", "set its number format (data.csv.decimal, data."),
        ("'a' is no number", "1.000.000", "", "set its number format (data.csv.decimal, data."),
        ("'a' is no number", "7 %", "", "set its type (data.types), or"),
        ("it has 3 cells", "1,5", "", "source, or raise"),
    ],
)
def test_the_first_bad_row_shows_what_to_fix(reason, cell, first, fix):
    message = bad_rows_error(BadRow("a.csv", 1234, reason, "", cell), BadRow("a.csv", 2, "other"))
    assert f"The first: a.csv row 1,234: {reason}" in message
    assert first in message
    assert fix in message
    assert ("encoding" in message) is ("UTF-8" in reason)
    assert "other" not in message.replace("another", "")
