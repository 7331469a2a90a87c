"""CSV files, well formed and not."""

import bz2
import gzip

import pyarrow as pa
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows.sources import csv_files
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.components.lib.source_rows.sources.csv_files import CsvSource
from retrainer.components.lib.source_rows.sources.encoding import is_utf8, transcode


@pytest.fixture
def read(tmp_path):
    """A function that reads a file's content: its rows as lists of bytes, and its bad rows."""

    def go(content, name="a.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        file = SourceFile(f"gs://bucket/{name}", path.stat().st_size, "")
        blocks = list(CsvSource(file, str(path), SourceOptions(**options), str(tmp_path)).blocks())
        rows = [list(row.values()) for block in blocks for row in block.batch.to_pylist()]
        return rows, [bad for block in blocks for bad in block.bad]

    return go


ROWS = [[b"1", b"Ulm"], [b"2", "Köln".encode()]]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,Ulm\n2,Köln\n",
        "a,b\n1,Ulm\n2,Köln",
        "a,b\r\n1,Ulm\r\n2,Köln\r\n",
        "a,b\r1,Ulm\r2,Köln\r",
        "\ufeffa,b\n1,Ulm\n2,Köln\n",
        '"a","b"\n"1","Ulm"\n"2","Köln"\n',
        "\n\na,b\n\n1,Ulm\n\n\n2,Köln\n\n",
    ],
)
def test_line_ends_marks_of_byte_order_quotes_and_blank_lines_make_no_difference(read, content):
    assert read(content) == (ROWS, [])


def test_a_file_in_utf8_is_read_without_a_copy(read, tmp_path):
    read("a,b\n1,Ulm\n2,Köln\n")
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def test_options_say_delimiter_and_names(read):
    rows, _ = read("1;é\n2;\n", csv_delimiter=";", csv_columns=("a", "b"), csv_null_values=("é",))
    # What is missing is decided when it is known what the column holds; not even the empty cell is, if it is not named.
    assert rows == [[b"1", "é".encode()], [b"2", b""]]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_before_the_header_are_skipped_and_rows_keep_their_numbers(read, name, end):
    lines = ['Export of "orders', "made, by, somebody", "a,b", "1,Ulm", "2,Köln,x", "3,Bonn", ""]
    content = end.join(lines).encode()
    rows, (bad,) = read(
        gzip.compress(content) if name.endswith("gz") else content, name, csv_skip_rows=2
    )
    assert rows == [[b"1", b"Ulm"], [b"3", b"Bonn"]]
    assert (bad.row, bad.text) == (2, "2,Köln,x")


def test_lines_before_rows_without_a_header_are_skipped(read):
    rows, (bad,) = read("made by somebody\n1\n2,Ulm\n", csv_skip_rows=1, csv_columns=("a", "b"))
    assert (rows, bad.row) == ([[b"2", b"Ulm"]], 1)


def test_columns_left_out_are_not_in_the_blocks(read):
    assert read("a,b,c\n1,2,3\n", exclude=("c",))[0] == [[b"1", b"2"]]
    assert read("a,b,c\n1,2,3\n", exclude=("a",))[0] == [[b"2", b"3"]]


def test_quoted_cells_may_hold_line_breaks_quotes_and_delimiters(read):
    rows, bad = read('a,b\n1,"two\r\nlines"\n2,"a ""b"", c"\n3,"\n"\n')
    assert rows == [[b"1", b"two\r\nlines"], [b"2", b'a "b", c'], [b"3", b"\n"]]
    assert bad == []


def test_the_quote_is_another_character_or_none(read):
    rows, bad = read("a,b\n1,'U,\"l''m'\n'2','x'\n", csv_quote="'")
    assert (rows, bad) == ([[b"1", b"U,\"l'm"], [b"2", b"x"]], [])
    # Cells that begin with a quote, which would take the next row in.
    rows, bad = read('"a,b\n1,"Ulm\n2,Wi"en\n3,"x"\n', csv_quote="")
    assert (rows, bad) == ([[b"1", b'"Ulm'], [b"2", b'Wi"en'], [b"3", b'"x"']], [])


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("cell", ['"two\nlines"', '"said ""so\n"""', '"\n"'])
def test_a_last_cell_with_a_line_break_that_is_closed_is_read(read, cell, end):
    rows, bad = read(f"a,b\n1,{cell}{end}")
    assert rows == [[b"1", cell[1:-1].replace('""', '"').encode()]]
    assert bad == []


@pytest.mark.parametrize("rest", ["", "3,Bonn\n", "3,Bonn\n" * 1_000, '3,""Bonn""\n'])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_quote_in_the_last_column_that_is_never_closed_stops(read, rest, name):
    content = f'a,b\n1,Ulm\n2,"Köln\n{rest}'.encode()
    with pytest.raises(
        RetrainerError, match=r"a\.csv.*ends within a quote, which was opened in row 2:.*lost"
    ):
        read(gzip.compress(content) if name.endswith("gz") else content, name)


def test_a_quote_that_is_never_closed_is_seen_in_a_column_that_is_left_out(read):
    with pytest.raises(RetrainerError, match=r"ends within a quote.*row 2"):
        read('a,b\n1,Ulm\n2,"Köln\n3,Bonn\n', exclude=("b",))


def test_a_quote_in_another_column_that_is_never_closed_stops(read):
    with pytest.raises(RetrainerError, match=r"ends within a quote, which was opened in row 2"):
        read('a,b\n1,Ulm\n"2,Köln\n3,Bonn\n4,Bonn\n')


def test_a_row_that_swallows_many_others_stops(read):
    with pytest.raises(
        RetrainerError, match=r"row 2 spans 202 lines .*a quote is opened there and not closed"
    ):
        read('a,b\n1,Ulm\n2,"Köln\n' + "3,Bonn\n" * 200 + '4,"Kiel",x\n' + "5,Ulm\n" * 10)


def test_a_row_over_several_lines_of_the_wrong_number_of_cells_is_reported_as_such(read):
    rows, (bad,) = read('a,b\n1,"Ulm\n2,Köln"x,3\n4,Bonn\n')
    assert rows == [[b"4", b"Bonn"]]
    assert bad.row == 1
    assert bad.reason == (
        "it has 3 cells in place of 2, over 2 lines: is a quote opened there and not closed?"
    )


def test_a_last_row_that_is_cut_off_is_a_bad_one(read):
    rows, (bad,) = read('a,b,c\n1,Ulm,1\n2,"Köl')
    assert rows == [[b"1", b"Ulm", b"1"]]
    assert (bad.row, bad.reason, bad.text) == (2, "it has 2 cells in place of 3", '2,"Köl')


def test_a_quote_never_closed_in_a_file_larger_than_the_largest_block_stops(read, monkeypatch):
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 64)
    monkeypatch.setattr(csv_files, "_LARGEST_BLOCK_BYTES", 1_024)
    with pytest.raises(RetrainerError, match=r"a row after row 1 that does not end within .*quote"):
        read('a,b\n1,Ulm\n2,"Köln\n' + "3,Bonn\n" * 1_000)


def test_rows_larger_than_a_block_are_read_once_and_in_order(read, monkeypatch):
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 64)
    cells = [f"{i},{'x' * (400 if i == 50 else 3)}" for i in range(100)]
    cells[20] = cells[60] = "bad"
    rows, bad = read("a,b\n" + "\n".join(cells))
    assert [int(row[0]) for row in rows] == [i for i in range(100) if i not in (20, 60)]
    assert [row.row for row in bad] == [21, 61]


def test_ten_megabytes_in_a_cell_are_read(read):
    cell = "x" * (10 << 20)
    rows, _ = read(f'a,b\n1,{cell}\n2,"{cell}\n{cell}"\n')
    assert [len(row[1]) for row in rows] == [10 << 20, (20 << 20) + 1]


# Arrow reports it on standard error, where it is not seen in time.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("early", [True, False])
def test_rows_that_are_not_utf8_and_of_the_wrong_number_of_cells_are_bad_rows(
    read, early, monkeypatch
):
    if not early:
        # The first megabyte, in which it would be seen, is over.
        monkeypatch.setattr(csv_files, "_CHUNK_BYTES", 8)
    content = "\ufeffä,b\n1,Köln\n".encode() + b"2,K\xf6ln\n3,K\xf6ln,x\n4,y,\xff\n5,Ulm\n6,-\n"
    rows, bad = read(content, csv_null_values=("-",))
    assert rows == [[b"1", "Köln".encode()], [b"2", b"K\xf6ln"], [b"5", b"Ulm"], [b"6", b"-"]]
    assert [(row.row, row.text) for row in bad] == [(3, "3,K\\xf6ln,x"), (4, "4,y,\\xff")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a,b\n", "has a header and no rows"),
        ("", "has no header and no rows"),
        ("\n\n", "has no header and no rows"),
        ("a,b,a\n1,2,3\n", "has the column 'a' more than once"),
        ("größe,b\n1,2\n".encode("latin-1"), r"the header .* is not UTF-8.*data\.csv\.encoding"),
        ("a,b\n1,2\n".encode("utf-16"), r"is UTF-16\. Set data\.csv\.encoding to utf-16"),
        ("a" * 200_000 + ",b\n1,2\n", "has an unreadable header: field larger"),
    ],
)
def test_a_file_without_rows_or_a_header_that_can_be_read_says_so(read, content, says):
    with pytest.raises(RetrainerError, match=says):
        read(content)


def test_only_bad_rows_are_all_reported(read):
    rows, bad = read("a,b\n1\n2\n3\n")
    assert rows == []
    assert [row.row for row in bad] == [1, 2, 3]


def test_nul_bytes_are_bytes_of_a_cell(read):
    assert read("a,b\n1,x\0y\n")[0] == [[b"1", b"x\0y"]]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "shift-jis"])
def test_a_file_is_converted_to_utf8(tmp_path, encoding):
    text = "\ufeffa,b\r\n1,ｱ\n" if encoding == "shift-jis" else "a,b\r\n1,Köln\n"
    text = text.removeprefix("\ufeff")
    (tmp_path / "a.csv.bz2").write_bytes(bz2.compress(text.encode(encoding)))
    transcode("a", str(tmp_path / "a.csv.bz2"), encoding, str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == text.encode()


@pytest.mark.parametrize(
    ("encoding", "content", "says"),
    [
        (
            "utf-16",
            b"a,b\n1,2\n",
            "is not utf-16: (UTF-16 s|S)tream does not start with BOM near byte 0",
        ),
        ("utf-16-le", b"a,b", "truncated data near byte 2"),
        ("cp1252", b"x" * 10 + b"\x81", "near byte 10"),
    ],
)
def test_a_file_in_another_encoding_than_is_set_is_reported_with_its_place(
    tmp_path, encoding, content, says
):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(RetrainerError, match=rf"{says}.*data\.csv\.encoding"):
        transcode("a", str(tmp_path / "a.csv"), encoding, str(tmp_path / "b"))


def test_utf8_by_its_many_names_is_read_as_it_is():
    assert all(map(is_utf8, ("utf-8", "UTF8", "utf_8_sig", "ascii", "us-ascii")))
    assert not any(map(is_utf8, ("latin-1", "utf-16", "utf-7")))


def test_cells_are_bytes_so_that_nothing_is_guessed(read, tmp_path):
    (tmp_path / "a.csv").write_text("a\n007\n")
    source = CsvSource(
        SourceFile("a.csv", 6, ""), str(tmp_path / "a.csv"), SourceOptions(), str(tmp_path)
    )
    (block,) = source.blocks()
    assert block.batch.schema.field("a").type == pa.binary()
    assert source.narrow


def test_a_row_may_go_over_a_hundred_lines(read):
    def content(lines):
        cell = "x\n" * (lines - 1)
        return f'a,b\n1,Ulm\n2,"{cell}",surplus\n3,Bonn\n'

    rows, (bad,) = read(content(100))
    assert rows == [[b"1", b"Ulm"], [b"3", b"Bonn"]]
    assert "over 100 lines" in bad.reason
    with pytest.raises(RetrainerError, match=r"row 2 spans 101 lines"):
        read(content(101))


def test_lines_may_end_as_on_old_macs(read):
    _, (bad,) = read('a,b\r1,"x\ry",z\r2,Ulm\r')
    assert (bad.row, "over 2 lines" in bad.reason) == (1, True)
    with pytest.raises(RetrainerError, match="ends within a quote"):
        read('a,b\r1,"x\r2,Ulm\r')


def test_another_fault_that_arrow_finds_is_shown_as_it_is(read, monkeypatch):
    def refuse(*_args):
        raise pa.ArrowInvalid("out of sync")

    monkeypatch.setattr(CsvSource, "_open", refuse)
    with pytest.raises(pa.ArrowInvalid, match="out of sync"):
        read("a,b\n1,2\n")


@pytest.mark.parametrize(
    ("options", "is_missing"),
    [
        ({}, True),
        ({"csv_null_values": ("", "-")}, True),
        ({"csv_null_values": ("-",)}, False),
        ({"csv_by_column": {"a": {"null_values": ("-",)}}}, False),
        ({"csv_by_column": {"a": {"null_values": ("",)}, "b": {"decimal": ","}}}, True),
        ({"csv_null_values": ("-",), "csv_by_column": {"a": {"null_values": ("",)}}}, False),
    ],
)
def test_the_empty_cell_is_missing_where_no_column_says_otherwise(read, options, is_missing):
    assert read("a,b\n1,\n", **options)[0] == [[b"1", None if is_missing else b""]]


def test_a_text_of_a_bad_row_is_kept_up_to_two_thousand_characters(read):
    _, (bad,) = read(f"a,b\n{'x' * 3000}\n1,2\n")
    assert bad.text == "x" * 2000


def test_a_header_over_several_lines_that_ends_late_is_read(read, monkeypatch):
    monkeypatch.setattr(csv_files, "_CHUNK_BYTES", 8)
    rows, _ = read('first column,"second\none"\n1,2\n')
    assert rows == [[b"1", b"2"]]


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (
            "made by somebody\n",
            {"csv_skip_rows": 1, "csv_columns": ("a",)},
            r"a\.csv' has no row\.",
        ),
        ("a,a\n1,2\n", {}, r"more than once.*If it has no header, set data\.csv\.columns"),
        ("1,2\n", {"csv_columns": ("a", "a")}, r"more than once(?!.*If it has no header)"),
        ("made by somebody\n\n", {"csv_skip_rows": 1}, "has no header and no rows"),
    ],
)
def test_what_a_file_lacks_depends_on_whether_it_has_a_header(read, content, options, says):
    with pytest.raises(RetrainerError, match=says):
        read(content, **options)


def test_blocks_are_numbered_through_and_name_what_they_leave_out(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 32)
    path = tmp_path / "a.csv"
    path.write_text(
        "a,b,c\n" + "".join(f"{i},x\n" if i % 5 == 0 else f"{i},x,y\n" for i in range(1, 31))
    )
    options = SourceOptions(exclude=("c", "z"))
    blocks = list(
        CsvSource(SourceFile(str(path), 1, ""), str(path), options, str(tmp_path)).blocks()
    )
    assert len(blocks) > 3
    numbers = [int(number) for block in blocks for number in block.row_numbers()]
    assert numbers == [i for i in range(1, 31) if i % 5]
    assert [int(row["a"]) for block in blocks for row in block.batch.to_pylist()] == numbers
    assert [row.row for block in blocks for row in block.bad] == [5, 10, 15, 20, 25, 30]
    assert all(list(block.excluded) == ["c"] for block in blocks)
