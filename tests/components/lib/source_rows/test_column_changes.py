"""Columns under another name, and columns made of others."""

from decimal import Decimal

import pyarrow as pa
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.column_changes import ColumnChanges, parse_columns
from retrainer.components.lib.source_rows.column_expressions import derive_columns, rename_columns
from retrainer.components.lib.source_rows.near_misses import NearMisses
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources.base import Block

CELLS = {
    "at": pa.array(["2026-03-01T23:30:00", "2026-03-02 01:00", None]),
    "zoned": pa.array(["2026-03-01T23:30:00+02:00", "2026-03-02T00:00:00Z", None]),
    "day": pa.array(["2026-03-01", "2026-03-04", "2026-03-04"]),
    "typed": pa.array([0, 3_600_000, None], pa.timestamp("ms", "Europe/Berlin")),
    "delay": pa.array([3, 20, None]),
    "share": pa.array(["0.5", "2", None]),
    "name": pa.array([" Ulm", "KÖLN", None]),
    "tags": pa.array(["a| b||", "", None]),
    "list": pa.array([["a", "b"], [], None]),
    "price": pa.array([Decimal("1.50"), Decimal("2.00"), None]),
    "ratio": pa.array([0.5, None, 1.0]),
    "text_list": pa.array(['["b", 1]', "b", "[1"]),
    # Beyond the year 9999, which Python's own types can't hold.
    "far": pa.array([317_000_000_000, 0, None], pa.timestamp("s")),
    "far_day": pa.array([3_000_000, 0, None], pa.date32()),
}


def derived(expression):
    changes = ColumnChanges({}, {"made": expression})
    found = list(
        derive_columns(changes, CELLS, 3, lambda name, column, number: column, NearMisses())
    )
    faults = {source: rejected.tolist() for _, _, source, rejected, _ in found if source}
    return found[0][1].to_pylist(), faults


@pytest.mark.parametrize(
    ("expression", "cells"),
    [
        ({"hour": "at"}, [23, 1, None]),
        # In UTC, as the text of a moment with a zone is.
        ({"hour": "zoned"}, [21, 0, None]),
        ({"hour": "typed"}, [0, 1, None]),
        ({"day_of_week": "day"}, [6, 2, 2]),
        ({"month": "day"}, [3, 3, 3]),
        ({"days_between": ["day", "at"]}, [0, -2, None]),
        ({"hours_between": ["day", "at"]}, [23, -47, None]),
        ({"greater": ["delay", 15]}, [False, True, None]),
        ({"greater": ["delay", 15.0]}, [False, True, None]),
        ({"subtract": ["delay", "share"]}, [2.5, 18.0, None]),
        ({"divide": ["delay", {"subtract": ["share", 2]}]}, [-2.0, float("inf"), None]),
        ({"utf8_lower": {"utf8_trim_whitespace": "name"}}, ["ulm", "köln", None]),
        ({"equal": ["name", {"value": "KÖLN"}]}, [False, True, None]),
        ({"equal": ["delay", 3]}, [True, False, None]),
        ({"coalesce": ["name", {"value": "?"}]}, [" Ulm", "KÖLN", "?"]),
        ({"hour": "not_there"}, [None, None, None]),
        ({"year": "far"}, [12015, 1970, None]),
        ({"year": "far_day"}, [10183, 1970, None]),
        ({"add": ["delay", {"value": "2.5"}]}, [5.5, 22.5, None]),
        ({"add": [{"value": 2}, "share"]}, [2.5, 4.0, None]),
        ({"less": [{"multiply": ["delay", 2]}, 40]}, [True, False, None]),
        ({"abs": {"subtract": ["delay", 10]}}, [7.0, 10.0, None]),
        ({"utf8_length": {"coalesce": ["name", {"value": "?"}]}}, [4, 4, 1]),
        # Numbers where one of them is a number, else text.
        ({"coalesce": ["delay", "ratio"]}, [3.0, 20.0, 1.0]),
        ({"coalesce": ["share", "ratio"]}, [0.5, 2.0, 1.0]),
        ({"coalesce": ["ratio", "share"]}, [0.5, 2.0, 1.0]),
        ({"coalesce": ["price", "price"]}, [1.5, 2.0, None]),
        ({"coalesce": ["share", {"value": 7}]}, ["0.5", "2", "7"]),
        ({"coalesce": ["share", 7]}, [0.5, 2.0, 7.0]),
        ({"coalesce": [{"utf8_length": "name"}, "share"]}, [4.0, 4.0, None]),
        ({"equal": [{"add": ["delay", 0]}, "share"]}, [False, False, None]),
        ({"equal": [{"utf8_lower": "name"}, {"value": "köln"}]}, [False, True, None]),
        ({"equal": [{"utf8_upper": "share"}, {"value": "2.0"}]}, [False, False, None]),
        (
            {"not_equal": [{"coalesce": ["share", {"value": "2.0"}]}, {"value": "2"}]},
            [True, False, True],
        ),
        ({"split_pattern": ["tags", {"value": "|"}]}, ['["a", "b"]', "[]", None]),
        ({"list_contains": ["list", {"value": "b"}]}, [True, False, None]),
        ({"index_in": ["name", {"value": ["KÖLN", "x", " Ulm"]}]}, [2, 0, None]),
        ({"add": [1, {"index_in": ["name", {"value": ["KÖLN", " Ulm"]}]}]}, [2.0, 1.0, None]),
        (
            {"list_contains": [{"split_pattern": ["tags", {"value": "|"}]}, {"value": "c"}]},
            [False, False, None],
        ),
    ],
)
def test_a_column_is_made_by_the_function_of_arrow(expression, cells):
    assert derived(parse_columns({"made": expression}).derived["made"]) == (cells, {})


def test_cells_that_cannot_be_taken_are_faults_of_their_rows():
    value = {"value": "b"}
    assert derived({"list_contains": ["text_list", value]}) == (
        [True, True, None], {"text_list": [2]},
    )  # fmt: skip
    assert derived({"hour": "share"}) == ([None, None, None], {"share": [0, 1]})
    assert derived({"hour": "name"}) == ([None, None, None], {"name": [0, 1]})
    assert derived({"add": ["name", 1]}) == ([None, None, None], {"name": [0, 1]})
    classes = {"value": ["ulm", "wien"]}
    bare = {"utf8_lower": {"utf8_trim_whitespace": "name"}}
    assert derived({"index_in": [bare, classes]}) == ([0, None, None], {"name": [1]})
    made = parse_columns({"class": {"index_in": [bare, classes]}, "hour": {"hour": "at"}})
    assert made.classes == {"class": ("ulm", "wien")}


@pytest.mark.parametrize(
    ("blocks", "near"),
    [
        ([[" yes", "no"], ["YES", None]], [("made", "Yes", 2, (" yes", "YES"))]),
        # One cell is enough, whichever block it is in.
        ([[" yes", "no"], ["Yes"]], []),
        ([["Yes"], [" yes"]], []),
        # A class that a small span lacks is no near miss.
        ([["no", None], ["yes!"]], []),
    ],
)
def test_a_text_that_no_cell_is_but_for_white_space_or_capitals_is_a_near_miss(blocks, near):
    found = NearMisses()
    changes = ColumnChanges({}, {"made": {"equal": ["cell", {"value": "Yes"}]}})
    for cells in blocks:
        columns = {"cell": pa.array(cells)}
        list(
            derive_columns(changes, columns, len(cells), lambda name, column, number: column, found)
        )
    assert found.found() == near


def test_columns_get_their_new_names_and_keep_those_they_have():
    changes = parse_columns({"amount": "Order amount"})
    block = Block(pa.RecordBatch.from_pydict({"Order amount": [1], "b": [2]}), 1)
    assert rename_columns(changes, block, "a.csv").batch.schema.names == ["amount", "b"]
    done = Block(pa.RecordBatch.from_pydict({"amount": [1]}), 1)
    assert rename_columns(changes, done, "a.csv").batch.schema.names == ["amount"]
    both = Block(pa.RecordBatch.from_pydict({"amount": [1], "Order amount": [2]}), 1)
    with pytest.raises(
        RetrainerError, match=r"'a\.csv' has the columns 'Order amount' and 'amount'"
    ):
        rename_columns(changes, both, "a.csv")
    made = parse_columns({"hour": {"hour": "at"}})
    with pytest.raises(
        RetrainerError, match=r"'a\.csv' has a column 'hour', which data\.columns derives"
    ):
        rename_columns(made, Block(pa.RecordBatch.from_pydict({"hour": [1]}), 1), "a.csv")


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"a": {"hours": "at"}}, r"data\.columns\.a has the function 'hours'.*mean 'hour'"),
        ({"a": {"__import__": "os"}}, "'__import__', which is unknown"),
        ({"a": {"hour": ["at", "day"]}}, "'hour' takes 1 argument, and has 2"),
        ({"a": {"subtract": "at"}}, "'subtract' takes 2 arguments, and has 1"),
        (
            {"a": {"hour": "at", "day": "at"}},
            "give the source's name of the column, or one function",
        ),
        ({"a": ["at"]}, "give the source's name of the column, or one function"),
        ({"a": True}, "give the source's name of the column"),
        ({"a": "x", "b": "x"}, "calls the column 'x' both 'a' and 'b'"),
        ({"a": {"hour": "b"}, "b": {"day": "c"}}, "is made of 'b', which is made itself"),
        ({"a": {"hour": "old"}, "new": "old"}, "'old', which is called 'new' here"),
        ({"a": {"value": "x"}}, "is a value alone"),
        ({"a": 1}, "is a value alone"),
        ({"a": {"split_pattern": ["b", "|"]}}, "'split_pattern' takes a column and a text"),
        ({"a": {"equal": ["b", {"value": True}]}}, r"YAML reads yes, no.*\{value: \"Yes\"\}"),
        ({"a": {"index_in": ["b", {"value": ["x", False]}]}}, "has the value false: YAML reads"),
        ({"a": {"index_in": ["b", {"value": ["x", "x"]}]}}, "at least two and each once"),
        ({"a": {"index_in": ["b", {"value": ["x"]}]}}, "takes a column and its texts in order"),
        ({"a": {"index_in": ["b", "x"]}}, "takes a column and its texts in order"),
        ({"a": {"equal": ["b", {"value": ["x", "y"]}]}}, "'equal' takes one value"),
        ({"a": {"utf8_lower": {"split_pattern": ["b", {"value": "|"}]}}}, "'utf8_lower' does not"),
    ],
)
def test_what_cannot_be_is_refused_by_name(columns, says):
    with pytest.raises(RetrainerError, match=says):
        parse_columns(columns)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"drop": ("at",), "columns": {"when": "at"}}, r"data\.drop leaves out 'at'"),
        ({"hash": ("who",), "columns": {"w": {"utf8_lower": "who"}}}, "'who', which is private"),
        (
            {"hash": ("w",), "columns": {"w": {"utf8_lower": "who"}}},
            r"which data\.hash\.columns names",
        ),
        ({"types": {"who": "list"}, "hash": ("who",)}, "'who' is a list"),
        (
            {"columns": {"label": {"split_pattern": ["b", {"value": "|"}]}}},
            "'label' is a list",
        ),
        ({"key": ("id",), "key_features": ("city",)}, "'city', which is no part of key"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, says):
    with pytest.raises(RetrainerError, match=says):
        IngestSettings("label", **settings).check()


def test_a_columns_source_is_the_first_column_that_is_made_of_it():
    changes = parse_columns(
        {
            "a": {"add": ["x", {"multiply": ["y", 2]}]},
            "b": {"equal": ["x", {"value": "y"}]},
            "c": {"split_pattern": ["z", {"value": "|"}]},
            "new": "old",
        }
    )
    assert changes.sources == {"x": "a", "y": "a", "z": "c"}
    assert changes.lists == ("c",)
    assert changes.renamed == {"old": "new"}
