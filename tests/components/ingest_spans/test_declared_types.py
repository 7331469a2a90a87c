"""Kinds of columns by the schema."""

import pytest

from retrainer.components.ingest_spans.column_types import Kind
from retrainer.components.ingest_spans.declared_types import read_schema_kinds
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.store import Store

SCHEMA = """
feature { name: "a" type: INT }
feature { name: "b" type: FLOAT }
feature { name: "c c" type: BYTES }
feature { name: "d" }
"""
KINDS = {"a": Kind.INTEGER, "b": Kind.NUMBER, "c c": Kind.TEXT}


def test_types_of_the_frozen_schema_are_kinds_and_others_are_found_out(tmp_path):
    place = tmp_path / "store" / "schema" / "schema.pbtxt"
    assert str(place) == Store(str(tmp_path / "store")).schema_uri
    place.parent.mkdir(parents=True)
    place.write_text(SCHEMA)
    assert read_schema_kinds(str(tmp_path / "store"), "") == KINDS


def test_a_curated_schema_counts_in_place_of_the_frozen_one(tmp_path):
    (tmp_path / "schema.pbtxt").write_text(SCHEMA)
    assert read_schema_kinds("/nowhere", str(tmp_path / "schema.pbtxt")) == KINDS


def test_before_a_schema_is_frozen_all_kinds_are_found_out(tmp_path):
    assert read_schema_kinds(str(tmp_path), "") == {}


def test_a_curated_schema_that_is_not_there_or_not_one_is_named(tmp_path):
    with pytest.raises(RetrainerError, match=r"no schema at '.*x\.pbtxt' \(validation\.schema_uri"):
        read_schema_kinds(str(tmp_path), str(tmp_path / "x.pbtxt"))
    (tmp_path / "y.pbtxt").write_text("feature { nam }")
    with pytest.raises(RetrainerError, match=r"y\.pbtxt"):
        read_schema_kinds(str(tmp_path), str(tmp_path / "y.pbtxt"))
