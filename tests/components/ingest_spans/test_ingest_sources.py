"""What the cells, files and names of a source become."""

import gzip
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources.base import SourceOptions

HEADER = "id,city,amount,label\n"


def test_keys_that_differ_in_their_zeros_are_different_customers(project):
    for name in "123":
        project.span(name, HEADER + "0700,Ulm,1.5,0\n700,Ulm,2.5,1\n070,Ulm,3,1\n")
    examples, verdict = project.run(key=("id",))
    assert examples.rows("train") == 6
    assert examples.read_table("eval").column("id").to_pylist() == ["0700", "700", "070"]
    assert "quarantined" not in verdict
    assert "'id' is text, because of cells such as '0700' and '070' (leading zeros)" in verdict


def test_a_key_that_the_schema_says_is_a_number_never_takes_two_for_one(project, tmp_path):
    for name in "123":
        project.span(name, HEADER + "0700,Ulm,1.5,0\n700,Ulm,2.5,1\n")
    (tmp_path / "schema.pbtxt").write_text('feature { name: "id" type: INT }')
    schema, out = str(tmp_path / "schema.pbtxt"), str(tmp_path / "examples")

    def run(**settings):
        wanted = IngestSettings("label", key=("id",), **settings)
        return ingest(project.pattern, project.store, wanted, out, schema_uri=schema).verdict

    with pytest.raises(RetrainerError, match=r"1\.csv row 1: 'id' .*\('0700'\).*data\.types"):
        run()
    assert "quarantined: 3 unreadable" in run(max_bad_rows=0.6)
    # Whoever says so knows.
    assert "quarantined: 3 duplicate" in run(types={"id": "integer"})


def test_numbers_with_other_marks_than_the_schema_knows_lead_to_the_setting(project, tmp_path):
    (tmp_path / "schema.pbtxt").write_text('feature { name: "amount" type: FLOAT }')
    project.span("1", HEADER + '1,Ulm,"1,204.50",0\n2,Ulm,7,1\n')
    says = r"'amount' is no number \('1,204\.50'\).*\(data\.csv\.decimal, data\.csv\.thousands\)"
    with pytest.raises(RetrainerError, match=says):
        ingest(
            project.pattern, project.store, IngestSettings("label"), str(tmp_path / "examples"),
            schema_uri=str(tmp_path / "schema.pbtxt"),
        )  # fmt: skip


def test_a_header_among_the_rows_is_named_and_quarantined_once_the_type_is_set(project):
    project.span("3", (HEADER + "1,Ulm,1.5,0\n2,Ulm,2.5,1\n") * 2)
    with pytest.raises(
        RetrainerError, match=r"span 3 has its header again among its rows.*data\.types"
    ):
        project.run()
    settings = {"types": {"label": "number", "amount": "number"}, "max_bad_rows": 0.5}
    assert "quarantined: 1 unreadable" in project.run(**settings)[1]
    # The span is there now, and the row is still known.
    with pytest.raises(RetrainerError, match=r"3\.csv row 3: 'amount' is no number.*\('amount'\)"):
        project.run(**{**settings, "max_bad_rows": 0.1})


def test_why_a_column_is_text_stays_with_the_span(project, tmp_path):
    project.span("3", 'id,city,amount,label\n01,NA,"1,204.50",0\n02,Ulm,7,1\n')
    _, verdict = project.run()
    assert "'amount' is text, because of cells such as '1,204.50' (thousands marks)" in verdict
    (record,) = (tmp_path / "store" / "spans" / "3").glob("*/span.json")
    notes = {note["column"]: note for note in json.loads(record.read_text())["notes"]}
    assert notes["amount"] == {
        "column": "amount", "kind": "codes", "rows": 1, "examples": ["1,204.50"],
        "reason": "thousands marks",
    }  # fmt: skip
    assert (notes["city"]["kind"], notes["city"]["rows"]) == ("missing_words", 1)
    assert notes["id"]["examples"] == ["01", "02"]
    _, verdict = project.run()
    assert verdict.startswith("nothing new")
    assert "is text" not in verdict


def test_marks_of_numbers_missing_cells_and_lines_to_skip_are_settings(project):
    for name in "123":
        text = "Export 3\nid;city;amount;rate;label\n1;NA;1.204,50;0.5;0\n2;-;-;1.25;1\n"
        project.span(name, text)
    source = SourceOptions(
        csv_delimiter=";",
        csv_skip_rows=1,
        csv_decimal=",",
        csv_thousands=".",
        csv_null_values=("", "-"),
        csv_by_column={"rate": {"decimal": ".", "thousands": ""}},
    )
    renamed = project.run(source=source, columns={"share": "rate"})[0].read_table("eval")
    assert renamed.column("share").to_pylist() == [0.5, 1.25]
    table = project.run(source=source)[0].read_table("eval")
    assert table.to_pydict() == {
        "id": [1, 2], "city": ["NA", None], "amount": [1204.5, None], "rate": [0.5, 1.25],
        "label": [0, 1],
    }  # fmt: skip


def test_rows_without_a_weight_are_quarantined_and_counted(project, tmp_path):
    header = "id,w,label\n"
    for name in "12":
        project.span(name, header + "1,1.5,0\n2,0,1\n")
    project.span("3", header + "1,,0\n2,-1,1\n3,inf,1\n4,nan,0\n5,0.5,1\n6,0.5,\n")
    examples, verdict = project.run(weight="w")
    assert verdict.endswith("quarantined: 1 unlabelled, 4 unweighted")
    assert examples.read_table("eval").column("id").to_pylist() == [5]
    (folder,) = {part.uri for part in examples.splits["eval"]}
    aside = pq.read_table(f"{folder}/unweighted.parquet")
    assert aside.column("id").to_pylist() == [1, 2, 3, 4]
    assert not list((tmp_path / "store" / "spans" / "1").glob("*/unweighted.parquet"))
    # Whole numbers, too.
    project.span("3", header + "1,2,0\n2,-1,1\n3,,1\n")
    assert project.run(weight="w")[1].endswith("quarantined: 2 unweighted")


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        ("city", r"the weight 'city' of span 1 is text \(such as 'Ulm'\).*0 or more"),
        ("wait", r"span 1 has no column 'wait' \(evaluation\.example_weight_key\)"),
        ("label", "the weight 'label'.*can't be the label"),
    ],
)
def test_a_weight_that_cannot_be_is_named(project, weight, says):
    with pytest.raises(RetrainerError, match=says):
        project.run(weight=weight)


def test_a_setting_that_is_not_set_makes_no_other_version(project):
    versions = project.run()[0].versions
    assert project.run(weight="", key=())[0].versions == versions
    assert project.run(weight="amount")[0].versions != versions


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        ("a.csv", b""), ("a.csv", HEADER.encode()), ("z.csv", b"\n"), ("a.jsonl", b""),
        ("z.jsonl", b"\n\n"), ("a.csv.gz", gzip.compress(b"", mtime=0)), ("a.tfrecord", b""),
    ],
)  # fmt: skip
def test_a_part_without_rows_beside_others_is_no_fault(tmp_path, project, name, empty):
    project.pattern = str(tmp_path / "parts" / "{span}" / "*")
    for span in "12":
        folder = tmp_path / "parts" / span
        folder.mkdir(parents=True)
        (folder / "part-1.csv").write_text(HEADER + "1,Ulm,1.5,0\n2,Ulm,2.5,1\n")
        (folder / name).write_bytes(empty)
    examples, verdict = project.run()
    assert verdict == "2 ingested (1, 2); 2 rows to train, 2 to evaluate"
    assert examples.read_table("eval").column("amount").to_pylist() == [1.5, 2.5]
    for folder in (tmp_path / "parts").iterdir():
        (folder / "part-1.csv").write_bytes(b"")
    with pytest.raises(RetrainerError, match=r"none of the span's 2 files has a row; the first is"):
        project.run()


def test_a_parquet_part_without_rows_is_no_fault_whatever_its_types_and_one_without_bytes_is(
    tmp_path, project
):
    project.pattern = str(tmp_path / "parts" / "{span}" / "*.parquet")
    for span in "12":
        folder = tmp_path / "parts" / span
        folder.mkdir(parents=True)
        rows = pa.table({"id": [1, 2], "label": [0, 1]})
        pq.write_table(rows, folder / "part-1.parquet")
        other = pa.schema([("id", pa.string()), ("label", pa.list_(pa.int64()))])
        pq.write_table(other.empty_table(), folder / "part-0.parquet")
    table = project.run()[0].read_table("eval")
    assert table.schema.field("id").type == pa.int64()
    (tmp_path / "parts" / "2" / "part-0.parquet").write_bytes(b"")
    with pytest.raises(RetrainerError, match=r"part-0\.parquet' is empty \(0 bytes\)"):
        project.run()


def test_columns_in_the_path_are_columns_of_text(tmp_path, project):
    project.pattern = str(tmp_path / "parts" / "day={span}" / "*" / "site=*" / "*.csv")
    for day in "12":
        for store, site, city in (("store=07", "site=a%2Fb", "Ulm"), ("store=7", "site=NA", "")):
            folder = tmp_path / "parts" / f"day={day}" / store / site
            folder.mkdir(parents=True)
            (folder / "part.csv").write_text(f"city,label\n{city},0\nBonn,1\n")
    hive = tmp_path / "parts" / "day=2" / "store=__HIVE_DEFAULT_PARTITION__" / "site=c"
    hive.mkdir(parents=True)
    (hive / "part.csv").write_text("city,label\nBerlin,1\n")
    examples, _ = project.run()
    assert examples.read_table("train").to_pydict() == {
        "city": ["Ulm", "Bonn", None, "Bonn"], "label": [0, 1, 0, 1],
        "store": ["07", "07", "7", "7"], "site": ["a/b", "a/b", "NA", "NA"],
    }  # fmt: skip
    stores = examples.read_table("eval").column("store").to_pylist()
    assert sorted(map(str, stores)) == ["07", "07", "7", "7", "None"]
    # They can be all that a column of the file can be.
    assert "site" not in project.run(drop=("site",))[0].read_table("eval").column_names
    number = project.run(types={"store": "integer"})[0].read_table("train")
    assert number.column("store").to_pylist() == [7, 7, 7, 7]
    # The same file in another folder holds other rows.
    before = project.run()[0].versions["1"]
    moved = tmp_path / "parts" / "day=1" / "store=7" / "site=NA"
    moved.rename(moved.with_name("site=XX"))
    examples, _ = project.run()
    assert examples.versions["1"] != before
    assert examples.read_table("train").column("site").to_pylist()[-1] == "XX"


def test_a_column_in_the_path_and_in_the_file_is_the_files_if_they_agree(tmp_path, project):
    project.pattern = str(tmp_path / "parts" / "{span}" / "*" / "*.csv")
    for name in "12":
        folder = tmp_path / "parts" / name / "site=07"
        folder.mkdir(parents=True)
        (folder / "part.csv").write_text("site,label\n07,0\n07,1\n")
    assert project.run()[0].read_table("eval").column("site").to_pylist() == ["07", "07"]
    (folder / "part.csv").write_text("site,label\n07,0\n08,1\n")
    with pytest.raises(
        RetrainerError, match="site = 07 in its path, and '08' in its column 'site'"
    ):
        project.run()


@pytest.mark.parametrize("index", ["", "Unnamed: 0"])
def test_the_index_that_pandas_writes_beside_the_columns_is_left_out_by_name(project, index):
    project.span("3", f"{index},{HEADER}0,1,Ulm,1.5,0\n1,2,Ulm,2.5,1\n")
    examples, verdict = project.run()
    assert examples.read_table("eval").column_names == ["id", "city", "amount", "label"]
    assert f"'{index}' is the index of pandas, and left out" in verdict
    if not index:
        # Nothing can name it.
        unnamed = project.run(types={index: "integer"})[0].read_table("eval")
        assert unnamed.column_names == ["id", "city", "amount", "label"]
    else:
        # Who names it has it.
        kept = project.run(types={index: "integer"})[0].read_table("eval")
        assert kept.column(index).to_pylist() == [0, 1]


def test_the_index_that_pandas_writes_into_parquet_is_left_out(tmp_path, project):
    project.pattern = str(tmp_path / "{span}.parquet")
    for name in "12":
        frame = pd.DataFrame({"id": [1, 2, 3], "label": [0, 1, 1]})
        frame[frame.id > 1].to_parquet(tmp_path / f"{name}.parquet")
    assert project.run()[0].read_table("eval").column_names == ["id", "label"]


def test_columns_are_renamed_and_made_of_others(project):
    for name in "123":
        rows = "1,2026-03-01T23:30:00,3,Ulm\n1,2026-03-02T01:00:00,20,Bonn\n2,soon,NA,Ulm\n"
        project.span(name, "Order ID,at,delay,city\n" + rows)
    columns = {
        "id": "Order ID", "hour": {"hour": "at"}, "late": {"greater": ["delay", 15.0]},
        "same": {"equal": ["city", {"value": "Ulm"}]},
    }  # fmt: skip
    settings = {"label": "late", "key": ("id",), "columns": columns, "max_bad_rows": 0.5}
    examples, verdict = project.run(**settings, key_features=("id",))
    assert "quarantined: 3 unreadable, 3 duplicate" in verdict
    table = examples.read_table("eval")
    assert table.to_pydict() == {
        "id": [1], "at": ["2026-03-02T01:00:00"], "delay": [20], "city": ["Bonn"], "hour": [1],
        "late": [1], "same": [0],
    }  # fmt: skip
    assert (examples.key, examples.bare_key) == (("id",), ())
    # What a key is for those who read it makes no other rows.
    assert project.run(**settings)[0].versions == examples.versions
    assert project.run(**settings)[0].bare_key == ("id",)
    with pytest.raises(
        RetrainerError, match=r"csv row 3: 'at' is no time in ISO's form \('soon'\)"
    ):
        project.run(**{**settings, "max_bad_rows": 0.1, "key": ()})
    with pytest.raises(RetrainerError, match=r"'Ulm'.*If a text was meant, write {value: Ulm}"):
        project.run(**{**settings, "columns": {**columns, "same": {"equal": ["city", "Ulm"]}}})
    with pytest.raises(
        RetrainerError, match=r"no column 'AT'.*Did you mean 'at'\? It has(?!.*hour)"
    ):
        project.run(**{**settings, "columns": {**columns, "hour": {"hour": "AT"}}})
    for wrong in ({"id": "Order"}, {"hour": {"hour": "att"}}):
        with pytest.raises(RetrainerError, match=r"has no column.*data\.columns"):
            project.run(**{**settings, "columns": {**columns, **wrong}})


@pytest.mark.parametrize(
    "name", ["am\tount", '"am\nount"', "amount\x00", "\x1famount", "amount\x85"]
)
def test_a_name_with_a_character_that_cannot_be_seen_is_refused(project, name):
    project.span("3", HEADER.replace("amount", name) + "1,Ulm,1,0\n2,Ulm,2,1\n")
    with pytest.raises(
        RetrainerError, match=r"3\.csv' has the column '.*whose name has an invisible character"
    ):
        project.run()


def test_such_a_name_can_be_given_another_one_and_names_that_differ_in_case_are_two(project):
    for name in "123":
        project.span(name, "am\tount,City,city,label\n1,Ulm,x,0\n2,Bonn,y,1\n")
    table = project.run(columns={"amount": "am\tount"})[0].read_table("eval")
    assert table.column_names == ["amount", "City", "city", "label"]
