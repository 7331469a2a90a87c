"""Types that a schema declares."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.column_types import ColumnType
from retrainer.components.lib.source_rows.declared_types import read_schema_types
from retrainer.components.lib.store import Store

SCHEMA = """
feature { name: "a" type: INT }
feature { name: "b" type: FLOAT }
feature { name: "c c" type: BYTES }
feature { name: "d" }
"""
TYPES = {"a": ColumnType.INTEGER, "b": ColumnType.NUMBER, "c c": ColumnType.TEXT}


def test_the_frozen_schema_declares_types_and_others_are_inferred(tmp_path):
    place = tmp_path / "store" / "schema" / "schema.pbtxt"
    assert str(place) == Store(str(tmp_path / "store")).schema_uri
    place.parent.mkdir(parents=True)
    place.write_text(SCHEMA)
    assert read_schema_types(str(tmp_path / "store"), "") == TYPES


def test_a_curated_schema_counts_in_place_of_the_frozen_one(tmp_path):
    (tmp_path / "schema.pbtxt").write_text(SCHEMA)
    assert read_schema_types("/nowhere", str(tmp_path / "schema.pbtxt")) == TYPES


def test_before_a_schema_is_frozen_all_kinds_are_found_out(tmp_path):
    assert read_schema_types(str(tmp_path), "") == {}


def test_a_curated_schema_that_is_not_there_or_not_one_is_named(tmp_path):
    with pytest.raises(RetrainerError, match=r"no schema at '.*x\.pbtxt' \(validation\.schema_uri"):
        read_schema_types(str(tmp_path), str(tmp_path / "x.pbtxt"))
    (tmp_path / "y.pbtxt").write_text("feature { nam }")
    with pytest.raises(RetrainerError, match=r"y\.pbtxt"):
        read_schema_types(str(tmp_path), str(tmp_path / "y.pbtxt"))
