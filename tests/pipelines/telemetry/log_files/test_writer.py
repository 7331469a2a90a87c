"""Rows become whole files, whatever the store does."""

import gzip
import json
import threading
import time
from dataclasses import dataclass

import fsspec
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.uris import write_atomic
from retrainer.pipelines.telemetry.log_files.waiting_rows import Limits
from retrainer.pipelines.telemetry.log_files.writer import LogWriter, Rolling


@dataclass(frozen=True)
class Number:
    value: int
    size: int = 100

    def line(self) -> bytes:
        if self.value < 0:
            raise ValueError(self.value)
        return json.dumps({"value": self.value}).encode()


class Store:
    """A place that can be out of reach."""

    def __init__(self):
        self.reachable = threading.Event()
        self.attempts = 0

    def write(self, uri, content):
        self.attempts += 1
        if not self.reachable.is_set():
            raise OSError("the bucket is out of reach")
        write_atomic(uri, content)


def rows_in(log) -> list[int]:
    return [
        json.loads(line)["value"]
        for file in sorted(log.rglob("*.jsonl.gz"))
        for line in gzip.decompress(file.read_bytes()).splitlines()
    ]


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def make(tmp_path):
    """A function that starts a writer, which ends with the test."""
    writers = []

    def start(**settings) -> LogWriter:
        writers.append(LogWriter(str(tmp_path / "log"), **settings))
        writers[-1].start()
        return writers[-1]

    yield start
    for writer in writers:
        writer.close(0)


def test_rows_are_written_in_order_and_files_are_whole(make, tmp_path):
    writer = make(rolling=Rolling(seconds=0.05))
    for value in range(1000):
        assert writer.add(Number(value))
        if value % 200 == 0:
            wait_until(lambda: writer.state.waiting < 50)
    state = writer.close(10)
    assert (state.written, state.dropped, state.waiting, state.failures) == (1000, 0, 0, 0)
    assert state.files >= 4
    assert rows_in(tmp_path / "log") == list(range(1000))
    # Nothing that a reader could take for a file is left beside them.
    names = [path.name for path in (tmp_path / "log").rglob("*") if path.is_file()]
    assert all(name.endswith(".jsonl.gz") for name in names)


def test_a_file_is_closed_at_its_size(make):
    writer = make(rolling=Rolling(seconds=3600, size=10_000))
    for value in range(20_000):
        writer.add(Number(value * 7919 % 100_003))
    wait_until(lambda: writer.state.files >= 1)
    assert writer.close(10).written == 20_000


def test_a_store_that_is_out_of_reach_costs_no_rows_as_long_as_they_find_room(make, tmp_path):
    store = Store()
    writer = make(rolling=Rolling(seconds=0.02), write=store.write)
    for value in range(300):
        assert writer.add(Number(value))
    wait_until(lambda: writer.state.failures >= 2)
    assert writer.state.waiting == 300
    store.reachable.set()
    wait_until(lambda: writer.state.written == 300)
    assert rows_in(tmp_path / "log") == list(range(300))
    assert writer.state.waiting == 0


def test_rows_without_room_are_dropped_and_counted_and_later_ones_are_kept(make, tmp_path):
    store = Store()
    limits = Limits(rows=50, size=1 << 20)
    writer = make(rolling=Rolling(seconds=0.02), limits=limits, write=store.write)
    kept = [value for value in range(5000) if writer.add(Number(value))]
    assert 50 <= len(kept) < 5000
    assert writer.state.dropped == 5000 - len(kept)
    wait_until(lambda: writer.add(Number(10_000)))
    store.reachable.set()
    state = writer.close(10)
    assert (state.written, state.waiting) == (len(kept) + 1, 0)
    assert rows_in(tmp_path / "log") == [*kept, 10_000]


def test_memory_is_bounded_by_bytes_of_rows_and_of_files_that_wait(make):
    store = Store()
    limits = Limits(rows=1_000_000, size=20_000)
    writer = make(rolling=Rolling(seconds=0.01), limits=limits, write=store.write)
    held = 0
    for value in range(3000):
        writer.add(Number(value * 7919 % 100_003))
        held = max(held, writer.state.waiting_bytes)
    wait_until(lambda: store.attempts)
    # What is being compressed at the moment is in neither count.
    assert held <= 2 * limits.size
    assert writer.state.dropped
    assert not writer.add(Number(1, size=20_001))


def test_the_end_does_not_wait_for_ever_and_counts_what_it_loses(make):
    store = Store()
    writer = make(rolling=Rolling(seconds=0.02), write=store.write)
    for value in range(100):
        writer.add(Number(value))
    started = time.monotonic()
    state = writer.close(0.3)
    assert time.monotonic() - started < 10
    assert (state.written, state.dropped, state.waiting) == (0, 100, 0)


def test_a_row_that_has_no_line_costs_no_other(make, tmp_path):
    writer = make()
    for value in (1, -1, 2):
        writer.add(Number(value))
    state = writer.close(10)
    assert (state.written, state.dropped) == (2, 1)
    assert rows_in(tmp_path / "log") == [1, 2]


def test_two_writers_of_one_log_disturb_nobody(make, tmp_path):
    first, second = make(), make()
    first.add(Number(1))
    second.add(Number(2))
    first.close(10)
    second.close(10)
    assert sorted(rows_in(tmp_path / "log")) == [1, 2]


def test_a_log_may_be_in_a_bucket():
    log = f"memory://logs-{time.time_ns()}"
    writer = LogWriter(log)
    writer.start()
    writer.add(Number(5))
    writer.close(10)
    fs, path = fsspec.core.url_to_fs(log)
    (file,) = fs.find(path)
    assert gzip.decompress(fs.cat_file(file)) == b'{"value": 5}\n'


def test_an_unknown_kind_of_store_is_an_error_at_once():
    with pytest.raises(RetrainerError, match="can't open 'nowhere://logs'"):
        LogWriter("nowhere://logs")
