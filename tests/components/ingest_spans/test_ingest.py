import errno
import gzip
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.ingest_spans.span import ingest_span
from retrainer.components.ingest_spans.span_checks import check_bad_rows
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.spans.span_discovery import find_spans

HEADER = "id,city,amount,label\n"


def test_only_a_new_span_is_ingested(project):
    project.run()
    project.span("4", HEADER + "1,Ulm,1,0\n2,Ulm,2,1\n")
    _, verdict = project.run()
    assert verdict.startswith("1 ingested (4), 2 reused")


def test_a_manifest_is_the_same_for_the_same_data(project, tmp_path):
    project.run()
    first = (tmp_path / "examples" / "manifest.json").read_bytes()
    project.run()
    assert (tmp_path / "examples" / "manifest.json").read_bytes() == first


def test_a_span_that_changed_becomes_a_new_version_and_the_old_one_stays(project):
    before, _ = project.run()
    project.span("3", HEADER + "1,Ulm,7,0\n")
    after, _ = project.run()
    old, new = before.splits["eval"][0], after.splits["eval"][0]
    assert old.uri != new.uri
    assert len(old.read_table()) == 10
    assert new.read_table().column("amount").to_pylist() == [7]


def test_the_verdict_and_the_manifest_tell_that_a_span_changed(project):
    before, verdict = project.run()
    assert before.replaced == {}
    assert "changed" not in verdict
    project.span("3", HEADER + "1,Ulm,7,0\n")
    after, verdict = project.run()
    assert after.replaced == {"3": before.versions["3"]}
    assert f"3 changed, now version {after.versions['3']} (was {before.versions['3']})" in verdict
    again, verdict = project.run()
    assert again == after
    assert verdict.startswith("nothing new, 3 reused; 20 rows")


def test_other_settings_make_a_version_of_an_unchanged_span(project):
    before, _ = project.run()
    after, verdict = project.run(drop=("city",))
    assert before.versions["3"] != after.versions["3"]
    assert after.replaced == {}
    assert "changed" not in verdict


def test_a_file_that_grows_while_it_is_read_stores_nothing(project, tmp_path):
    project.span("1", HEADER + "".join(f"{i},Ulm,{i},0\n" for i in range(300_000)))
    source = find_spans(project.pattern)[0]
    done = threading.Event()

    def grow():
        with (tmp_path / "in" / "1.csv").open("a") as file:
            while not done.wait(0.001):
                file.write("1,Ulm,1,1\n")
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(RetrainerError, match=r"span 1: .*1\.csv.*changed while it was read"):
            ingest_span(source, project.store, IngestSettings("label"))
    finally:
        done.set()
        writer.join()
    assert list((tmp_path / "store" / "spans" / "1").iterdir()) == []


def test_a_fault_of_a_file_that_changed_meanwhile_is_no_fault_to_fix(
    project, tmp_path, monkeypatch
):
    source, file = find_spans(project.pattern)[0], tmp_path / "in" / "1.csv"

    def read_too_early(*_args, **_kwargs):
        if b"Jena" not in file.read_bytes():
            file.write_bytes(file.read_bytes() + b"1,Jena,1,0\n")
        raise RetrainerError("the last row has one cell")

    # The package's name is the component's.
    monkeypatch.setattr(sys.modules[ingest_span.__module__], "write_span_files", read_too_early)
    with pytest.raises(RetrainerError, match=r"1\.csv.*changed while it was read"):
        ingest_span(source, project.store, IngestSettings("label"))
    # It is complete now, and the fault is its own.
    with pytest.raises(RetrainerError, match="the last row has one cell"):
        ingest_span(find_spans(project.pattern)[0], project.store, IngestSettings("label"))


def test_a_file_that_is_touched_but_not_changed_is_not_ingested_again(project, tmp_path):
    project.run()
    project.span("3", (tmp_path / "in" / "3.csv").read_bytes())
    assert project.run()[1].startswith("nothing new")


def test_files_that_show_no_change_are_not_read_again(project, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("the files are read, which takes minutes where they are large")

    project.run()
    module = sys.modules[ingest_span.__module__]
    with monkeypatch.context() as reading:
        reading.setattr(module, "digest_content", refuse)
        assert project.run()[1].startswith("nothing new")
        os.utime(tmp_path / "in" / "3.csv", (1, 1))
        with pytest.raises(AssertionError, match="are read"):
            project.run()
    # It was touched and not changed: once its content is known, that is known as well.
    assert project.run()[1].startswith("nothing new")
    monkeypatch.setattr(module, "digest_content", refuse)
    assert project.run()[1].startswith("nothing new")


def test_what_a_span_changed_back_to_is_its_earlier_version(project):
    first = project.run()[0].versions["3"]
    project.span("3", HEADER + "1,Ulm,7,0\n")
    assert project.run()[0].versions["3"] != first
    project.span("3", HEADER + "".join(f"3{i},Ulm,{i}.5,{i % 2}\n" for i in range(10)))
    examples, verdict = project.run()
    assert (examples.versions["3"], verdict[:20]) == (first, "nothing new, 3 reuse")


def test_two_who_ingest_the_same_span_leave_one_copy(project, tmp_path):
    source = find_spans(project.pattern)[0]
    with ThreadPoolExecutor(4) as pool:
        stored = list(
            pool.map(
                lambda _: ingest_span(source, project.store, IngestSettings("label")), range(4)
            )
        )
    assert len({one.uri for one in stored}) == 1
    left = [path.name for path in (tmp_path / "store" / "spans" / "1").iterdir()]
    assert sorted(left) == sorted(["seen", stored[0].uri.rpartition("/")[2]])


def test_rows_without_a_label_are_quarantined_and_counted(project, tmp_path):
    project.span("3", HEADER + "1,Ulm,1,0\n2,Ulm,2,\n3,Ulm,3,NA\n")
    examples, verdict = project.run()
    assert examples.rows("eval") == 1
    assert examples.counts["3"]["unlabelled"] == 2
    assert "2 unlabelled" in verdict
    aside = next((tmp_path / "store" / "spans" / "3").glob("*/unlabelled.parquet"))
    assert pq.read_table(aside).column("id").to_pylist() == [2, 3]


def test_rows_that_cannot_be_read_are_kept_with_their_place(project, tmp_path):
    project.span("3", HEADER + "1,Ulm,1,0\n2,Ulm,2,1,surplus\n3,Ulm,3,1\n")
    examples, verdict = project.run(max_bad_rows=0.5)
    assert examples.rows("eval") == 2
    assert "1 unreadable" in verdict
    aside = next((tmp_path / "store" / "spans" / "3").glob("*/unreadable.jsonl"))
    row = json.loads(aside.read_text())
    assert (row["row"], row["text"]) == (2, "2,Ulm,2,1,surplus")


def test_too_many_rows_that_cannot_be_read_stop_the_run(project):
    project.span("3", HEADER + "1,Ulm,1,0\n2,Ulm,2,1,surplus\n")
    with pytest.raises(
        RetrainerError, match=r"1 of 2 rows are unreadable.*3\.csv row 2: it has 5 cells"
    ):
        project.run()


@pytest.mark.parametrize(
    ("bad", "read", "allowed"),
    [(0, 100, 0.0), (29, 100, 0.29), (57, 100, 0.57), (7, 100, 0.07), (100, 100, 1.0), (0, 0, 0.0)],
)
def test_as_many_bad_rows_as_are_allowed_pass_and_not_one_more(bad, read, allowed):
    check_bad_rows("1", {"unreadable": bad, "read": read}, allowed)
    if bad < read:
        with pytest.raises(RetrainerError, match=f"{bad + 1} of {read} rows are unreadable"):
            check_bad_rows("1", {"unreadable": bad + 1, "read": read}, allowed)


def test_a_label_that_is_numbers_as_text_is_reported_with_the_fix(project, tmp_path):
    for name in "123":
        (tmp_path / "in" / f"{name}.jsonl").write_text('{"label": "0"}\n{"label": "1"}\n')
    project.pattern = str(tmp_path / "in" / "{span}.jsonl")
    with pytest.raises(RetrainerError, match=r"is text, though .*data\.types to \{label: number\}"):
        project.run()
    assert project.run(types={"label": "number"})[0].rows("train") == 4


def test_a_file_without_its_header_or_label_is_named_and_nothing_of_it_lost(project, tmp_path):
    project.pattern = str(tmp_path / "in" / "{span}" / "*.csv")
    for name in "123":
        (tmp_path / "in" / name).mkdir()
        (tmp_path / "in" / name / "a.csv").write_text(HEADER + "1,Ulm,1,0\n2,Ulm,2,1\n")
    project.run()
    for text in ("3,Ulm,9,0\n4,Ulm,4,1\n", HEADER.replace("label", "Label") + "3,Ulm,3,0\n"):
        (tmp_path / "in" / "3" / "b.csv").write_text(text)
        with pytest.raises(RetrainerError, match=r"b\.csv' has no column 'label'.*a\.csv' of the"):
            project.run()


def test_of_rows_with_the_same_key_the_later_wins(project):
    project.span("3", HEADER + "1,Ulm,1,0\n2,Ulm,2,1\n1,Bonn,3,1\n")
    examples, verdict = project.run(key=("id",))
    assert examples.splits["eval"][0].read_table().column("city").to_pylist() == ["Ulm", "Bonn"]
    assert "1 duplicate" in verdict


def test_quoted_line_breaks_unicode_and_gz(project, tmp_path):
    (tmp_path / "in" / "4.csv.gz").write_bytes(
        gzip.compress((HEADER + '1,"Köln\nDeutz",1,0\n').encode())
    )
    for name in "123":
        (tmp_path / "in" / f"{name}.csv").rename(tmp_path / "in" / f"{name}.csv.gz.off")
        text = (tmp_path / "in" / f"{name}.csv.gz.off").read_bytes()
        (tmp_path / "in" / f"{name}.csv.gz").write_bytes(gzip.compress(text))
    project.pattern = str(tmp_path / "in" / "{span}.csv.gz")
    examples, _ = project.run()
    assert examples.splits["eval"][0].read_table().column("city").to_pylist() == ["Köln\nDeutz"]


def test_dropped_columns_are_gone(project):
    examples, _ = project.run(drop=("city",))
    assert "city" not in examples.read_table("eval").column_names


def test_the_words_that_a_label_is_made_of_are_dropped(project):
    for name in "123":
        rows = "".join(f"{name}{i},Ulm,{i}.5,{'left' if i % 3 else 'stayed'}\n" for i in range(10))
        project.span(name, f"id,city,amount,status\n{rows}")
    made = {"gone": {"equal": ["status", {"value": "left"}]}}
    examples, _ = project.run(label="gone", columns=made, drop=("status",))
    table = examples.read_table("eval")
    assert table.column_names == ["id", "city", "amount", "gone"]
    assert table["gone"].to_pylist() == [0, 1, 1, 0, 1, 1, 0, 1, 1, 0]


def test_a_dropped_column_that_no_span_has_is_named(project):
    with pytest.raises(RetrainerError, match=r"'citty'.*Did you mean 'city'"):
        project.run(drop=("citty",))


def test_hashed_columns_are_repeatable_and_tell_nothing(project, monkeypatch):
    monkeypatch.setenv("RETRAINER_HASH_KEY", "a secret of enough bytes")
    examples, _ = project.run(hash=("city",))
    hashed = set(examples.read_table("eval").column("city").to_pylist())
    assert len(hashed) == 1
    assert "Ulm" not in hashed
    monkeypatch.setenv("RETRAINER_HASH_KEY", "another one of enough bytes")
    other, _ = project.run(hash=("city",))
    assert set(other.read_table("eval").column("city").to_pylist()).isdisjoint(hashed)


def test_hashing_without_a_key_names_the_variable(project, monkeypatch):
    monkeypatch.delenv("RETRAINER_HASH_KEY", raising=False)
    # Before anything is looked for.
    project.pattern = "nowhere/{span}.csv"
    with pytest.raises(RetrainerError, match="RETRAINER_HASH_KEY"):
        project.run(hash=("city",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"3\.csv' is empty \(0 bytes\)"),
        (HEADER, "a header and no rows"),
        (b"\xff\xfe\x00id", "is UTF-16"),
        ("id,city,city,label\n1,a,b,0\n", "'city' more than once.*data.csv.columns"),
        ("id,city,amount\n1,Ulm,1\n", "no column 'label'"),
        (HEADER + "1,Ulm,1,yes\n", "the label 'label' of span 3 is text"),
        (
            HEADER + "1,Ulm,1,yes\n",
            r'data.columns: {target: {equal: \[label, {value: "yes"}\]}} is 1 where it is "yes"',
        ),
        (
            "id;city;amount;label\n1;Ulm;1;1\n",
            r'to be separated by ";": set data.csv to {delimiter: ";"}',
        ),
        ("id\tcity|amount\tlabel\n1\tUlm\t1\t1\n", r'set data.csv to {delimiter: "\\t"}, if tabs'),
        (HEADER + "1,Ulm,1,\n", "the eval split has no rows with a label"),
    ],
)
def test_a_bad_span_says_what_is_wrong_and_stores_nothing(project, tmp_path, text, says):
    project.span("3", text)
    with pytest.raises(RetrainerError, match=says):
        project.run()
    left = list((tmp_path / "store").rglob(".writing-*"))
    assert left == []


def test_a_truncated_parquet_file_is_named(project, tmp_path):
    for name in "12":
        pq.write_table(
            pa.table({"a": [1, 2], "label": [0, 1]}), tmp_path / "in" / f"{name}.parquet"
        )
    (tmp_path / "in" / "3.parquet").write_bytes((tmp_path / "in" / "1.parquet").read_bytes()[:-20])
    project.pattern = str(tmp_path / "in" / "{span}.parquet")
    with pytest.raises(RetrainerError, match=r"3\.parquet' can't be read"):
        project.run()


def test_nested_columns_are_named(project, tmp_path):
    for name in "12":
        pq.write_table(
            pa.table({"a": [[1], [2]], "label": [0, 1]}), tmp_path / "in" / f"{name}.parquet"
        )
    project.pattern = str(tmp_path / "in" / "{span}.parquet")
    with pytest.raises(RetrainerError, match=r"column 'a'.*list"):
        project.run()


def test_a_column_that_is_said_to_hold_lists_is_stored_as_json(project, tmp_path):
    for name in "12":
        pq.write_table(
            pa.table({"a": [["x", "ü"], []], "label": [0, 1]}), tmp_path / "in" / f"{name}.parquet"
        )
    project.pattern = str(tmp_path / "in" / "{span}.parquet")
    examples, _ = project.run(types={"a": "list"})
    assert examples.lists == ("a",)
    assert examples.read_table("eval")["a"].to_pylist() == ['["x", "ü"]', "[]"]


def test_rows_that_a_later_one_replaced_are_kept_aside(project, tmp_path):
    project.span("3", HEADER + "1,Ulm,1,0\n2,Ulm,2,1\n1,Bonn,3,1\n1,Kiel,4,1\n")
    examples, verdict = project.run(key=("id",))
    assert examples.splits["eval"][0].read_table().column("city").to_pylist() == ["Ulm", "Kiel"]
    assert "2 duplicate" in verdict
    aside = next((tmp_path / "store" / "spans" / "3").glob("*/duplicate.parquet"))
    assert pq.read_table(aside).column("city").to_pylist() == ["Ulm", "Bonn"]


def test_a_full_disk_is_reported_and_leaves_nothing(project, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(
        RetrainerError, match=r"span 1: the disk is full .*spans prune.* Nothing half-written"
    ):
        project.run()
    assert not list((tmp_path / "store" / "spans" / "1").iterdir())


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "span 1: the disk is full"),
        (errno.EDQUOT, "span 1: the disk is full"),
        (
            errno.EACCES,
            r"span 1: access to 'a\.csv' is denied \(no\).*read and write access to the",
        ),
        (errno.EPERM, r"access to 'a\.csv' is denied"),
        (errno.EROFS, r"access to 'a\.csv' is denied"),
    ],
)
def test_an_error_of_the_store_says_what_to_do(project, monkeypatch, number, says):
    def fail(*_args, **_kwargs):
        raise OSError(number, "no", "a.csv")

    monkeypatch.setattr(sys.modules[ingest_span.__module__], "write_span_files", fail)
    with pytest.raises(RetrainerError, match=says):
        project.run()
    number = errno.EIO
    with pytest.raises(OSError, match="no") as error:
        project.run()
    assert error.value.errno == errno.EIO


def test_more_than_three_spans_that_changed_are_counted(project):
    for name in "45":
        project.span(name, HEADER + f"{name},Ulm,1,0\n")
    project.run(window=5)
    for name in "12345":
        project.span(name, HEADER + f"{name},Bonn,1,0\n")
        _, verdict = project.run(window=5)
        assert f"1 ingested ({name}), 4 reused" in verdict
        assert f"{name} changed, now version" in verdict
    for count, words in (
        (3, "3 changed, now version"),
        (4, "4 changed (2 to 5 (4 spans)), now in"),
    ):
        for name in "5432"[:count]:
            project.span(name, HEADER + f"{name},Kiel,{count},0\n")
        assert words in project.run(window=5)[1]


def test_a_span_of_another_pipeline_in_the_same_store_did_not_change(project, tmp_path):
    project.run()
    project.pattern = str(tmp_path / "elsewhere" / "{span}.csv")
    (tmp_path / "elsewhere").mkdir()
    for name in "123":
        (tmp_path / "elsewhere" / f"{name}.csv").write_text(
            HEADER + f"{name},Bonn,1,0\n9,Bonn,2,1\n"
        )
    examples, verdict = project.run()
    assert "changed" not in verdict
    assert examples.replaced == {}
