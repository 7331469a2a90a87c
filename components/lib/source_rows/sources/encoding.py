"""Encodings of text files: Arrow's readers take UTF-8 alone."""

import codecs

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import RetrainerError
from .compression import open_native

BYTEWISE = "latin-1"
"""latin-1 maps every byte to a character, so decoding round-trips."""

_CHUNK_BYTES = 1 << 20


def is_utf8(encoding: str) -> bool:
    """Check whether an encoding is read as it is: UTF-8, or what is part of it.

    Args:
        encoding: One of Python's names of encodings.
    """
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")


def begins_as_utf8(head: bytes) -> bool:
    """Check whether the beginning of a file, cut anywhere, is UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def transcode(uri: str, path: str, encoding: str, target: str) -> None:
    """Convert a file to UTF-8 without a byte order mark.

    Args:
        uri: The file, for errors.
        path: Where it is on this machine, compressed or not.
        encoding: Its encoding, by one of Python's names for it.
        target: Where to write.

    Raises:
        RetrainerError: If it has bytes that mean nothing in that encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_native(uri, path) as stream, open(target, "w", encoding="utf-8", newline="") as out:
        done = 0
        while True:
            chunk = stream.read(_CHUNK_BYTES)
            begun = decoder.getstate()[0]
            try:
                text = decoder.decode(
                    chunk if done else chunk.removeprefix(codecs.BOM_UTF8), final=not chunk
                )
            except UnicodeError as error:
                start = error.start if isinstance(error, UnicodeDecodeError) else 0
                reason = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
                raise RetrainerError(
                    f"'{uri}' is not {encoding}: {reason} near byte {done - len(begun) + start:,}. Set "
                    "data.csv.encoding to what its writer uses, such as utf-8 or cp1252."
                ) from error
            out.write(text)
            done += len(chunk)
            if not chunk:
                return


def original_bytes(column: pa.Array) -> pa.Array:
    """Return the bytes of a column's cells before `transcode` decoded them as `BYTEWISE`.

    Args:
        column: Cells of type binary, in UTF-8.
    """
    text = column.cast(pa.string())
    if pc.all(pc.string_is_ascii(text)).as_py() is not False:
        return column
    return pa.array(
        [None if cell is None else cell.encode(BYTEWISE) for cell in text.to_pylist()], pa.binary()
    )
