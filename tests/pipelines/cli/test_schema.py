"""`retrainer schema`, on a schema that a store has."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples, SpanPart
from retrainer.components.lib.runs.run_records import recording
from retrainer.pipelines.project.starting import init_project
from retrainer.pipelines.runs import schema_changes
from retrainer.pipelines.runs.record_store import save_run
from retrainer.pipelines.runs.records import ArtifactRecord, RunRecord, TaskRecord

SCHEMA = """# by hand
feature { name: "country" type: BYTES domain: "country" presence { min_fraction: 1 min_count: 1 } }
feature { name: "basket_value" type: FLOAT float_domain { min: 0 } }
string_domain { name: "country" value: "DE" value: "FR" }
"""


@pytest.fixture
def local(tmp_path):
    """A project whose store is a folder, and that sets no domains."""
    folder = tmp_path / "local"
    init_project(folder)
    set_validation(folder)
    return folder


def set_validation(folder, **settings):
    file = folder / "retrain.yaml"
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**content, "validation": settings}))


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
    set_validation(local, schema_uri="curated.pbtxt")
    shown = retrainer("schema", "show", "--file", local / "retrain.yaml")
    assert shown.splitlines()[0] == str(local / "curated.pbtxt")
    assert "mine" in shown
    assert "country" not in shown


def test_no_schema_yet_says_how_one_comes_about(retrainer, local):
    with pytest.raises(RetrainerError, match=r"no schema at .*'retrainer run'"):
        retrainer("schema", "show", "--file", local / "retrain.yaml")


@pytest.fixture
def run_on(local):
    """A function that records a run whose newest span is this, and returns its statistics' folder."""

    def record(run_id, started, **newest):
        rows = 200
        columns = {"country": ["DE", "FR"] * (rows // 2), "basket_value": [1.5] * rows}
        columns["returned"] = [0, 1] * (rows // 2)
        parts = []
        for span, changes in (("1", {}), ("2", newest)):
            table = pa.Table.from_pandas(pd.DataFrame({**columns, **changes}))
            folder = local / "spans" / run_id / span
            folder.mkdir(parents=True)
            pq.write_table(table, folder / "all.parquet")
            parts.append(SpanPart(span, str(folder), "all", rows, ("all.parquet",)))
        examples = local / "examples" / run_id
        splits = {"train": (parts[0],), "eval": (parts[1],)}
        Examples("returned", splits, ("1", "2")).write(examples)
        statistics = local / "statistics" / run_id
        compute(str(examples), str(statistics), str(local / f"{run_id}.html"))
        artifact = ArtifactRecord("system.Artifact", str(statistics), "digest")
        task = TaskRecord("compute-statistics", output_artifacts={"statistics": artifact})
        store = str(local / "store")
        save_run(RunRecord(run_id, "orders", store, started=started, tasks={task.name: task}))
        return statistics

    return record


WEST = {"country": ["DE", "FR", "IT", "IT"] * 50}


@pytest.fixture
def broken(local, frozen, run_on, retrainer):
    """A project whose newest run met a new column, unknown countries and negative baskets."""
    frozen.write_text(
        SCHEMA + 'feature { name: "returned" type: INT int_domain { min: 0 max: 1 } }\n'
    )
    run_on("old", "2026-01-01T00:00:00.000+00:00")
    run_on("new", "2026-01-02T00:00:00.000+00:00", **WEST, basket_value=-2.0, gate="B4")
    # The newest run of all ended before it had statistics.
    store = str(local / "store")
    save_run(RunRecord("none", "orders", store, started="2026-01-03T00:00:00.000+00:00"))
    return lambda *arguments, **options: retrainer(
        "schema", *arguments, "--file", local / "retrain.yaml", **options
    )


def domain_of(file):
    schema = text_format.Parse(file.read_text(), schema_pb2.Schema())
    return list(schema.string_domain[0].value)


def test_diff_names_each_change_of_the_newest_data(broken):
    assert broken("diff").splitlines() == [
        "country: unexpected values: the domain gains 1 value (IT), in evaluation (2)",
        "basket_value: out of its domain: 'from 0' becomes 'from -2', in evaluation (2)",
        "gate: new column: type BYTES, may be missing, one of 1 value (B4), in evaluation (2)",
    ]
    broken("diff", "--exit-code", code=1)


def test_diff_of_data_that_fits_says_nothing(broken, local):
    assert broken("diff", "--run", "old", "--exit-code").startswith("no changes: run old fits ")
    folder = local / "statistics" / "old"
    shown = broken("diff", "--statistics", folder)
    assert shown.startswith(f"no changes: the statistics at {folder} fits")


def test_accept_takes_the_named_columns_and_keeps_the_former_schema(broken, frozen):
    before = frozen.read_text()
    shown = broken("accept", "country").splitlines()
    history = frozen.parent / "history"
    assert shown == [
        "country: unexpected values: the domain gains 1 value (IT), in evaluation (2)",
        f"changed {frozen}; the former schema is {history / '000001.pbtxt'}",
    ]
    assert domain_of(frozen) == ["DE", "FR", "IT"]
    assert frozen.read_text().startswith("# by hand\n")
    assert (history / "000001.pbtxt").read_text() == before
    assert "country" not in broken("diff")
    broken("accept", "--all")
    assert broken("diff").startswith("no changes")
    assert sorted(path.name for path in history.iterdir()) == ["000001.pbtxt", "000002.pbtxt"]
    assert broken("accept", "--all").startswith("no changes: run new fits")


def test_accept_of_one_kind_leaves_the_others(broken):
    broken("accept", "--all", "--kind", "out_of_domain")
    assert [line.split(":")[0] for line in broken("diff").splitlines()] == ["country", "gate"]


def test_a_dry_run_lists_changes_and_writes_nothing(broken, frozen):
    before = frozen.read_text()
    assert "nothing written (--dry-run)" in broken("accept", "--all", "--dry-run")
    assert frozen.read_text() == before
    assert not (frozen.parent / "history").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["contry"], r"no column 'contry'.* Did you mean 'country'\?.*country \(unexpected_values"),
        (["returned"], r"'returned' has no anomaly in run new.*gate \(new_column\)"),
        (["country", "--kind", "new_column"], "'country' has no anomaly of kind new_column"),
        (["--all", "--kind", "odd"], r"no kind 'odd'.*country"),
        (["country", "--run", "none"], "'none' ended before compute_statistics did"),
        (["country", "--run", "other"], "no run 'other'"),
        (["country", "--statistics", "nowhere"], "no statistics index at 'nowhere"),
    ],
)
def test_what_cannot_be_accepted_names_what_can(broken, frozen, arguments, says):
    before = frozen.read_text()
    with pytest.raises(RetrainerError, match=says):
        broken("accept", *arguments)
    assert frozen.read_text() == before


def test_columns_or_all_must_be_given(broken):
    broken("accept", code=2)
    broken("accept", "country", "--all", code=2)


def test_a_domain_in_retrain_yaml_is_not_the_schemas_to_change(broken, local, frozen):
    set_validation(local, domains={"basket_value": {"min": 1}})
    with pytest.raises(RetrainerError, match=r"change validation\.domains\.basket_value"):
        broken("accept", "basket_value")
    assert "change validation.domains.basket_value" in broken("accept", "--all")
    assert domain_of(frozen) == ["DE", "FR", "IT"]


def test_a_curated_schema_takes_changes_in_its_own_place(broken, local, frozen):
    curated = local / "curated.pbtxt"
    curated.write_text(frozen.read_text())
    before = frozen.read_text()
    set_validation(local, schema_uri="curated.pbtxt")
    broken("accept", "country")
    assert domain_of(curated) == ["DE", "FR", "IT"]
    assert (local / "curated.history" / "000001.pbtxt").read_text() == before
    assert frozen.read_text() == before


def test_of_two_accepts_at_once_both_count(broken, frozen, monkeypatch):
    """The other one writes between reading and writing of this one."""
    original = schema_changes.rewrite

    def late(*arguments):
        monkeypatch.setattr(schema_changes, "rewrite", original)
        broken("accept", "gate")
        return original(*arguments)

    monkeypatch.setattr(schema_changes, "rewrite", late)
    broken("accept", "country")
    assert [line.split(":")[0] for line in broken("diff").splitlines()] == ["basket_value"]
    assert len(list((frozen.parent / "history").iterdir())) == 2


def test_the_newest_statistics_may_be_of_a_run_elsewhere(broken, local):
    old = str(local / "statistics" / "old")
    with recording(str(local / "store"), "validate_examples", "on-vertex", "", "u1") as record:
        record.note(statistics=old)
    assert broken("diff").startswith("no changes: run on-vertex fits ")
    assert broken("diff", "--run", "on-vertex").startswith("no changes: run on-vertex fits ")


def test_statistics_that_stayed_in_the_cluster_are_said_to_be_there(broken, local):
    with recording(str(local / "store"), "validate_examples", "there", "", "u1") as record:
        record.note(statistics="minio://mlpipeline/v2/statistics")
    with pytest.raises(RetrainerError, match=r"cluster's own storage .* --statistics FOLDER"):
        broken("diff")


def test_without_any_statistics_the_ways_out_are_named(retrainer, local, frozen):
    with pytest.raises(RetrainerError, match=r"no run in .* has statistics yet.*--statistics"):
        retrainer("schema", "diff", "--file", local / "retrain.yaml")
