"""Which source reads a file, and how it says that it can't."""

import errno

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.components.lib.source_rows.sources.csv_files import CsvSource
from retrainer.components.lib.source_rows.sources.json_lines import JsonLinesSource
from retrainer.components.lib.source_rows.sources.open_source import open_source, read_blocks
from retrainer.components.lib.source_rows.sources.parquet_files import ParquetSource


@pytest.fixture
def choose(tmp_path):
    def go(name, content=b"x", **options):
        path = tmp_path / name
        path.write_bytes(content)
        file = SourceFile(str(path), len(content), "")
        return open_source(file, str(path), SourceOptions(**options), "1", str(tmp_path))

    return go


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.csv", CsvSource),
        ("A.CSV.GZ", CsvSource),
        ("a.csv.zst", CsvSource),
        ("a.parquet", ParquetSource),
        ("a.pq", ParquetSource),
        ("a.jsonl", JsonLinesSource),
        ("a.ndjson.gz", JsonLinesSource),
        ("a.json", JsonLinesSource),
    ],
)
def test_a_files_ending_gives_its_format(choose, name, source):
    assert isinstance(choose(name), source)


def test_a_format_that_is_set_counts_and_not_the_ending(choose):
    assert isinstance(choose("part-0", format="parquet"), ParquetSource)
    assert isinstance(choose("a.parquet", format="csv"), CsvSource)


def test_an_unknown_ending_asks_for_the_format(choose):
    with pytest.raises(
        RetrainerError,
        match=r"format of '.*a\.txt'.*data\.format to csv, parquet, jsonl or tfrecord",
    ):
        choose("a.txt")


def test_a_file_of_no_bytes_is_empty_in_every_format(choose):
    for name in ("a.csv", "a.parquet", "a.jsonl"):
        with pytest.raises(RetrainerError, match=r"is empty \(0 bytes\)"):
            choose(name, b"")


def test_a_file_in_another_encoding_is_read_through_a_copy(choose, tmp_path):
    source = choose("a.csv", "a\nKöln\n".encode("utf-16"), csv_encoding="utf-16")
    (block,) = read_blocks(source, "a.csv")
    assert block.batch.to_pylist() == [{"a": "Köln".encode()}]


def test_arrows_errors_are_one_sentence_that_names_the_file(choose, tmp_path):
    pq.write_table(pa.table({"a": range(1_000)}), tmp_path / "whole")
    cut = (tmp_path / "whole").read_bytes()[:-20]
    with pytest.raises(RetrainerError, match=r"^'gs://b/a' can't be read: [^\n]*[^.]\. Upload"):
        list(read_blocks(choose("a.parquet", cut), "gs://b/a"))


def test_a_file_that_goes_away_is_reported_and_a_full_disk_stays_one(choose, tmp_path):
    source = choose("a.csv", b"a\n1\n")
    (tmp_path / "a.csv").unlink()
    with pytest.raises(
        RetrainerError, match=r"'a\.csv' was removed after it was listed.*data\.marker"
    ):
        list(read_blocks(source, "a.csv"))

    class Full:
        narrow = False
        has_header = False

        def blocks(self):
            raise OSError(errno.ENOSPC, "No space left on device")
            yield

    with pytest.raises(OSError, match="No space"):
        list(read_blocks(Full(), "a.csv"))
