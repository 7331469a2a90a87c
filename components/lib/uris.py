"""Reading, writing and listing files at any fsspec URI: a reader never sees half a file."""

import errno
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from .errors import RetrainerError, StorageError
from .network import file_system_options, prepare
from .remote_filesystem import RemoteFileSystem

ASIDE = ".tmp"
"""Suffix of a file or folder that is still being written."""

# What link gives where there are no hard links: EPERM by link(2) and by gcsfuse (seen with 3.2.8), the others by
# further FUSE file systems and network shares.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)

# Buckets that create a file only if it is not there, as was tried.
_CREATE_EXCLUSIVELY: set[str] = set()


def filesystem(uri: str) -> tuple[AbstractFileSystem, str]:
    """Open the file system behind a URI.

    Args:
        uri: A local path, or any URI that fsspec knows (`gs://bucket/x`, `s3://bucket/x`).

    Returns:
        The file system, and the path within it. Methods of one on another machine raise `StorageError` where access to
        it fails.

    Raises:
        RetrainerError: If the protocol is unknown or its package is not installed.
    """
    options: dict[str, Any] = {}
    if not is_local(uri):
        prepare()
        protocol = uri.partition("://")[0]
        options = file_system_options(protocol, fsspec.config.conf.get(protocol, {}))
    try:
        # Others write there, too: a listing that was remembered would hide it.
        fs, path = fsspec.core.url_to_fs(uri, use_listings_cache=False, **options)
    except (ValueError, ImportError) as error:
        raise RetrainerError(
            f"can't open '{uri}': {error}. Use a local path, or install the package that serves it "
            "(pip install 'retrainer[gcs]' for gs://, 'retrainer[s3]' for s3://)."
        ) from error
    return fs if isinstance(fs, LocalFileSystem) else cast(
        AbstractFileSystem, RemoteFileSystem(fs)
    ), path


def is_local(uri: str) -> bool:
    """Check whether a URI is a path on this machine."""
    # Opening a bucket's file system would look for credentials, for many seconds where there are none.
    return fsspec.core.split_protocol(uri)[0] in (None, "file", "local")


def join(uri: str, *parts: str) -> str:
    """Join path parts onto a URI with single slashes."""
    return "/".join([uri.rstrip("/"), *(part.strip("/") for part in parts)])


def exists(uri: str) -> bool:
    """Check whether a file or folder exists at a URI."""
    fs, path = filesystem(uri)
    return fs.exists(path)


def list_names(uri: str) -> list[str]:
    """List the names of the files and folders in a folder, in order; none if it does not exist."""
    fs, path = filesystem(uri)
    # Other processes write here, too: a file system that remembers listings in spite of `filesystem` must not.
    fs.invalidate_cache(path)
    try:
        paths = [found.rstrip("/") for found in fs.ls(path, detail=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    # Consoles of buckets make an object that stands for the folder itself.
    return sorted(found.rpartition("/")[2] for found in paths if found != path.rstrip("/"))


def read_bytes(uri: str) -> bytes:
    """Read a whole file.

    Raises:
        FileNotFoundError: If there is none.
    """
    fs, path = filesystem(uri)
    return fs.cat_file(path)


def read_range(uri: str, start: int, end: int) -> bytes:
    """Read a part of a file.

    Args:
        uri: The file.
        start: Its first byte.
        end: The byte after its last one; a file that ends before gives what it has.

    Raises:
        FileNotFoundError: If there is none.
    """
    fs, path = filesystem(uri)
    return fs.cat_file(path, start=start, end=end)


def read_text(uri: str) -> str:
    """Read a whole file as UTF-8 text.

    Raises:
        FileNotFoundError: If there is none.
    """
    return read_bytes(uri).decode()


def read_json(
    uri: str, fix: str = "Restore it from a copy, or delete it to have it made again."
) -> Any:
    """Read a whole file as JSON.

    Args:
        uri: The file.
        fix: What to do if it is damaged, one sentence.

    Raises:
        FileNotFoundError: If there is none.
        RetrainerError: If it is not JSON.
    """
    try:
        return json.loads(read_text(uri))
    except ValueError as error:
        raise RetrainerError(
            f"'{uri}' is not the JSON that retrainer wrote there: {error}. {fix}"
        ) from error


def write_atomic(uri: str, data: bytes | str, durable: bool = True) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Args:
        uri: Where to; missing folders are made.
        data: The whole content; text is written as UTF-8.
        durable: Whether to wait until a local disk holds it, so that a power failure can't tear it. Not waiting is
            for what its reader checks and can make again.

    Raises:
        PermissionError: If this account may not write there, or nobody may.
        OSError: If the disk is full or refuses. In each case what stood at `uri` still stands.
    """
    content = data.encode() if isinstance(data, str) else data
    fs, path = filesystem(uri)
    if not isinstance(fs, LocalFileSystem):
        # An object appears whole when its upload ends.
        fs.pipe_file(path, content)
        return
    with _written_aside(path, content, durable) as aside:
        os.replace(aside, path)


def write_json(uri: str, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_atomic(uri, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def create_exclusive(uri: str, data: bytes | str) -> bool:
    """Create a file with its content unless one is there already.

    Of several callers at once exactly one succeeds: on a local disk, and on the file systems of fsspec that honour
    `mode="create"`. Whether another one does is tried once for each bucket and process.

    Args:
        uri: Where to; missing folders are made.
        data: The whole content.

    Returns:
        True if this call made the file, False if it was there.

    Raises:
        RetrainerError: If the file system overwrites files that it should create, or has no hard links.
    """
    content = data.encode() if isinstance(data, str) else data
    fs, path = filesystem(uri)
    if not isinstance(fs, LocalFileSystem):
        return _create_remote(fs, path, uri, content)
    with _written_aside(path, content) as aside:
        try:
            # A link is made whole or not at all, which opening with O_EXCL and then writing is not.
            os.link(aside, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            raise unfit_for_store(path, "has no hard links", error) from error
    return True


def unfit_for_store(path: str, fault: str, error: OSError) -> RetrainerError:
    """Describe a file system that can't hold the store.

    Args:
        path: The file or folder that could not be written there.
        fault: What the file system can't do, such as `has no hard links`.
        error: The file system's own error.
    """
    return RetrainerError(
        f"'{os.path.dirname(path)}' can't be in the store: its file system {fault} ({error.strerror}), as where a "
        "bucket is mounted as a folder. Set store to the bucket's own URI (gs://... or s3://...), or to a folder on a "
        "disk."
    )


def _create_remote(fs: AbstractFileSystem, path: str, uri: str, content: bytes) -> bool:
    protocol, name = fsspec.core.split_protocol(uri)
    place = f"{protocol}://{name.lstrip('/').partition('/')[0]}"
    made = _try_to_create(fs, path, place, content)
    if not made:
        _CREATE_EXCLUSIVELY.add(place)
    elif place not in _CREATE_EXCLUSIVELY:
        # The same content once more does no harm where it is written. An outage leaves it open until next time.
        with suppress(StorageError):
            if _try_to_create(fs, path, place, content):
                raise _overwrites(place)
            _CREATE_EXCLUSIVELY.add(place)
    return made


def _try_to_create(fs: AbstractFileSystem, path: str, place: str, content: bytes) -> bool:
    try:
        fs.pipe_file(path, content, mode="create")
    except FileExistsError:
        return False
    except TypeError as error:
        # gcsfs before 2024.12 takes no mode.
        raise _overwrites(place) from error
    return True


def _overwrites(place: str) -> RetrainerError:
    return RetrainerError(
        f"'{place}' can't be the store: an existing file is overwritten where creating it should fail, so two "
        "runs at once would undo each other's work. Use a local folder, gs:// or s3:// (with gcsfs or s3fs 2024.12 or "
        "later, and a service that honours If-None-Match)."
    )


def remove(uri: str) -> None:
    """Remove a file; a missing one is no error."""
    fs, path = filesystem(uri)
    with suppress(FileNotFoundError):
        fs.rm_file(path)


@contextmanager
def _written_aside(path: str, content: bytes, durable: bool = True) -> Iterator[str]:
    aside = f"{path}.{uuid.uuid4().hex}{ASIDE}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(aside, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        yield aside
    except OSError as error:
        # Of a full disk Python does not say which file it was, and the name aside is nobody's.
        if error.filename in (None, aside):
            error.filename = path
        if error.errno != errno.EROFS:
            raise
        # A volume that is mounted to be read only, which Python takes for no matter of permission.
        raise PermissionError(error.errno, os.strerror(error.errno), path) from error
    finally:
        if os.path.exists(aside):
            os.unlink(aside)
