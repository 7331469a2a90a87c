"""Files of logs, open: their lines or bytes, unpacked, with the digest of what was read."""

import bz2
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..lib.source_rows.sources.compression import compression_of
from ..lib.uris import filesystem
from .logged import LogFile

_BUFFER = 1 << 20
# A longer line is no record.
_LINE_BYTES = 64 << 20
_GZIP = b"\x1f\x8b"
_UNPACKERS: dict[str, Any] = {
    "gzip": lambda packed: gzip.GzipFile(fileobj=packed),
    "bz2": bz2.BZ2File,
}


class CutOffError(Exception):
    """A file ends before it should: it is still written, or its writer was killed."""


class OpenedLog:
    """A file of a log that is open.

    Attributes:
        file: The file.
        stream: Its content, unpacked.
    """

    def __init__(
        self, file: LogFile, stream: io.BufferedIOBase, raw: io.BufferedIOBase, digest: Any
    ) -> None:
        self.file = file
        self.stream = stream
        self._raw = raw
        self._digest = digest

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Read the lines that are not blank.

        Yields:
            Number of each, from 1, and its bytes.

        Raises:
            CutOffError: If the packed data end too early or are damaged.
        """
        number, rest = 0, b""
        while chunk := self._read():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                number += 1
                if bare := line.strip():
                    yield number, bare
            if len(rest) > _LINE_BYTES:
                raise CutOffError(f"line {number + 1} has more than {_LINE_BYTES >> 20} MB")
        if bare := rest.strip():
            yield number + 1, bare

    def _read(self) -> bytes:
        try:
            # What was unpacked before a fault is returned before it is raised.
            chunk: bytes = self.stream.read1(_BUFFER)
        except (EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise CutOffError(str(error)) from error
        return chunk

    def digest(self) -> str:
        """Return the SHA-256 of the file as it is stored, after reading what is left of it."""
        while self._raw.read(_BUFFER):
            pass
        return str(self._digest.hexdigest())


class _Digesting(io.RawIOBase):
    """Passes a file's bytes on, as many as it had when it was listed, and hashes them."""

    def __init__(self, raw: Any, size: int, digest: Any) -> None:
        super().__init__()
        self._raw = raw
        self._left = size
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._raw.read(min(len(buffer), self._left))
        self._left -= len(data)
        self._digest.update(data)
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def open_log(file: LogFile) -> Iterator[OpenedLog]:
    """Open a file of a log.

    Args:
        file: The file; unpacked if its name ends in `.gz` or `.bz2`, or it begins as gzip does.

    Yields:
        The file.

    Raises:
        FileNotFoundError: If it is gone.
        StorageError: If access fails.
    """
    fs, path = filesystem(file.uri)
    digest = hashlib.sha256()
    with fs.open(path, "rb") as raw:
        buffered = io.BufferedReader(_Digesting(raw, file.size, digest), _BUFFER)
        codec = compression_of(file.name)
        if not codec and buffered.peek(2)[:2] == _GZIP:
            codec = "gzip"
        stream = _UNPACKERS[codec](buffered) if codec in _UNPACKERS else buffered
        yield OpenedLog(file, stream, buffered, digest)
