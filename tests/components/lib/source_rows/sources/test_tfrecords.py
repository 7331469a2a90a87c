import gzip
import os
import subprocess
import sys

import pandas as pd
import pytest
import tensorflow as tf

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows.sources import record_io
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.components.lib.source_rows.sources.tfrecords import TFRecordSource
from retrainer.pipelines.examples.flights.data import read_flights


@pytest.fixture(scope="module")
def flights():
    return read_flights().iloc[::100].reset_index(drop=True)


@pytest.fixture(scope="module")
def records(flights):
    """The flights as serialized tf.Examples; a missing cell is a missing feature."""
    return [serialize(row) for row in flights.astype(object).to_dict("records")]


def serialize(row):
    features = {}
    for name, value in row.items():
        if pd.isna(value):
            continue
        if isinstance(value, str):
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        elif isinstance(value, float):
            feature = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        else:
            feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))
        features[name] = feature
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture
def source(tmp_path):
    """A function that writes records with TensorFlow's own writer and opens them as a source."""

    def make(records, name="day.tfrecord", compression="", exclude=()):
        path = tmp_path / name
        with tf.io.TFRecordWriter(str(path), compression) as writer:
            for record in records:
                writer.write(record)
        return opened(path, exclude)

    return make


def opened(path, exclude=()):
    file = SourceFile(f"gs://bucket/{path.name}", path.stat().st_size, "")
    return TFRecordSource(file, str(path), SourceOptions(exclude=tuple(exclude)))


@pytest.mark.parametrize(
    ("name", "compression"),
    [
        ("day.tfrecord", ""),
        ("day.tfrecord.gz", "GZIP"),
        ("examples-00000-of-00010", "GZIP"),
        ("examples-00000-of-00010.gz", "GZIP"),
    ],
)
def test_flights_come_back_as_they_were_written(
    flights, records, source, monkeypatch, name, compression
):
    monkeypatch.setattr(record_io, "BLOCK_BYTES", 200_000)
    blocks = list(source(records, name, compression).blocks())
    assert len(blocks) > 3
    rows = [row for block in blocks for row in block.batch.to_pylist()]
    expected = flights.astype(object).where(flights.notna(), None).to_dict("records")
    assert len(rows) == len(expected)
    for row, flight in zip(rows, expected, strict=True):
        text = {name: row[name].decode() for name in row if isinstance(row[name], bytes)}
        assert {**row, **text} == flight
    numbers = [int(number) for block in blocks for number in block.row_numbers()]
    assert numbers == list(range(1, len(flights) + 1))
    assert blocks[0].batch.schema.names == sorted(flights.columns)


def test_a_record_that_is_no_example_is_a_bad_row(records, source):
    written = [*records[:3], b"not an example", *records[3:5], b"\xff" * 5_000]
    (block,) = source(written).blocks()
    assert block.batch.num_rows == 5
    assert block.row_numbers().tolist() == [1, 2, 3, 5, 6]
    assert [(row.file, row.row) for row in block.bad] == [("day.tfrecord", 4), ("day.tfrecord", 7)]
    assert block.bad[0].reason.startswith("no tf.Example")
    assert block.bad[0].text == "not an example"
    assert block.bad[1].text == "\\xff" * 500


def test_a_bad_row_has_its_number_in_the_file_whatever_block_it_is_in(records, source, monkeypatch):
    monkeypatch.setattr(record_io, "BLOCK_ROWS", 10)
    written = [record if row % 25 else b"\xff" for row, record in enumerate(records[:200], 1)]
    bad = [row.row for block in source(written).blocks() for row in block.bad]
    assert bad == list(range(25, 201, 25))


def test_excluded_features_are_reported_and_left_out(records, source):
    (block,) = source(records[:10], exclude=("tailnum", "none")).blocks()
    assert "tailnum" not in block.batch.schema.names
    assert list(block.excluded) == ["tailnum"]


@pytest.mark.parametrize("name", ["day.tfrecord", "day.tfrecord.gz"])
def test_a_file_of_no_records_is_refused(source, name):
    empty = source([], name, "GZIP" if name.endswith("gz") else "")
    with pytest.raises(RetrainerError, match=rf"'gs://bucket/{name}' has no records"):
        list(empty.blocks())


def test_a_file_that_is_cut_off_is_refused_packed_or_not(records, source, tmp_path):
    for name, compression in (("a.tfrecord", ""), ("b.tfrecord.gz", "GZIP")):
        list(source(records, name, compression).blocks())
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(RetrainerError, match=rf"'gs://bucket/{name}' is cut off"):
            list(opened(path).blocks())


def test_a_file_that_is_no_archive_in_spite_of_its_name_is_refused(records, source):
    with pytest.raises(RetrainerError, match=r"is no gzip file, though its name ends in \.gz"):
        list(source(records[:5], "day.tfrecord.gz").blocks())


def test_a_damaged_record_in_an_archive_without_an_ending_is_named(records, source, tmp_path):
    list(source(records[:20], "day").blocks())
    content = bytearray((tmp_path / "day").read_bytes())
    content[-1] ^= 1
    (tmp_path / "day").write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(RetrainerError, match=r"'gs://bucket/day' is damaged in record 20:"):
        list(opened(tmp_path / "day").blocks())


def test_a_cell_may_be_larger_than_a_block(source):
    text = "x" * (10 << 20)
    blocks = list(source([serialize({"a": text}), serialize({"a": "y"})]).blocks())
    cells = [cell for block in blocks for cell in block.batch.column("a").to_pylist()]
    assert cells == [text.encode(), b"y"]


def test_opening_a_source_loads_no_tfx():
    code = (
        "import sys\n"
        "from retrainer.components.lib.source_rows.sources.base import SourceOptions\n"
        "from retrainer.components.lib.source_rows.sources.tfrecords import TFRecordSource\n"
        "from retrainer.components.lib.source_files import SourceFile\n"
        "TFRecordSource(SourceFile('x', 1, ''), 'x', SourceOptions())\n"
        "assert not {'tfx_bsl', 'tensorflow'} & set(sys.modules)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
