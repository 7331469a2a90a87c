"""A Beam filesystem for every URI that fsspec opens: `s3://bucket/x` is `fsspec://s3/bucket/x`.

Beam's own filesystem of Amazon S3 wants boto3 and options of its own, and TensorFlow has none of S3. Workers read spans
by fsspec, with its credentials, so what Beam's sinks write goes the same way.

A worker must have imported this module. Beam's option `beam_plugins` does that where workers are given the pipeline's
options, which those of a worker pool are not (apache_beam/runners/worker/worker_pool_main.py, 2.72). So a sink's path
is an object of this module, too: `sinks_shared`.
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystem import (
    BeamIOError,
    CompressedFile,
    CompressionTypes,
    FileMetadata,
    FileSystem,
)
from apache_beam.options.value_provider import StaticValueProvider

from ..uris import filesystem, is_local, join

_SCHEME = "fsspec"
_START = f"{_SCHEME}://"
# By these TFT and TFMA write.
_SINKS = ("WriteToText", "WriteToTFRecord")


def beam_path(uri: str) -> str:
    """Name a URI as Beam's sinks take it; a local path stays as it is."""
    if is_local(uri):
        return uri
    protocol, _, path = uri.partition("://")
    return f"{_START}{protocol}/{path}"


def plain_uri(path: str) -> str:
    """Return the URI behind what `beam_path` returned."""
    if not path.startswith(_START):
        return path
    protocol, _, rest = path.removeprefix(_START).partition("/")
    return f"{protocol}://{rest}"


class _SinkPath(StaticValueProvider):
    """A path that imports this module where it is unpickled."""


@contextmanager
def sinks_shared() -> Iterator[None]:
    """Let sinks of Beam that are made meanwhile write to what `beam_path` returns, whichever worker runs them."""
    with ExitStack() as sinks:
        for name in _SINKS:
            sinks.enter_context(replaced(beam.io, name, _with_path(getattr(beam.io, name))))
        yield


def _with_path(sink: Any) -> Any:
    @functools.wraps(sink)
    def make(file_path_prefix: str, *arguments: Any, **named: Any) -> Any:
        return sink(_SinkPath(str, file_path_prefix), *arguments, **named)

    return make


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give an attribute of a module or class another value for as long as the block runs."""
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


class FsspecFileSystem(FileSystem):
    """Objects of any filesystem of fsspec, as Beam's sinks write them."""

    @classmethod
    def scheme(cls) -> str:
        """Return the scheme of paths that are this filesystem's."""
        return _SCHEME

    def join(self, basepath: str, *paths: str) -> str:
        """Join parts onto a path."""
        return join(basepath, *paths)

    def split(self, path: str) -> tuple[str, str]:
        """Split a path into its folder and its last part."""
        folder, _, name = path.rstrip("/").rpartition("/")
        return folder, name

    def mkdirs(self, path: str) -> None:
        """Do nothing: folders of an object store are there with their first object."""

    def has_dirs(self) -> bool:
        """Report that there are no folders but by their objects."""
        return False

    def create(
        self,
        path: str,
        mime_type: str = "application/octet-stream",
        compression_type: str = CompressionTypes.AUTO,
    ) -> Any:
        """Open a file for writing."""
        return self._open(path, "wb", compression_type)

    def open(
        self,
        path: str,
        mime_type: str = "application/octet-stream",
        compression_type: str = CompressionTypes.AUTO,
    ) -> Any:
        """Open a file for reading."""
        return self._open(path, "rb", compression_type)

    def copy(self, source_file_names: Sequence[str], destination_file_names: Sequence[str]) -> None:
        """Copy files, one by one."""
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            fs, path = filesystem(plain_uri(source))
            fs.copy(path, filesystem(plain_uri(target))[1])

    def rename(
        self, source_file_names: Sequence[str], destination_file_names: Sequence[str]
    ) -> None:
        """Move files, one by one. What an earlier attempt has moved already is passed over."""
        failed: dict[tuple[str, str], Exception] = {}
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            fs, path = filesystem(plain_uri(source))
            try:
                fs.mv(path, filesystem(plain_uri(target))[1])
            except OSError as error:
                failed[source, target] = error
        if failed:
            raise BeamIOError("Rename operation failed", failed)

    def exists(self, path: str) -> bool:
        """Report whether there is a file or folder."""
        fs, inside = filesystem(plain_uri(path))
        return bool(fs.exists(inside))

    def size(self, path: str) -> int:
        """Return the bytes of a file."""
        return int(self.metadata(path).size_in_bytes)

    def last_updated(self, path: str) -> float:
        """Return when a file was written, in seconds since 1970."""
        return float(self.metadata(path).last_updated_in_seconds)

    def checksum(self, path: str) -> str:
        """Return what identifies a file's content here: its size, as Beam's local filesystem does."""
        return str(self.size(path))

    def metadata(self, path: str) -> FileMetadata:
        """Return size and time of a file."""
        fs, inside = filesystem(plain_uri(path))
        try:
            return FileMetadata(path, fs.size(inside), fs.modified(inside).timestamp())
        except OSError as error:
            raise BeamIOError("Metadata operation failed", {path: error}) from error

    def delete(self, paths: Sequence[str]) -> None:
        """Delete files and folders; a missing one is no error."""
        for path in paths:
            fs, inside = filesystem(plain_uri(path))
            if fs.exists(inside):
                fs.rm(inside, recursive=True)

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        fs, inside = filesystem(plain_uri(dir_or_prefix))
        # A prefix may end within a name.
        folder = inside if dir_or_prefix.endswith("/") else inside.rpartition("/")[0]
        start = f"{plain_uri(dir_or_prefix).partition('://')[0]}://"
        for name, found in sorted(fs.find(folder, detail=True).items()):
            if name.startswith(inside):
                yield FileMetadata(beam_path(f"{start}{name.lstrip('/')}"), found["size"])

    def _open(self, path: str, mode: str, compression_type: str) -> Any:
        kind = FileSystem._get_compression_type(path, compression_type)
        fs, inside = filesystem(plain_uri(path))
        file = fs.open(inside, mode)
        if kind == CompressionTypes.UNCOMPRESSED:
            return file
        # CompressedFile asks for it, and not every filesystem's files have it.
        file.mode = mode
        return CompressedFile(file, compression_type=kind)
