import bz2
import errno
import gzip

import pyarrow as pa
import pyarrow.csv
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.sources.compression import (
    compression_of,
    open_native,
    without_compression,
)

TEXT = "".join(f"{row},LGA,{row * 7919 % 1000}\n" for row in range(50_000)).encode()


def compress(codec, data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: compress("zstd", data),
    ".lz4": lambda data: compress("lz4", data),
}


def read(path):
    with open_native(f"gs://bucket/{path.name}", str(path)) as stream:
        parts = []
        while part := stream.read(1 << 16):
            parts.append(part)
    return b"".join(parts)


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("ending", PACK)
def test_a_file_is_unpacked_as_its_ending_says(write, ending):
    assert read(write(f"a.csv{ending}", PACK[ending](TEXT))) == TEXT
    assert read(write(f"A.CSV{ending.upper()}", PACK[ending](TEXT))) == TEXT


def test_a_file_of_another_ending_is_read_as_it_stands(write):
    assert read(write("a.csv", TEXT)) == TEXT


@pytest.mark.parametrize("ending", PACK)
def test_compressed_parts_one_after_the_other_are_one_file(write, ending):
    assert read(write(f"a{ending}", PACK[ending](TEXT) + PACK[ending](b"end"))) == TEXT + b"end"


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("missing", [1, 8, 5_000])
def test_a_compressed_file_that_is_cut_off_is_named(write, ending, missing):
    path = write(f"a{ending}", PACK[ending](TEXT)[:-missing])
    with pytest.raises(RetrainerError, match=rf"'gs://bucket/a{ending}' is cut off"):
        read(path)


@pytest.mark.parametrize("ending", PACK)
def test_a_file_that_is_not_compressed_as_its_ending_says_is_named(write, ending):
    with pytest.raises(RetrainerError, match=rf"is no \w+ file, though its name ends in {ending}"):
        read(write(f"a{ending}", TEXT))


def test_damaged_data_are_reported_with_what_the_codec_found(write):
    packed = bytearray(gzip.compress(TEXT))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = b"\xff" * 40
    with pytest.raises(RetrainerError, match=r"a\.gz' can't be unpacked.*damaged \(.+\)"):
        read(write("a.gz", packed))


def test_a_file_of_no_bytes_reads_as_nothing(write):
    assert read(write("a.gz", b"")) == b""


def test_an_error_of_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), open_native("x", str(tmp_path / "x.gz")):
        pass


def test_what_a_reader_of_the_stream_meets_is_reported_too(write):
    path = write("a.csv.gz", gzip.compress(TEXT)[:-100])
    with (
        pytest.raises(RetrainerError, match="is cut off"),
        open_native("a.csv.gz", str(path)) as stream,
    ):
        pyarrow.csv.open_csv(stream).read_all()


def test_the_ending_of_a_compression_comes_off_a_name():
    assert without_compression("gs://b/a.csv.gz") == "gs://b/a.csv"
    assert without_compression("gs://b.gz/a.csv") == "gs://b.gz/a.csv"
    assert compression_of("a.parquet") == ""


def test_an_error_of_the_disk_while_reading_stays_what_it_is(write):
    for path in (write("a.csv.gz", gzip.compress(TEXT)), write("a.csv", TEXT)):
        with pytest.raises(OSError, match="broken") as error, open_native("a", str(path)):
            raise OSError(errno.EIO, "broken")
        assert error.value.errno == errno.EIO
    with pytest.raises(OSError, match="of no codec"), open_native("a", str(path)):
        raise OSError("of no codec")


def test_a_codec_may_be_named_where_the_file_has_no_ending_for_it(write):
    path = write("part-0", gzip.compress(TEXT)[:-100])
    with (
        pytest.raises(RetrainerError, match="its gzip data end too early"),
        open_native("part-0", str(path), "gzip") as stream,
    ):
        stream.read()


def test_fewer_bytes_than_a_codecs_mark_are_cut_off_or_another_file(write):
    with pytest.raises(RetrainerError, match="is no gzip file"):
        read(write("a.gz", b"x"))
    with pytest.raises(RetrainerError, match="is cut off"):
        read(write("b.gz", gzip.compress(b"a")[:2]))
