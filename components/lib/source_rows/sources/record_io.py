"""Reading the records of a TFRecord file, each with its checksum.

The format: of each record its length (64 bits, little endian), the length's masked CRC-32C, the record, its masked
CRC-32C (https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details). It is read here rather than
by `tf.data`, which counts a batch in records, whatever their size, and returns no record's number.
"""

import struct
from collections.abc import Iterator

import google_crc32c
import pyarrow as pa

from ...errors import RetrainerError
from .base import BLOCK_BYTES, BLOCK_ROWS

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_MASK = 0xA282EAD8
# No protocol buffer is longer.
_RECORD_BYTES = 2 << 30


def begins_with_record(start: bytes) -> bool:
    """Check whether a file's first bytes, 12 at least, are the head of a record."""
    if len(start) < _HEADER.size:
        return False
    _, checksum = _HEADER.unpack_from(start)
    return checksum == _masked_crc(start[:8])


def read_records(stream: pa.NativeFile, uri: str) -> Iterator[list[bytes]]:
    """Read records, some at a time: about `BLOCK_BYTES` of them, and at most `BLOCK_ROWS`.

    Args:
        stream: The file's content, from its beginning.
        uri: The file's name, for errors.

    Yields:
        The records, in order.

    Raises:
        RetrainerError: If the file is none of records, a record does not match its checksum, or the last is cut off.
    """
    number = 0
    data, missing = b"", 0
    while read := stream.read(max(BLOCK_BYTES, missing)):
        data += read
        records: list[bytes] = []
        start = missing = 0
        while len(data) - start >= _HEADER.size:
            length, checksum = _HEADER.unpack_from(data, start)
            if checksum != _masked_crc(data[start : start + 8]) or length > _RECORD_BYTES:
                raise _damaged(uri, number + 1)
            body = start + _HEADER.size
            end = body + length + _CHECKSUM.size
            if end > len(data):
                missing = end - len(data)
                break
            record = data[body : body + length]
            if _CHECKSUM.unpack_from(data, body + length)[0] != _masked_crc(record):
                raise _damaged(uri, number + 1)
            records.append(record)
            number += 1
            start = end
            if len(records) == BLOCK_ROWS:
                yield records
                records = []
        if records:
            yield records
        data = data[start:]
    if data:
        raise RetrainerError(f"'{uri}' is cut off in record {number + 1}. Upload the file again.")


def _damaged(uri: str, number: int) -> RetrainerError:
    if number == 1:
        return RetrainerError(
            f"'{uri}' is no TFRecord file, or its record 1 is damaged: the checksum does not match. Upload it again, "
            "or set data.format to what it is."
        )
    return RetrainerError(
        f"'{uri}' is damaged in record {number}: the checksum does not match. Upload the file again."
    )


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF
