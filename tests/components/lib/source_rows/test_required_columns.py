"""The columns that settings name, as files have them."""

import pyarrow as pa
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.required_columns import RequiredColumns, required_columns
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources.base import Block

SETTINGS = IngestSettings(
    label="late",
    key=("id",),
    hash=("email", "id"),
    drop=("Näme",),
    split="hash",
    split_by=("shop",),
)


def block(*names, excluded=()):
    batch = pa.RecordBatch.from_arrays([pa.array([1])] * len(names), list(names))
    return Block(batch, 1, (), excluded)


def test_a_column_is_needed_by_the_first_setting_that_names_it():
    assert required_columns(SETTINGS) == {
        "late": "data.label", "id": "data.key", "email": "data.hash.columns", "shop": "data.split.columns",
    }  # fmt: skip


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("column", ["late", "id", "email", "shop"])
def test_files_with_a_header_have_the_needed_columns_all_or_none(column, first):
    whole = ["late", "id", "email", "shop", "x"]
    files = {"a": block(*whole), "b": block(*(name for name in whole if name != column))}
    named = RequiredColumns.of(SETTINGS)
    order = sorted(files, reverse=bool(first))
    named.check(files[order[0]], order[0], True)
    with pytest.raises(RetrainerError, match=f"'b' has no column '{column}' .*, which 'a' of the"):
        named.check(files[order[1]], order[1], True)


def test_rows_that_name_their_own_columns_may_lack_some():
    named = RequiredColumns.of(SETTINGS)
    named.check(block("late", "id", "email", "shop"), "a", False)
    named.check(block("id"), "a", False)


@pytest.mark.parametrize(
    "names",
    [
        ("late", "Email"),
        ("late", "EMAIL "),
        ("late", "\uff45mail"),
        ("late", "na\u0308me"),
        ("naüme", "näme"),
    ],
)
@pytest.mark.parametrize("has_header", [True, False])
def test_a_private_column_in_another_spelling_is_not_let_through(names, has_header):
    named = RequiredColumns.of(SETTINGS)
    with pytest.raises(
        RetrainerError, match=r"which data\.(drop|hash\.columns) names: is it the same"
    ):
        named.check(block(*names), "a", has_header)


def test_two_columns_that_differ_in_case_alone_are_two_where_both_are_there():
    named = RequiredColumns.of(SETTINGS)
    named.check(block("email", "Email", excluded=("Näme",)), "a", False)
    named.check(block("x", "näme", excluded=("Näme",)), "a", False)


def test_a_spelling_that_is_named_as_well_is_known():
    settings = IngestSettings(label="late", hash=("email",), drop=("Email",))
    RequiredColumns.of(settings).check(block("late", excluded=("Email",)), "a", False)


def test_what_columns_are_made_of_is_needed_and_they_themselves_are_not():
    settings = IngestSettings(
        label="late", weight="w", label_keys={"a": ("late", "other")},
        columns={"late": {"greater": ["delay", 15]}, "w": "Gewicht", "hour": {"hour": "at"}},
    )  # fmt: skip
    assert required_columns(settings) == {
        "other": "data.label_keys", "w": "data.columns: 'Gewicht' in the source",
        "delay": "data.columns.late", "at": "data.columns.hour",
    }  # fmt: skip
    named = RequiredColumns.of(settings)
    known = {name: named.names(name) for name in ("other", "w", "delay", "late", "Gewicht", "x")}
    assert known == {
        "other": True, "w": True, "delay": True, "late": False, "Gewicht": False, "x": False,
    }  # fmt: skip


def test_an_excluded_column_is_there():
    named = RequiredColumns.of(SETTINGS)
    named.check(block("late", "id", "email", "shop"), "a", True)
    named.check(block("late", "id", "email", excluded=["shop"]), "b", True)
