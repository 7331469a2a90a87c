"""`retrainer schema`, on a schema that a store has."""

import json

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.projects import init_project

SCHEMA = """# by hand
feature { name: "country" type: BYTES domain: "country" presence { min_fraction: 1 min_count: 1 } }
feature { name: "basket_value" type: FLOAT float_domain { min: 0 } }
string_domain { name: "country" value: "DE" value: "FR" }
"""


@pytest.fixture
def local(tmp_path):
    """A project whose store is a folder."""
    folder = tmp_path / "local"
    init_project(folder)
    return folder


@pytest.fixture
def frozen(local):
    """The schema in that store."""
    file = local / "store" / "schema" / "schema.pbtxt"
    file.parent.mkdir(parents=True)
    file.write_text(SCHEMA)
    return file


def test_the_schema_is_shown_as_a_table_as_json_and_as_it_stands(retrainer, local, frozen):
    on = ("--file", local / "retrain.yaml")
    lines = retrainer("schema", "show", *on).splitlines()
    assert lines[0] == str(frozen)
    assert lines[1].split() == ["column", "type", "presence", "domain"]
    assert " ".join(lines[2].split()) == "country BYTES every row one of 2 values (DE, FR)"
    assert retrainer("schema", "show", *on, "--pbtxt") == SCHEMA
    shown = json.loads(retrainer("schema", "show", *on, "--json"))
    assert shown["uri"] == str(frozen)
    assert [column["column"] for column in shown["columns"]] == ["country", "basket_value"]
    assert shown["columns"][1]["domain"] == "from 0"


def test_a_curated_schema_is_shown_in_place_of_the_frozen_one(retrainer, local, frozen):
    (local / "curated.pbtxt").write_text('feature { name: "mine" type: INT }')
    file = local / "retrain.yaml"
    file.write_text(file.read_text() + "\nvalidation: {schema_uri: curated.pbtxt}\n")
    shown = retrainer("schema", "show", "--file", file)
    assert shown.splitlines()[0] == str(local / "curated.pbtxt")
    assert "mine" in shown
    assert "country" not in shown


def test_no_schema_yet_says_how_one_comes_about(retrainer, local):
    with pytest.raises(RetrainerError, match=r"no schema at .*'retrainer run'"):
        retrainer("schema", "show", "--file", local / "retrain.yaml")
