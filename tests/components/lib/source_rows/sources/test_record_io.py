import struct

import google_crc32c
import pyarrow as pa
import pytest
import tensorflow as tf

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.sources import record_io
from retrainer.components.lib.source_rows.sources.record_io import begins_with_record, read_records

RECORDS = [b"", b"a", b"x" * 100_000, bytes(range(256))] * 50


def read(content):
    batches = list(read_records(pa.BufferReader(content), "gs://b/day.tfrecord"))
    return [record for batch in batches for record in batch], batches


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("records") / "records"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    return path.read_bytes()


def test_records_are_those_that_tensorflow_wrote(content):
    assert read(content)[0] == RECORDS


@pytest.mark.parametrize("size", [1, 13, 1000, 1 << 20])
def test_records_are_the_same_however_much_is_read_at_a_time(content, monkeypatch, size):
    monkeypatch.setattr(record_io, "BLOCK_BYTES", size)
    content = content if size > 999 else content[: 16 + 17 + 16 + 100_000]
    records, batches = read(content)
    assert records == RECORDS[: len(records)]
    assert len(records) in (3, len(RECORDS))
    assert all(sum(map(len, batch)) <= size + 100_000 for batch in batches)


def test_no_more_records_come_at_a_time_than_a_block_has_rows(content, monkeypatch):
    monkeypatch.setattr(record_io, "BLOCK_ROWS", 7)
    records, batches = read(content)
    assert records == RECORDS
    assert {len(batch) for batch in batches} <= set(range(1, 8))


@pytest.mark.parametrize("kept", [3, 12, 14, 20, 31])
def test_a_file_that_is_cut_off_is_named_with_the_record(content, kept):
    # The first record takes 16 bytes, the second 17.
    with pytest.raises(RetrainerError, match=rf"is cut off in record {1 if kept < 16 else 2}\."):
        read(content[:kept])


@pytest.mark.parametrize(("place", "number"), [(16, 2), (25, 2), (28, 2), (30, 2), (40, 3)])
def test_a_damaged_record_is_named(content, place, number):
    damaged = bytearray(content)
    damaged[place] ^= 1
    with pytest.raises(RetrainerError, match=f"is damaged in record {number}: the checksum"):
        read(bytes(damaged))


def test_a_file_of_another_format_is_reported(content):
    with pytest.raises(RetrainerError, match="is no TFRecord file, or its record 1 is damaged"):
        read(b'{"a": 1, "b": 2}\n' * 100)
    assert begins_with_record(content[:12])
    assert not begins_with_record(b'{"a": 1, "b": 2}\n')
    assert not begins_with_record(content[:11])


def test_a_length_that_no_record_can_have_takes_no_memory():
    length = struct.pack("<Q", 1 << 60)
    crc = google_crc32c.value(length)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    head = length + struct.pack("<I", masked)
    assert begins_with_record(head)
    with pytest.raises(RetrainerError, match="record 1 is damaged"):
        read(head + b"x" * 100)


@pytest.mark.parametrize(("length", "says"), [(2 << 30, "is cut off"), ((2 << 30) + 1, "damaged")])
def test_a_record_is_two_gigabytes_at_most(length, says):
    packed = struct.pack("<Q", length)
    crc = google_crc32c.value(packed)
    head = packed + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
    with pytest.raises(RetrainerError, match=says):
        read(head + b"x" * 100)
