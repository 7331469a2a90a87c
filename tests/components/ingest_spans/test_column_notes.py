"""What became of odd cells, in words."""

from types import SimpleNamespace

from retrainer.components.ingest_spans.column_notes import describe_notes


def version(*notes):
    names = ("column", "kind", "rows", "examples", "reason")
    return SimpleNamespace(notes=[dict(zip(names, note, strict=True)) for note in notes])


def test_columns_are_named_once_by_kind_with_the_way_to_the_other_meaning():
    zips = ("zip", "codes", 3, ["0700", "08", "09"], "leading zeros")
    said = describe_notes(
        [
            version(zips, ("city", "missing_words", 2, ["NA"], "")),
            version(("amount", "words", 2, ["n/a"], "")),
            version(("left", "near_miss", 2, [" Yes"], "'Yes'")),
            version(
                zips, ("", "index", 0, [], ""), ("later", "unknown to this release", 1, [], "")
            ),
        ]
    )
    assert said == [
        "'zip' is text, because of cells such as '0700' and '08' (leading zeros): if they are numbers, set data.types",
        "'amount' is text, because of a few cells such as 'n/a' among its numbers: if they mean that a cell is "
        "missing, add them to data.csv.null_values",
        "'' is the index of pandas, and left out: to keep it, set data.types",
        "'city' is text, and its cells 'NA' are read as missing: if they are values, set data.types or "
        "data.csv.null_values",
        "'left' is computed with 'Yes', which no cell is, but some are ' Yes': in data.columns, use the text of the "
        "cells, or utf8_trim_whitespace and utf8_lower",
    ]


def test_other_marks_lead_to_the_marks_and_many_columns_are_counted():
    (said,) = describe_notes(
        [version(*((name, "codes", 1, ["1,5"], "a decimal comma") for name in "abcde"))]
    )
    assert said.startswith("'a' is text, because of cells such as '1,5' (a decimal comma), 'b' is")
    assert said.endswith(
        ", 2 more: if they are numbers, set data.csv.decimal and data.csv.thousands"
    )
