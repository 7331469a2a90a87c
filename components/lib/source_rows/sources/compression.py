"""Opening source files, compressed or not, as streams that Arrow's readers take."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from ...errors import RetrainerError

# By the name's ending: Arrow's name of the codec, and the bytes that every such file begins with.
_CODECS = {
    ".gz": ("gzip", b"\x1f\x8b"),
    ".bz2": ("bz2", b"BZh"),
    ".zst": ("zstd", b"\x28\xb5\x2f\xfd"),
    ".lz4": ("lz4", b"\x04\x22\x4d\x18"),
}


def compression_of(name: str) -> str:
    """Return how a file is compressed, by its name's ending (`.gz`, `.bz2`, `.zst`, `.lz4`).

    Args:
        name: A file's name, path or URI.

    Returns:
        Arrow's name of the codec; empty for none.
    """
    return next((codec for end, (codec, _) in _CODECS.items() if name.lower().endswith(end)), "")


def without_compression(name: str) -> str:
    """Remove the ending of a compression from a name: `a.csv.gz` becomes `a.csv`."""
    return name[: name.rindex(".")] if compression_of(name) else name


@contextmanager
def open_native(uri: str, path: str, codec: str = "") -> Iterator[pa.NativeFile]:
    """Open a local file to be read from its beginning, unpacked as its name's ending says.

    The stream is Arrow's own: over a Python file the threads of Arrow's readers wait for the interpreter's lock, which
    the thread that waits for them may hold.

    Args:
        uri: The file's name, for errors.
        path: Where it is on this machine.
        codec: Arrow's name of the codec, of a file whose name has no ending for it.

    Yields:
        A stream that reads the file's content, without seeking.

    Raises:
        RetrainerError: If the file is not compressed as its ending says, or the compressed data are damaged or end too
            early. It is also raised for what a reader of the stream met inside the `with`.
    """
    named = compression_of(path)
    if named:
        _check_magic(uri, path)
    codec = named or codec
    try:
        with pa.input_stream(path, compression=codec or None) as stream:
            yield stream
    except OSError as error:
        # The system's own errors have a number; what a codec found has none.
        if error.errno is not None or not codec:
            raise
        reason = str(error).splitlines()[0]
        if "truncated" in reason.lower():
            raise RetrainerError(
                f"'{uri}' is cut off: its {codec} data end too early. Upload the file again."
            ) from error
        raise RetrainerError(
            f"'{uri}' can't be unpacked: its {codec} data are damaged ({reason}). Upload the file again."
        ) from error


def _check_magic(uri: str, path: str) -> None:
    ending = path[path.rindex(".") :].lower()
    codec, magic = _CODECS[ending]
    with open(path, "rb") as file:
        start = file.read(len(magic))
    # An empty file is reported by its reader.
    if not magic.startswith(start):
        raise RetrainerError(
            f"'{uri}' is no {codec} file, though its name ends in {ending}. Rename it, or compress it."
        )
