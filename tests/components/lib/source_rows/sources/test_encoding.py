"""Files in other encodings than UTF-8, whose characters may lie across two reads."""

import pyarrow as pa
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.sources import encoding
from retrainer.components.lib.source_rows.sources.encoding import (
    begins_as_utf8,
    is_utf8,
    original_bytes,
    transcode,
)

TEXT = "größe,€\r\nñandú,1\n"


def written(tmp_path, content, name):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    transcode("gs://b/a.csv", str(source), name, str(target))
    return target.read_bytes().decode("utf-8")


@pytest.mark.parametrize("name", ["utf-8", "cp1252", "utf-16", "utf-16-le", "utf-8-sig"])
@pytest.mark.parametrize("chunk", [1, 3, 1 << 20])
def test_a_text_is_the_same_in_utf8_wherever_reads_end(tmp_path, monkeypatch, name, chunk):
    monkeypatch.setattr(encoding, "_CHUNK_BYTES", chunk)
    assert written(tmp_path, TEXT.encode(name), name) == TEXT


def test_a_mark_of_utf8_is_no_part_of_the_text(tmp_path):
    assert written(tmp_path, b"\xef\xbb\xbfa,b\n", "cp1252") == "a,b\n"
    assert written(tmp_path, b"", "cp1252") == ""


@pytest.mark.parametrize("chunk", [4, 1 << 20])
def test_a_byte_that_means_nothing_is_named_by_its_place(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(encoding, "_CHUNK_BYTES", chunk)
    with pytest.raises(RetrainerError, match=r"a\.csv' is not utf-8: .* near byte 6\. Set"):
        written(tmp_path, b"abcd\xc3\xa4\xff,1\n", "utf-8")
    with pytest.raises(RetrainerError, match="near byte 5"):
        written(tmp_path, b"abcde\xc3", "utf-8")


def test_utf8_is_what_is_part_of_it():
    known = {name: is_utf8(name) for name in ("utf8", "UTF-8-SIG", "ascii", "latin-1", "utf-16")}
    assert known == {
        "utf8": True,
        "UTF-8-SIG": True,
        "ascii": True,
        "latin-1": False,
        "utf-16": False,
    }


def test_a_beginning_may_be_cut_within_a_character():
    assert begins_as_utf8("ä".encode()[:1])
    assert not begins_as_utf8(b"\xe4b")


def test_bytes_come_back_as_they_were():
    cells = [b"a", "ä".encode(), bytes(range(256)), None]
    read = pa.array([None if cell is None else cell.decode("latin-1").encode() for cell in cells])
    assert original_bytes(read.cast(pa.binary())).to_pylist() == cells
    plain = pa.array([b"a", None])
    assert original_bytes(plain) is plain
