"""Files, encodings, names, sizes and forms that are bad or odd, from end to end: what a user sees of them."""

import csv
import gzip
import io
import json

import pytest
from servers.bad_spans import HEADER, ONE, ROWS, THREE, TWO, Chain, cycle, good, parquet, table

from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.source_rows import download, span_sources
from retrainer.components.lib.source_rows.settings import IngestSettings


@pytest.fixture
def chain(tmp_path):
    return Chain(tmp_path)


def test_good_spans_pass(chain):
    assert chain.ingest(ONE, TWO, THREE).judge().findings == []


@pytest.mark.parametrize(
    ("ending", "newest", "says"),
    [
        ("csv", "", r"3\.csv' is empty \(0 bytes\)"),
        ("csv", "\n", r"3\.csv' has no header and no rows"),
        ("csv", HEADER, r"3\.csv' has a header and no rows"),
        ("csv.gz", gzip.compress(b"", mtime=0), r"3\.csv\.gz' has no header and no rows"),
        ("csv.gz", gzip.compress(THREE.encode(), mtime=0)[:-300], r"3\.csv\.gz' is cut off"),
        ("csv.gz", THREE, r"3\.csv\.gz' is no gzip file"),
        ("parquet", b"", r"3\.parquet' is empty"),
        ("parquet", parquet(table(3), 0, -20), r"3\.parquet' can't be read: .*Upload the span"),
        ("parquet", parquet(table(3), 0, 20), r"3\.parquet' can't be read"),
        ("parquet", parquet(table(3).slice(0, 0)), r"3\.parquet' has columns and no rows"),
        ("parquet", b"id,label\n1,0\n", r"3\.parquet' can't be read"),
        ("jsonl", "\n\n", r"3\.jsonl' has no rows"),
        ("jsonl", '{"id": 1,\n{"id"\n', r"span 3 has no readable row.*3\.jsonl row 1"),
    ],
)  # fmt: skip
def test_a_file_that_is_empty_or_cut_off_is_named_and_nothing_of_it_stored(
    chain, ending, newest, says
):
    older = {
        "csv": [ONE, TWO],
        "csv.gz": [gzip.compress(text.encode()) for text in (ONE, TWO)],
        "parquet": [table(1), table(2)],
        "jsonl": ['{"id": 1, "label": 0}\n{"id": 2, "label": 1}\n'] * 2,
    }[ending]
    chain.refuses(*older, newest, says=says, ending=ending)


def test_a_parquet_file_with_a_damaged_page_is_named(chain):
    whole = parquet(table(3))
    chain.refuses(
        table(1), table(2), whole[:300] + b"\xff" * 60 + whole[360:],
        says=r"3\.parquet' can't be read", ending="parquet",
    )  # fmt: skip


# Encodings.

KOELN = [good(seed, ("Köln", "Bonn")) for seed in (1, 2, 3)]


def test_a_latin_1_file_stops_with_the_way_to_say_so(chain):
    chain.refuses(
        *KOELN[:2], KOELN[2].encode("latin-1"),
        says=r"3\.csv row \d+: 'city' is not UTF-8 \('K\\xf6ln'\)\..*data\.csv\.encoding",
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig"])
def test_a_file_in_another_encoding_reads_well_when_it_is_said(chain, encoding):
    chain.ingest(*(text.encode(encoding) for text in KOELN), options={"encoding": encoding})
    assert set(chain.eval.column("city").to_pylist()) == {"Köln", "Bonn"}
    assert chain.judge().findings == []


def test_a_few_rows_that_are_not_utf8_are_quarantined_and_kept_with_their_place(chain):
    broken = THREE.encode() + b"7,K\xf6ln,1,0\n8,K\xf6ln,1,0,surplus\n"
    chain.ingest(ONE, TWO, broken)
    assert "2 unreadable" in chain.verdict
    assert [(row["file"], row["row"], row["reason"]) for row in chain.quarantined] == [
        ("3.csv", 201, "'city' is not UTF-8"),
        ("3.csv", 202, "it has 5 cells in place of 4"),
    ]
    assert all("xf6ln" in row["text"] for row in chain.quarantined)
    assert chain.judge().eval.num_rows == ROWS


# Sizes.


def test_ten_thousand_columns_are_ingested(chain):
    names = ",".join(f"c{i}" for i in range(10_000))
    spans = [
        f"{names},label\n"
        + "".join(
            ",".join(str((column * seed + row) % 7) for column in range(10_000)) + f",{row % 2}\n"
            for row in range(5)
        )
        for seed in (1, 2)
    ]
    chain.ingest(*spans)
    assert chain.eval.shape == (5, 10_001)
    assert chain.eval.column("c9999").to_pylist() == [(9_999 * 2 + row) % 7 for row in range(5)]


BIG = "x" * (10 << 20)


@pytest.mark.parametrize(
    ("ending", "spans"),
    [
        ("csv", [ONE, TWO, THREE + f'5,{BIG},1,0\n6,"{BIG[2:]}\n",1,1\n']),
        (
            "parquet",
            [table(seed, city=cycle("a", "b")) for seed in (1, 2)]
            + [table(3, city=cycle("a", BIG, *"b" * ROWS))],
        ),
    ],
    ids=["csv", "parquet"],
)  # fmt: skip
def test_ten_megabytes_in_a_cell_pass_and_the_reports_stay_small(chain, ending, spans):
    chain.ingest(*spans, ending=ending).compute()
    assert max(len(cell) for cell in chain.eval.column("city").to_pylist()) >= (10 << 20) - 1
    assert (chain.home / "statistics.html").stat().st_size < 2 << 20


# Names.

ODD = ["two words", "größe", 'quo"te', "com,ma", "sl/ash", "do.t", "x" * 300, "日本", "<b>"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_odd_names_of_columns_pass_through_the_chain(chain, ending):
    def cells(seed):
        return {name: [f"{name[:3]}{(i + seed) % 3}" for i in range(ROWS)] for name in ODD}

    spans = [table(seed, **cells(seed)) for seed in (1, 2, 3)]
    if ending == "csv":
        texts = []
        for one in spans:
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(one.column_names)
            writer.writerows(zip(*one.to_pydict().values(), strict=True))
            texts.append(text.getvalue())
        spans = texts
    elif ending == "jsonl":
        spans = [
            "\n".join(json.dumps(row, ensure_ascii=False) for row in one.to_pylist())
            for one in spans
        ]
    chain.ingest(*spans, ending=ending).judge()
    assert chain.eval.column_names == ["id", "label", *ODD]
    for name in ODD:
        assert chain.feature(name).string_stats.unique == 3, name
    page = (chain.home / "statistics.html").read_text()
    assert "<b>0" not in page


def test_a_column_without_a_name_is_left_out(chain):
    chain.ingest(*(text.replace("id,", ",", 1) for text in (ONE, TWO, THREE))).judge()
    assert chain.eval.column_names == ["city", "amount", "label"]
    with_drop = chain.ingest(
        *(text.replace("id,", ",", 1) for text in (ONE, TWO, THREE)), drop=("",)
    )
    assert with_drop.eval.column_names == ["city", "amount", "label"]


def test_a_name_that_is_there_twice_is_told(chain):
    chain.refuses(
        ONE, TWO, THREE.replace("city", "id", 1), says=r"3\.csv' has the column 'id' more than once"
    )


# The form of CSV.


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda text: text.replace("\n", "\r\n"), None),
        (lambda text: "\ufeff" + text, None),
        (lambda text: text.replace(",", ";"), {"delimiter": ";"}),
        (lambda text: text.replace(",", "\t"), {"delimiter": "\t"}),
        (
            lambda text: text.removeprefix(HEADER),
            {"columns": ["id", "city", "amount", "label"]},
        ),
    ],
    ids=["crlf", "bom", "semicolon", "tab", "no header"],
)
def test_other_forms_of_csv_give_the_same_rows(chain, change, options):
    plain = chain.ingest(ONE, TWO, THREE).eval
    chain.ingest(*map(change, (ONE, TWO, THREE)), options=options)
    assert chain.eval == plain
    assert chain.judge().findings == []


@pytest.mark.parametrize(
    ("newest", "says"),
    [
        (THREE.replace(",", ";"), r"no column 'label'.*It has: id;city;amount;label"),
        (THREE.removeprefix(HEADER), r"span 3 has no column 'label'"),
        (THREE.replace("id,", "", 1), r"200 of 200 rows.*row 1: it has 4 cells in place of 3"),
        (THREE.replace("id,", "id,more,", 1), r"row 1: it has 4 cells in place of 5"),
        (HEADER + "1\n2\n3\n", r"3 of 3 rows are unreadable.*row 1: it has 1 cells in place of 4"),
        (THREE + '5,"Ulm,1,0\n' + ONE.removeprefix(HEADER), r"row 201 spans 201 lines"),
        (THREE + '5,Ulm,1,"0\n' + ONE.removeprefix(HEADER), r"ends within a quote.* row 201"),
        (THREE.replace(",1\n", ",yes\n"), r"the label 'label' of span 3 is text \(such as 'yes'\)"),
    ],
)  # fmt: skip
def test_a_wrong_form_of_csv_is_told(chain, newest, says):
    chain.refuses(ONE, TWO, newest, says=says)


def test_a_last_row_that_is_cut_off_within_a_quote_is_quarantined(chain):
    chain.ingest(ONE, TWO, THREE + '5,"Ul').judge()
    assert [(row["row"], row["text"]) for row in chain.quarantined] == [(201, '5,"Ul')]


def test_nul_bytes_stay_in_their_cell(chain):
    chain.ingest(ONE, TWO, THREE + "5,a\0b,1,0\n").compute()
    assert chain.eval.column("city").to_pylist()[-1] == "a\0b"


# The files of a span.


def test_a_span_of_three_hundred_small_files_is_one_span(chain, tmp_path):
    for span, files in ((1, 1), (2, 300)):
        (tmp_path / "in" / str(span)).mkdir(parents=True)
        for number in range(files):
            row = f"{span * 1_000 + number},Ulm,{number}.5,{number % 2}\n"
            (tmp_path / "in" / str(span) / f"{number:03}.csv").write_text(HEADER + row)
    ingest(
        str(tmp_path / "in" / "{span}" / "*.csv"),
        str(tmp_path / "store"),
        IngestSettings("label"),
        str(tmp_path / "examples"),
    )
    assert chain.eval.column("id").to_pylist() == list(range(2_000, 2_300))
    newest = Examples.read(tmp_path / "examples").splits["eval"][0]
    assert newest.files == ("all-00000.parquet",)


def test_of_many_files_the_one_that_is_bad_is_named(chain, tmp_path):
    for span in (1, 2):
        (tmp_path / "in" / str(span)).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "in" / str(span) / f"{number}.csv").write_text(good(span * 10 + number))
    (tmp_path / "in" / "2" / "1.csv").write_text("id,id\n")
    with pytest.raises(RetrainerError, match=r"/2/1\.csv' has the column 'id' more than once"):
        ingest(
            str(tmp_path / "in" / "{span}" / "*.csv"),
            str(tmp_path / "store"),
            IngestSettings("label"),
            str(tmp_path / "examples"),
        )


@pytest.mark.parametrize(
    ("module", "step"), [(span_sources, "open_source"), (download, "digest_source")]
)
@pytest.mark.parametrize("content", [THREE[:2_000], THREE + "9,Ulm,1,0\n", "", None])
def test_a_file_that_shrinks_grows_or_goes_while_it_is_read_is_not_stored(
    chain, tmp_path, monkeypatch, content, module, step
):
    def change(file):
        if file.uri.endswith("3.csv"):
            path = tmp_path / "in" / "3.csv"
            path.unlink()
            if content is not None:
                path.write_text(content)

    work = getattr(module, step)

    def work_and_change(file, *args):
        if step == "open_source":
            change(file)
        done = work(file, *args)
        if step != "open_source":
            change(file)
        return done

    monkeypatch.setattr(module, step, work_and_change)
    chain.refuses(
        ONE, TWO, THREE, says=r"3\.csv'.*(changed while it was read|was removed).*data\.marker"
    )
