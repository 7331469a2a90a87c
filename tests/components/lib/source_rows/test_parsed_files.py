"""The files of a span are parsed side by side, and come in their order."""

import gzip
import threading
from contextlib import contextmanager

import pyarrow as pa
import pytest

from retrainer.components.ingest_spans.span import ingest_span
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows import parsed_files
from retrainer.components.lib.source_rows.parsed_files import files_ahead, parse_files
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources.base import Block
from retrainer.components.lib.spans.span_discovery import find_spans

FILES = 12


class Source:
    """A source of one block."""

    narrow = has_header = True

    def __init__(self, number, read):
        self._number, self._read = number, read

    def blocks(self):
        self._read(self._number)
        yield Block(pa.RecordBatch.from_pydict({"x": [self._number]}), 1)


@pytest.fixture
def sources():
    """A function that makes sources, with those that are open."""
    opened = set()

    def make(read=lambda number: None, count=FILES):
        def opener(number):
            @contextmanager
            def open_one():
                opened.add(number)
                try:
                    yield Source(number, read)
                finally:
                    opened.discard(number)

            return open_one

        return [(f"{number}.csv", opener(number)) for number in range(count)]

    make.opened = opened
    return make


def numbers(files):
    return [parsed.block.batch["x"][0].as_py() for blocks in files for parsed in blocks]


@pytest.mark.parametrize("ahead", [0, 1, 5, 50])
def test_blocks_come_in_the_order_of_the_files_and_nothing_stays_open(sources, ahead):
    assert numbers(parse_files(sources(), ahead)) == list(range(FILES))
    assert not sources.opened


def test_so_many_files_are_parsed_at_once_and_no_more(sources):
    started = []
    together = threading.Barrier(4, timeout=30)

    def read(number):
        started.append(number)
        if number < 4:
            together.wait()

    files = parse_files(sources(read), ahead=3)
    assert [parsed.block.batch["x"][0].as_py() for parsed in next(files)] == [0]
    assert sorted(started) == [0, 1, 2, 3]
    files.close()
    assert not sources.opened


def test_a_file_that_cannot_be_read_is_an_error_when_its_turn_comes(sources):
    def read(number):
        if number == 2:
            raise RetrainerError("2.csv is damaged")

    files = parse_files(sources(read), ahead=5)
    assert [numbers([next(files)]) for _ in range(2)] == [[0], [1]]
    with pytest.raises(RetrainerError, match="is damaged"):
        numbers([next(files)])
    files.close()
    assert not sources.opened


@pytest.mark.parametrize(
    ("cores", "sizes", "ahead"),
    [
        (1, [5, 5, 5], 0),
        (2, [5, 5, 5], 1),
        (16, [5, 5, 5], 2),
        (16, [5], 0),
        (16, [300 << 20] * 20, 3),
        (16, [2 << 30] * 20, 0),
    ],
)
def test_files_ahead_take_a_core_each_and_a_bounded_disk(monkeypatch, cores, sizes, ahead):
    monkeypatch.setattr(parsed_files, "cores", lambda: cores)
    assert files_ahead([SourceFile(f"{size}", size, "") for size in sizes]) == ahead


def test_a_span_is_the_same_to_the_byte_however_many_files_are_parsed_at_once(
    tmp_path, monkeypatch
):
    # The types widen on the way, so that a second pass reads all of them again; one file has a row too long.
    for number in range(9):
        rows = "".join(
            f"{number * 50 + row},{row / 8 if number > 3 else row},{row % 2}\n" for row in range(50)
        )
        text = "id,x,late\n" + rows + ("1,2,3,4\n" if number == 5 else "")
        (tmp_path / f"1-{number}.csv.gz").write_bytes(gzip.compress(text.encode()))
    source = find_spans(f"{tmp_path}/{{span}}-*.csv.gz")[0]

    def ingested(cores):
        monkeypatch.setattr(parsed_files, "cores", lambda: cores)
        store = tmp_path / f"store-{cores}"
        settings = IngestSettings("late", key=("id",), split="hash", max_bad_rows=0.1)
        folder = ingest_span(source, str(store), settings).content.uri
        return {
            path.relative_to(store): path.read_bytes()
            for path in store.rglob("*")
            if path.is_file() and path.name != "span.json"
        }, folder.removeprefix(str(store))

    one = ingested(1)
    assert any(name.name.endswith(".parquet") for name in one[0])
    assert ingested(6) == one
