"""Both dependency lines store the same spans, so that one store serves both.

What is expected is pinned: a value that differs with the versions of the libraries fails on one of the lines. Where
ingestion itself is changed, versions change with it; see `INGEST_VERSION`.
"""

import base64
import hmac
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.ingest_spans.span import ingest_span
from retrainer.components.lib.source_rows.settings import HASH, IngestSettings
from retrainer.components.lib.source_rows.sources import join_blocks, json_lines
from retrainer.components.lib.spans.span_discovery import find_spans

CSV = """\
id,count,share,signed,text,day,flag,wide,long,code,private,label
1,7,0.1,+1.5,é,2013-01-31,true,9223372036854775808,9007199254740993,1E5,7.0,0
2, 8 ,1e-7,-2,"two
lines",2013-02-28,FALSE,1,1.5,0700,007,1
3,,inf,+3,日本,,,2,,,ä,0
4,-9,NaN,.5,NA,2013-03-01,true,,1e+5,7,7,1
"""
KEY = "00112233445566778899aabbccddeeff"
NUMBERS = [1.0, -0.0, 0.1, 1e15, 1e16, 1e21, 1e-6, 1e-7, 100.0, 123456789.125]
TEXTS_OF_NUMBERS = [
    "1", "0", "0.1", "1000000000000000", "10000000000000000", "1000000000000000000000", "0.000001", "0.0000001", "100",
    "123456789.125",
]  # fmt: skip
# Two tf.Examples: id 1, label 0, share 0.1, text "é", mixed 1.5; and id 2, label 1, mixed "a".
TFRECORD = base64.b64decode(
    "VQAAAAAAAADX3w/BClMKCwoCaWQSBRoDCgEBCg4KBWxhYmVsEgUaAwoBAAoRCgVtaXhlZBIIEgYKBAAAwD8KEQoFc2hhcmUSCBIGCgTNzMw9"
    "Cg4KBHRleHQSBgoECgLDqZtztxsvAAAAAAAAAG1dHVAKLQoLCgJpZBIFGgMKAQIKDgoFbGFiZWwSBRoDCgEBCg4KBW1peGVkEgUKAwoBYZ2x"
    "jRU="
)


@pytest.fixture(autouse=True)
def blocks_as_they_are_read(monkeypatch):
    """Keeps the small blocks of these tests from being joined."""
    monkeypatch.setattr(join_blocks, "FEW_ROWS", 1)


@pytest.fixture
def ingested(tmp_path, monkeypatch):
    """A function that ingests one file, and gives the version's name and the cells of its columns."""
    monkeypatch.setenv("RETRAINER_HASH_KEY", KEY)

    def run(content, ending, part="all", **settings):
        path = tmp_path / f"1.{ending}"
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content)
        (source,) = find_spans(str(tmp_path / f"{{span}}.{ending}"))
        wanted = IngestSettings(label="label", **settings)
        stored = ingest_span(source, str(tmp_path / "store"), wanted).content
        rows = pa.concat_tables(
            pq.read_table(f"{stored.uri}/{name}") for name in stored.parts[part]["files"]
        )
        assert {column.name: str(column.type) for column in rows.schema} == stored.columns
        return stored.version, {name: rows.column(name).to_pylist() for name in rows.column_names}

    return run


def digest(text):
    return hmac.new(KEY.encode(), text.encode(), "sha256").hexdigest()


def test_csv_becomes_the_same_version(ingested):
    version, columns = ingested(CSV.encode(), "csv", hash=("private",))
    assert columns == {
        "id": [1, 2, 3, 4],
        "count": [7, 8, None, -9],
        "share": [0.1, 1e-7, float("inf"), None],
        "signed": ["+1.5", "-2", "+3", ".5"],
        "text": ["é", "two\nlines", "日本", None],
        "day": ["2013-01-31", "2013-02-28", None, "2013-03-01"],
        "flag": [1, 0, None, 1],
        "wide": ["9223372036854775808", "1", "2", None],
        "long": ["9007199254740993", "1.5", None, "1e+5"],
        "code": ["1E5", "0700", None, "7"],
        "private": [digest("7"), digest("007"), digest("ä"), digest("7")],
        "label": [0, 1, 0, 1],
    }
    assert version == "bd01e26f723a23a1"


# All in one block, and numbers and texts in blocks of their own.
@pytest.mark.parametrize("block_bytes", [1 << 20, 64])
def test_json_lines_become_the_same_version(ingested, monkeypatch, block_bytes):
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", block_bytes)
    rows = [{"label": 0, "mixed": number} for number in NUMBERS]
    rows += [
        {"label": 1, "mixed": "text", "number": 2, "when": "2013-01-31T05:00:00Z"},
        {"label": 1, "mixed": 7, "number": 0.30000000000000004, "text": "\U0001f600"},
        {"label": 1, "mixed": None, "number": float("nan"), "text": "1.50"},
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    version, columns = ingested(content, "jsonl")
    nothing = [None] * len(NUMBERS)
    assert columns == {
        "label": [0] * len(NUMBERS) + [1, 1, 1],
        "mixed": [*TEXTS_OF_NUMBERS, "text", "7", None],
        "number": [*nothing, 2.0, 0.30000000000000004, None],
        "when": [*nothing, "2013-01-31T05:00:00Z", None, None],
        "text": [*nothing, None, "\U0001f600", "1.50"],
    }
    assert version == "a5fb4e64838d24d6"


def test_tfrecords_become_the_same_version(ingested):
    version, columns = ingested(TFRECORD, "tfrecord")
    assert columns == {
        "id": [1, 2],
        "label": [0, 1],
        "mixed": ["1.5", "a"],
        "share": [float(np.float32(0.1)), None],
        "text": ["é", None],
    }
    assert version == "7c36d7cd8a742fdb"


def test_types_of_parquet_become_the_same_cells_hashes_and_sides(ingested):
    moment = datetime(2013, 1, 31, 5, 0, 0, 120000)
    typed = {
        "number": pa.array([0.1, 1e16, None]),
        "whole": pa.array([Decimal(2**53 + 1), Decimal(-7), None], pa.decimal128(38, 0)),
        "narrow": pa.array([0.1, 1e10, None], pa.float32()),
        "decimal": pa.array([Decimal("1.50"), Decimal("-0.10"), None]),
        "day": pa.array([date(2013, 1, 31), date(9999, 12, 31), None]),
        "time": pa.array([time(23, 59, 59, 120000), time(0), None]),
        "moment": pa.array([moment, datetime(1, 1, 1), None], pa.timestamp("us")),
        "zoned": pa.array([moment.replace(tzinfo=UTC)] * 2 + [None], pa.timestamp("ms", "Europe/Paris")),
        "duration": pa.array([timedelta(milliseconds=1500), timedelta(days=-1), None]),
        "flag": pa.array([True, False, None]),
        "unsigned": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "category": pa.array(["é", "", None]).dictionary_encode(),
        "bytes": pa.array([b"ab", b"c\n", None], pa.binary(2)),
    }  # fmt: skip
    table = pa.table({"id": [1, 2, 3], "label": [0, 1, 0], **typed})
    assert ingested(table, "parquet")[1] == {
        "id": [1, 2, 3],
        "label": [0, 1, 0],
        "number": [0.1, 1e16, None],
        "whole": [2**53 + 1, -7, None],
        "narrow": [float(np.float32(0.1)), 1e10, None],
        "decimal": [1.5, -0.1, None],
        "day": ["2013-01-31", "9999-12-31", None],
        "time": ["23:59:59.12", "00:00:00", None],
        "moment": ["2013-01-31 05:00:00.12", "0001-01-01 00:00:00", None],
        "zoned": ["2013-01-31 05:00:00.12Z", "2013-01-31 05:00:00.12Z", None],
        "duration": [1.5, -86400.0, None],
        "flag": [1, 0, None],
        "unsigned": ["18446744073709551615", "0", None],
        "category": ["é", "", None],
        "bytes": ["ab", "c\n", None],
    }
    hashed = ingested(table, "parquet", hash=tuple(typed))[1]
    texts = {
        "number": ["0.1", "10000000000000000"],
        "whole": ["9007199254740993", "-7"],
        "narrow": ["0.1", "10000000000"],
        "decimal": ["1.5", "-0.1"],
        "day": ["2013-01-31", "9999-12-31"],
        "time": ["23:59:59.12", "00:00:00"],
        "moment": ["2013-01-31 05:00:00.12", "0001-01-01 00:00:00"],
        "zoned": ["2013-01-31 05:00:00.12Z"] * 2,
        "duration": ["1.5", "-86400"],
        "flag": ["true", "false"],
        "unsigned": ["18446744073709551615", "0"],
        "category": ["é", ""],
        "bytes": ["ab", "c\n"],
    }
    found = {name: hashed[name] for name in typed}
    assert found == {name: [*map(digest, cells), None] for name, cells in texts.items()}
    many = table.take([i % 3 for i in range(30)]).set_column(0, "id", pa.array(range(30)))
    by = tuple(name for name in typed if name != "whole")
    split = {"split": HASH, "split_by": ("id", *by), "key": ("id",)}
    side = ingested(many, "parquet", part="eval", **split)[1]["id"]
    assert side == [7, 8, 9, 15, 17, 19, 20, 21, 22, 27]
