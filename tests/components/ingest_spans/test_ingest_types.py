"""Types of columns: from the span's cells, the store's schema and the settings."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from retrainer.components.lib.errors import RetrainerError

HEADER = "id,city,amount,label\n"


def test_types_come_from_the_whole_span_and_not_from_its_first_rows(project):
    rows = "".join(f"{i},Ulm,{i},0\n" for i in range(300_000)) + "x,Ulm,1.5,1\n"
    project.span("3", HEADER + rows)
    examples, _ = project.run()
    schema = examples.splits["eval"][0].read_table().schema
    assert (schema.field("id").type, schema.field("amount").type) == (pa.string(), pa.float64())


def freeze_schema(project, **types):
    """Write the store's schema, as a first run would."""
    place = Path(project.store, "schema", "schema.pbtxt")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(
        "".join(f'feature {{ name: "{name}" type: {kind} }}\n' for name, kind in types.items())
    )


def test_types_come_from_the_schema_where_there_is_one(project):
    freeze_schema(project, id="BYTES", amount="FLOAT", label="INT")
    project.span("3", HEADER + "007,Ulm,1,0\n008,Ulm,2,1\n")
    examples, _ = project.run()
    rows = examples.splits["eval"][0].read_table()
    assert rows.column("id").to_pylist() == ["007", "008"]
    assert rows.schema.field("amount").type == pa.float64()


def test_a_cell_that_is_not_of_the_schemas_type_sets_its_row_aside(project, tmp_path):
    freeze_schema(project, id="INT", amount="FLOAT")
    project.span("3", HEADER + "1,Ulm,1,0\n2,Ulm,much,1\n3.0,Ulm,3,1\n3.5,Ulm,4,1\n")
    examples, verdict = project.run(max_bad_rows=0.5)
    assert examples.splits["eval"][0].read_table().column("id").to_pylist() == [1, 3]
    assert "2 unreadable" in verdict
    aside = next((tmp_path / "store" / "spans" / "3").glob("*/unreadable.jsonl"))
    rows = [json.loads(line) for line in aside.read_text().splitlines()]
    assert [(row["row"], row["reason"]) for row in rows] == [
        (2, "'amount' is no number"), (4, "'id' is no integer of 64 bits"),
    ]  # fmt: skip
    assert json.loads(rows[0]["text"])["amount"] == "much"


def test_a_schema_that_says_what_was_found_out_ingests_nothing_again(project):
    before, _ = project.run()
    freeze_schema(project, id="INT", city="BYTES", amount="FLOAT", label="INT")
    after, verdict = project.run()
    assert verdict.startswith("nothing new")
    assert after.versions == before.versions


def test_a_schema_that_says_otherwise_makes_a_new_version(project):
    before, _ = project.run()
    freeze_schema(project, id="BYTES")
    after, verdict = project.run()
    assert verdict.startswith("3 ingested")
    assert set(after.versions.values()).isdisjoint(before.versions.values())
    assert project.run()[1].startswith("nothing new")


def test_types_that_are_set_go_before_the_values_and_the_schema(project):
    freeze_schema(project, id="INT", amount="FLOAT")
    project.span("3", HEADER + "007,Ulm,1,0\n008,Ulm,2,1\n")
    examples, _ = project.run(types={"id": "text"})
    assert examples.splits["eval"][0].read_table().column("id").to_pylist() == ["007", "008"]
    assert project.run(types={"id": "text"})[1].startswith("nothing new")


def test_types_that_there_are_not_are_named(project):
    with pytest.raises(
        RetrainerError, match=r"is 'txt' for 'id'; use integer, number, text or list"
    ):
        project.run(types={"id": "txt"})
    with pytest.raises(RetrainerError, match=r"data\.types names 'idd'.*Did you mean 'id'"):
        project.run(types={"idd": "text"})


def test_a_column_that_changed_for_good_stops_with_the_fix(project):
    freeze_schema(project, id="INT")
    project.span("3", HEADER + "".join(f"c{i},Ulm,{i},{i % 2}\n" for i in range(10)))
    with pytest.raises(RetrainerError, match=r"row 1: 'id' is no integer.*data\.types"):
        project.run()
    examples, _ = project.run(types={"id": "text"})
    assert examples.read_table("train").schema.field("id").type == pa.string()
