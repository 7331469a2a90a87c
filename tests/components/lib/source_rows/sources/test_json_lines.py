import gzip
import itertools
import json
import os
import random
import subprocess
import sys

import pyarrow as pa
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows.sources import base, json_lines
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.components.lib.source_rows.sources.json_lines import JsonLinesSource
from retrainer.pipelines.examples.flights.data import read_flights


@pytest.fixture
def source(tmp_path):
    """A function that writes a file and opens it as a source."""

    def make(content, name="day.jsonl", exclude=()):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        file = SourceFile(f"gs://bucket/{name}", path.stat().st_size, "")
        return JsonLinesSource(file, str(path), SourceOptions(exclude=tuple(exclude)))

    return make


@pytest.fixture
def read(source):
    """A function that reads a file: its columns over all blocks, and its bad rows."""

    def read(content, **options):
        blocks = list(source(content, **options).blocks())
        rows = list(itertools.chain.from_iterable(block.batch.to_pylist() for block in blocks))
        names = dict.fromkeys(name for block in blocks for name in block.batch.schema.names)
        bad = [row for block in blocks for row in block.bad]
        return {name: [row.get(name) for row in rows] for name in names}, bad

    return read


def numbers_of(blocks):
    return [int(number) for block in blocks for number in block.row_numbers()]


def only_type(source, name):
    (kind,) = {str(block.batch.column(name).type) for block in source.blocks()}
    return kind


def test_flights_come_back_as_they_were_written(source, tmp_path, monkeypatch):
    flights = read_flights().iloc[::40].reset_index(drop=True)
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 300_000)
    written = flights.to_json(orient="records", lines=True)
    blocks = list(source(written).blocks())
    assert len(blocks) > 5
    table = pa.Table.from_batches([block.batch for block in blocks])
    assert table.column_names == list(flights.columns)
    assert table.to_pylist() == [json.loads(line) for line in written.splitlines()]
    assert numbers_of(blocks) == list(range(1, len(flights) + 1))
    assert {str(kind) for kind in table.schema.types} == {"int64", "double", "string"}


@pytest.mark.parametrize("pack", [None, gzip.compress], ids=["plain", "gzip"])
def test_packed_or_not_the_rows_are_the_same(read, pack):
    text = "".join(f'{{"a": {row}}}\n' for row in range(1000)).encode()
    content, name = (pack(text), "day.jsonl.gz") if pack else (text, "day.jsonl")
    assert read(content, name=name) == ({"a": list(range(1000))}, [])


@pytest.mark.parametrize(
    "lines",
    [
        ['{"a":1}', '{"a":-2}'],
        ['{"a":"ä😀"}', '{"a":"x"}'],
        ['{"a":"2024-02-29"}', '{"a":"2024-03-01"}', '{"a":null}'],
        ['{"a":NaN}', '{"a":0.5}', '{"a":9007199254740991}'],
        ['{"a":true}', '{"b":[{"c":[2]}]}', '{"d":{"e":"x"}}'],
        ["", '{"a":1}', "  ", '  {"a":2} ', ""],
        ['{"a":1}\r', '{"a":2}\r'],
        ['{"a":"{[{[\\"\\\\"}', '{"a":"}]\\\\\\""}'],
        [f'{{"a":{"[" * 99}1{"]" * 99}}}'],
        [f'{{"a":[{",".join(["{}"] * 300)}]}}'],
        ['{"a":"y"}', f'{{"a":"{"x" * (3 << 20)}"}}', '{"b":2}'],
        ['{"private":12345678901234567890123,"a":1}', '{"a":2}'],
        ['{"a":1,"b":"2024-02-29"}', *['{"a":1}'] * 4, '{"a":1,"b":"2024-03-01"}', '{"b":"x"}'],
    ],
    ids=[
        "numbers", "characters", "dates", "fractions", "nested", "blank lines", "windows", "brackets in text",
        "a hundred deep", "wide", "long", "left out", "dates again",
    ],
)  # fmt: skip
def test_ordinary_blocks_are_read_at_once_and_not_row_by_row(source, monkeypatch, lines):
    def refuse(*_):
        raise AssertionError("this block is read row by row, which takes many times as long")

    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 60 if lines[-1] == '{"b":"x"}' else 8 << 20)
    text = "\n".join(lines) + "\n"
    expected = [json.loads(line) for line in lines if line.strip()]
    monkeypatch.setattr(json_lines, "read_rows", refuse)
    for content in (text, text.rstrip("\n")):
        blocks = list(source(content, exclude=["private"]).blocks())
        rows = [row for block in blocks for row in block.batch.to_pylist()]
        for row, wanted in zip(rows, expected, strict=True):
            wanted.pop("private", None)
            left = {name: cell for name, cell in row.items() if cell is not None}
            known = {
                name: cell for name, cell in wanted.items() if cell is not None and cell == cell
            }
            assert left.keys() == known.keys()
        numbers = [number for number, line in enumerate(lines, 1) if line.strip()]
        assert numbers_of(blocks) == numbers


def test_text_that_looks_like_a_date_stays_the_text_that_it_is(read):
    dates = ["2013-01-31", "2013-01-31 05:00:00", "2013-01-31T05:00:00Z", "1600-02-30", None]
    text = "".join(json.dumps({"n": 1, "when": date}) + "\n" for date in dates)
    columns, _ = read(text)
    assert columns == {"n": [1] * 5, "when": dates}
    assert list(columns) == ["n", "when"]


def test_a_column_of_dates_may_hold_numbers_in_a_later_block(source, monkeypatch):
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 2_000)
    cells = ["2013-01-31"] * 200 + [20130131] * 200 + [None] * 600 + ["2013-02-01"] * 200
    blocks = list(source("".join(json.dumps({"when": cell}) + "\n" for cell in cells)).blocks())
    read = [cell for block in blocks for cell in block.batch.column("when").to_pylist()]
    assert [str(cell) for cell in read] == [str(cell) for cell in cells]
    assert {str(block.batch.column("when").type) for block in blocks} == {
        "string", "int64", "null",
    }  # fmt: skip


# Each once among rows that Arrow reads at once, and once beside a row for which every row is read by itself.
@pytest.mark.parametrize("beside", ["", "no json\n"], ids=["at once", "by itself"])
@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        (["1", "-0", "9223372036854775807"], "int64", [1, 0, 2**63 - 1]),
        (["1", "2.5", "null"], "double", [1.0, 2.5, None]),
        (["1.0", "2"], "double", [1.0, 2.0]),
        (["NaN", "1"], "double", [None, 1.0]),
        (["NaN", '"x"', "7"], "string", [None, "x", "7"]),
        (["[0.5, 1]"], "list<item: double>", [[0.5, 1.0]]),
        (["Infinity", "-Infinity", "0.5"], "double", [float("inf"), float("-inf"), 0.5]),
        (["1e400", "-1e400", "1e-400"], "double", [float("inf"), float("-inf"), 0.0]),
        (["9223372036854775808", "7"], "string", ["9223372036854775808", "7"]),
        (["-12345678901234567890123", "1.50"], "string", ["-12345678901234567890123", "1.5"]),
        (["1e20", "7"], "double", [1e20, 7.0]),
        (["1", '"x"', "2.0", "true"], "string", ["1", "x", "2", "true"]),
        (["true", "false", "null"], "bool", [True, False, None]),
        (["true", "2", "0.5"], "double", [1.0, 2.0, 0.5]),
        (["null", "null"], "null", [None, None]),
        (['"2013-01-31"', '"x"'], "string", ["2013-01-31", "x"]),
        (['"\\u00e9\\ud83d\\ude00\\u0000\\n"'], "string", ["é😀\0\n"]),
        (["[1, 2]", "null"], "list<item: int64>", [[1, 2], None]),
        (['{"b": 1}', '{"b": 2}'], "struct<b: int64>", [{"b": 1}, {"b": 2}]),
    ],
)  # fmt: skip
def test_cells_have_one_type_and_value_however_they_are_read(
    source, read, beside, cells, kind, expected
):
    text = beside + "".join(f'{{"a":{cell}}}\n' for cell in cells)
    columns, bad = read(text)
    assert columns == {"a": expected}
    assert [str(cell) for cell in columns["a"]] == [str(cell) for cell in expected]
    assert only_type(source(text), "a") == kind
    assert len(bad) == bool(beside)


def test_whatever_a_row_holds_it_is_read_the_same_at_once_and_by_itself(source):
    random_ = random.Random(7)
    cells = [1, -5, 2.5, 1e-9, 10**18, "", "x", "2013-01-01", "ä😀", "{[", '}"\\', True, None]
    for _ in range(60):
        kinds = {name: random_.sample(cells, 2) for name in "abc"}
        rows = [
            {name: random_.choice(some) for name, some in kinds.items() if random_.random() < 0.8}
            for _ in range(30)
        ]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        at_once = list(source(text).blocks())
        by_itself = list(source(text + "broken\n").blocks())
        assert [len(block.bad) for block in by_itself] == [1]
        expected = at_once[0].batch
        found = by_itself[0].batch
        assert len(at_once) == 1
        assert set(found.schema.names) == set(expected.schema.names)
        for name in expected.schema.names:
            assert found.column(name).type == expected.column(name).type
            assert found.column(name).to_pylist() == expected.column(name).to_pylist()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a":1,}', "not JSON: "),
        (b'{"a":01}', "not JSON: "),
        (b"{'a':1}", "not JSON: "),
        (b'{"a":Inf}', "not JSON: "),
        (b'{"a":-NaN}', "not JSON: "),
        (b'{"a":"\t"}', "not JSON: Invalid control character at column 7"),
        (b'{"a":', "not JSON: Expecting value at column 6"),
        (b"\x00\x00\x00", "not JSON: "),
        (b"[1,2]", "an array where an object should be"),
        (b"3", "a number where an object should be"),
        (b'"x"', "text where an object should be"),
        (b"null", "null where an object should be"),
        (b'{"a":1}{"a":2}', "more than one value on the line, from column 8"),
        (b'{"a":1} {"a":2}', "more than one value on the line, from column 9"),
        (b'{"a":1,"b":2,"a":3}', "the key 'a' stands in it more than once"),
        (b'{"a":"\xff"}', "not UTF-8: byte 0xff at byte 7"),
        (b'{"\xff":1}', "not UTF-8: byte 0xff at byte 3"),
        (b'{"a":"\\ud800"}', "column 'a' has half of a surrogate pair, which is no text"),
        (b'{"\\uDC00":1}', r"column '\udc00' has half of a surrogate pair, which is no text"),
        (b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested too deeply"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_broken_line_is_a_bad_row_and_the_others_are_kept(read, source, line, reason):
    content = b'{"a":0}\n' + line + b'\n{"a":2}\n'
    columns, (bad,) = read(content)
    assert columns == {"a": [0, 2]}
    assert (bad.file, bad.row) == ("day.jsonl", 2)
    assert bad.reason.startswith(reason)
    assert bad.text == line[: base.TEXT_KEPT].decode(errors="replace")
    assert numbers_of(source(content).blocks()) == [1, 3]


def test_deep_nesting_over_many_lines_does_not_end_the_process(read):
    # Each line begins and ends as an object does.
    columns, bad = read(b'{"a":1}\n' + b'{"a":\n' * 20_000 + b"1" + b"}\n" * 20_000)
    assert columns == {"a": [1]}
    assert len(bad) == 40_000
    columns, bad = read(b"\n" * 50_000 + b'{"a":' * 50_000 + b"1" + b"}" * 50_000)
    assert (columns, [row.row for row in bad]) == ({}, [50_001])
    columns, bad = read(b'{"a":' + b"[" * 50_000 + b"1" + b"]" * 50_000 + b"}")
    assert (columns, [row.row for row in bad]) == ({}, [1])


def test_a_last_line_that_is_cut_off_is_a_bad_row_that_says_so(read):
    columns, (bad,) = read('{"a":1}\n{"a":2}\n{"a":3,"b":"x')
    assert columns == {"a": [1, 2]}
    assert bad.row == 3
    assert bad.reason.endswith("; the file ends in this line: was it cut off?")


def test_a_last_line_needs_no_end(read):
    assert read('{"a":1}\n{"a":2}') == ({"a": [1, 2]}, [])


def test_line_ends_of_windows_and_a_byte_order_mark_are_no_part_of_a_row(read):
    assert read(b'\xef\xbb\xbf{"a":1}\r\n{"a":"x"}\r\n') == ({"a": ["1", "x"]}, [])
    assert read(b'\xef\xbb\xbf{"a":1}\r\n  {"a":2} \r\n') == ({"a": [1, 2]}, [])


def test_blank_lines_are_no_rows_but_count_as_lines(source):
    blocks = list(source('\n\n{"a":1}\n \n\n{"a":2}\n{"a":3\n{"a":4}\n\r\n{"a":5}\n\n').blocks())
    rows = {
        int(block.row_numbers()[index]): value
        for block in blocks
        for index, value in enumerate(block.batch.column("a").to_pylist())
    }
    assert rows == {3: 1, 6: 2, 8: 4, 10: 5}
    assert len(blocks) == 1
    assert [row.row for block in blocks for row in block.bad] == [7]


def test_numbers_of_rows_go_on_from_block_to_block(source, monkeypatch):
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 500)
    lines = [
        f'{{"a":{row}}}' if row % 7 else ("" if row % 2 else "broken") for row in range(1, 500)
    ]
    blocks = list(source("\n".join(lines)).blocks())
    rows = {
        int(block.row_numbers()[index]): value
        for block in blocks
        for index, value in enumerate(block.batch.to_pylist())
    }
    assert rows == {row: {"a": row} for row in range(1, 500) if row % 7}
    bad = [row.row for block in blocks for row in block.bad]
    assert bad == [row for row in range(1, 500) if row % 14 == 0]


def test_names_of_columns_may_be_anything(read):
    text = '{"a.b":1,"":2,"x y":3,"ä😀":4,"a/b":5}\n'
    expected = {"a.b": [1], "": [2], "x y": [3], "ä😀": [4], "a/b": [5]}
    assert read(text)[0] == expected
    assert read(text + "broken\n")[0] == expected


def test_columns_keep_the_order_in_which_they_came(source):
    text = '{"c":"2013-01-01","a":1}\n{"b":2,"c":"2013-01-02"}\n'
    for content in (text, text + "broken\n"):
        (block,) = source(content).blocks()
        assert block.batch.schema.names == ["c", "a", "b"]


def test_ten_thousand_columns_are_read(read):
    row = {f"column {number}": number for number in range(10_000)}
    columns, bad = read((json.dumps(row) + "\n") * 3)
    assert bad == []
    assert columns == {name: [value] * 3 for name, value in row.items()}


@pytest.mark.parametrize(
    "line",
    [
        '{"private":1,"a":1,"private":2}',
        '{"private":"x","a":1}',
        '{"private":{"deep":[1,{"x":1,"x":2}]},"a":1}',
        '{"private":"\\ud800","a":1}',
        '{"private":123456789012345678901234567890,"a":1}',
        '{"private":Infinity,"a":1}',
    ],
)
def test_an_excluded_column_is_left_out_whatever_it_holds(source, line):
    (block,) = source('{"a":0,"private":5}\n' + line + "\n", exclude=["private", "b"]).blocks()
    assert block.batch.to_pylist() == [{"a": 0}, {"a": 1}]
    assert not block.bad
    assert list(block.excluded) == ["private"]


def test_rows_without_any_column_are_rows(source):
    for content in ("{}\n{}\n", "{}\n{}\nbroken\n", '{"a":1}\n{"a":2}\n'):
        blocks = list(source(content, exclude=["a"]).blocks())
        assert sum(block.batch.num_rows for block in blocks) == 2


def test_nested_cells_of_several_kinds_stay_nested(source):
    for cells in (['"x"', "[1]"], ["1", '{"b":2}'], ["[1]", '["x"]'], ["[" + "9" * 5000 + "]"]):
        text = "".join(f'{{"a":{cell}}}\n' for cell in cells)
        assert pa.types.is_nested(next(source(text + "broken\n").blocks()).batch.column("a").type)
        (block,) = source(text).blocks()
        assert pa.types.is_nested(block.batch.column("a").type)


@pytest.mark.parametrize("megabytes", [3, 12])
def test_a_line_may_be_longer_than_a_block(read, megabytes):
    text = "x" * (megabytes << 20)
    columns, bad = read(f'{{"a":"y"}}\n{{"a":"{text}"}}\n{{"a":"z"}}\n')
    assert bad == []
    assert columns == {"a": ["y", text, "z"]}


def test_a_line_without_end_is_refused_before_it_fills_the_memory(source, monkeypatch):
    monkeypatch.setattr(json_lines, "LINE_BYTES", 1 << 20)
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 1 << 18)
    with pytest.raises(RetrainerError, match=r"day\.jsonl' has more than 1 MB in line 3;"):
        list(source('{"a":1}\n\n' + '{"a":1},' * 1_000_000).blocks())


@pytest.mark.parametrize(
    "content", [b"", b"\n \r\n\n", b"\xef\xbb\xbf"], ids=["no bytes", "blank lines", "mark"]
)
def test_a_file_without_a_row_is_refused(source, content):
    with pytest.raises(RetrainerError, match=r"'gs://bucket/day\.jsonl' has no rows"):
        list(source(content).blocks())


@pytest.mark.parametrize("indent", [None, 2])
def test_one_document_is_refused_with_the_way_to_make_lines_of_it(source, indent):
    text = json.dumps([{"a": 1}, {"a": 2}], indent=indent)
    with pytest.raises(RetrainerError, match=r"is one JSON document; .*jq -c"):
        list(source(text, name="day.json").blocks())


def test_utf_16_is_refused_by_its_name(source):
    with pytest.raises(RetrainerError, match="is UTF-16; JSON Lines are UTF-8"):
        list(source('{"a":1}\n'.encode("utf-16")).blocks())


def test_a_cut_off_archive_is_refused(source):
    packed = gzip.compress(b"".join(b'{"a":%d}\n' % (row * 7919) for row in range(100_000)))
    with pytest.raises(RetrainerError, match=r"'gs://bucket/day\.jsonl\.gz' is cut off"):
        list(source(packed[:-1000], name="day.jsonl.gz").blocks())


def test_a_source_can_be_read_again(source):
    opened = source('{"when":"2013-01-01"}\n')
    assert list(opened.blocks()) == list(opened.blocks())


def test_memory_does_not_grow_with_the_file(tmp_path):
    line = json.dumps({f"column {number}": "x" * 40 for number in range(20)}).encode() + b"\n"
    path = tmp_path / "long.jsonl"
    with open(path, "wb") as file:
        for _ in range(128):
            file.write(line * 1000)
    assert path.stat().st_size > 128 << 20
    code = (
        "import resource, sys\n"
        "from retrainer.components.lib.source_rows.sources.base import SourceOptions\n"
        "from retrainer.components.lib.source_rows.sources.json_lines import JsonLinesSource\n"
        "from retrainer.components.lib.source_files import SourceFile\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10\n"
        "before = peak()\n"
        "source = JsonLinesSource(SourceFile('x', 1, ''), sys.argv[1], SourceOptions())\n"
        "assert sum(block.batch.num_rows for block in source.blocks()) == 128_000\n"
        "print(peak() - before)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) < 200
