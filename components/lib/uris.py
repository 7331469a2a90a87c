"""Reading and writing at any fsspec URI so that a reader never sees half of anything."""

import errno
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from .errors import RetrainerError, StorageError
from .network import file_system_options, prepare
from .remote_filesystem import RemoteFileSystem

# Names of what is not whole: written aside, written in a scratch folder, or about to be deleted.
ASIDE, WRITING, REMOVED = ".tmp", ".writing-", ".removed-"

# What link gives where there are no hard links: EPERM by link(2) and by gcsfuse (seen with 3.2.8), the others by
# further FUSE file systems and network shares.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
# What gcsfuse gives where a folder is renamed (docs/semantics.md, "Missing features"; seen with 3.2.8).
_NO_FOLDER_RENAMED = errno.EMFILE

# Buckets that were seen to refuse a file that is there.
_REFUSE_TO_OVERWRITE: set[str] = set()


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
            f"can't open '{uri}': {error}. Give a local path, or install the package that serves it "
            "(pip install 'retrainer[gcs]' for gs://, 'retrainer[s3]' for s3://)."
        ) from error
    return fs if isinstance(fs, LocalFileSystem) else cast(
        AbstractFileSystem, RemoteFileSystem(fs)
    ), path


def is_local(uri: str) -> bool:
    """Tell whether a URI is a path on this machine."""
    # Opening a bucket's file system would look for credentials, for many seconds where there are none.
    return fsspec.core.split_protocol(uri)[0] in (None, "file", "local")


def join(uri: str, *parts: str) -> str:
    """Join path parts onto a URI with single slashes."""
    return "/".join([uri.rstrip("/"), *(part.strip("/") for part in parts)])


def exists(uri: str) -> bool:
    """Tell whether a file or folder exists at a URI."""
    fs, path = filesystem(uri)
    return fs.exists(path)


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
            raise _is_no_store(path, "has no hard links", error) from error
    return True


def _is_no_store(path: str, fault: str, error: OSError) -> RetrainerError:
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
        _REFUSE_TO_OVERWRITE.add(place)
    elif place not in _REFUSE_TO_OVERWRITE:
        # The same content once more does no harm where it is written. An outage leaves it open until next time.
        with suppress(StorageError):
            if _try_to_create(fs, path, place, content):
                raise _overwrites(place)
            _REFUSE_TO_OVERWRITE.add(place)
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
        f"'{place}' can't be the store: a file that is there already is overwritten where it should be refused, so two "
        "runs at once would undo each other's work. Use a local folder, gs:// or s3:// (with gcsfs or s3fs 2024.12 or "
        "later, and a service that honours If-None-Match)."
    )


def remove(uri: str) -> None:
    """Remove a file; one that is gone already is no error."""
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
        if error.errno != errno.EROFS:
            raise
        # A volume that is mounted to be read only, which Python takes for no matter of permission.
        raise PermissionError(error.errno, os.strerror(error.errno), path) from error
    finally:
        if os.path.exists(aside):
            os.unlink(aside)


def publish_folder(folder: str | os.PathLike[str], uri: str, marker: str) -> bool:
    """Put a local folder at a URI, whole or not at all.

    Args:
        folder: The local folder; it is moved where that is possible, else copied.
        uri: Where to. On a local disk the folder appears in one rename. On an object store the file named by
            `marker` is uploaded last.
        marker: Name of the file in `folder` whose presence says that the rest is there too.

    Returns:
        True if this call put it there, False if a whole one was there already (which is then kept).

    Raises:
        RetrainerError: If the file system can't rename folders.
    """
    fs, path = filesystem(uri)
    if fs.exists(f"{path}/{marker}"):
        return False
    source = Path(folder)
    if not isinstance(fs, LocalFileSystem):
        files = sorted(file for file in source.rglob("*") if file.is_file())
        for file in sorted(files, key=lambda file: file == source / marker):
            fs.put_file(str(file), f"{path}/{file.relative_to(source).as_posix()}")
        return True
    os.makedirs(os.path.dirname(path), exist_ok=True)
    aside = f"{path}.{uuid.uuid4().hex}{ASIDE}"
    try:
        try:
            os.rename(source, aside)
        except OSError:
            shutil.copytree(source, aside)
        try:
            os.rename(aside, path)
        except OSError as error:
            if error.errno == _NO_FOLDER_RENAMED:
                raise _is_no_store(path, "can't rename a folder", error) from error
            if os.path.exists(os.path.join(path, marker)):
                return False
            # What somebody wrote into a folder that was being removed, such as statistics of it.
            if not _remove_half(path, marker):
                return False
            os.rename(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return True


def _remove_half(path: str, marker: str) -> bool:
    """Remove a local folder without its marker; tells whether it was one, since it may have become whole meanwhile."""
    folder, name = os.path.split(path)
    half = os.path.join(folder, f"{REMOVED}{name}-{uuid.uuid4().hex}")
    os.rename(path, half)
    if os.path.exists(os.path.join(half, marker)):
        os.rename(half, path)
        return False
    shutil.rmtree(half, ignore_errors=True)
    return True


def remove_folder(uri: str, marker: str) -> None:
    """Remove a folder that `publish_folder` put there, so that a reader never takes what is left for a whole one.

    Args:
        uri: The folder. On a local disk it goes out of sight in one rename, to a name beside it that starts with
            `REMOVED`, and is then deleted. On an object store `marker` is deleted first.
        marker: Name of the file whose presence says that the rest is there too.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    fs, path = filesystem(uri)
    if not isinstance(fs, LocalFileSystem):
        fs.rm_file(f"{path}/{marker}")
        for name in fs.find(path):
            fs.rm_file(name)
        return
    folder, name = os.path.split(path)
    aside = os.path.join(folder, f"{REMOVED}{name}-{uuid.uuid4().hex}")
    os.rename(path, aside)
    shutil.rmtree(aside)


def remove_leftovers(uri: str, seconds: float) -> int:
    """Delete what killed processes left in a local folder: half a write, half a removal.

    Args:
        uri: The folder; on an object store nothing is left aside, and nothing is done.
        seconds: The least age of a write, in seconds since it last gained a file; a younger one may go on.

    Returns:
        How many were deleted.
    """
    path = filesystem(uri)[1]
    if not is_local(uri) or not os.path.isdir(path):
        return 0
    count = 0
    for entry in os.scandir(path):
        # Whoever writes or removes it may be done with it meanwhile.
        with suppress(FileNotFoundError):
            half_written = entry.name.startswith(WRITING) or entry.name.endswith(ASIDE)
            old = time.time() - entry.stat().st_mtime > seconds
            if entry.name.startswith(REMOVED) or (half_written and old):
                if entry.is_dir():
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
                count += 1
    return count


def remove_old_folder(uri: str, seconds: float) -> bool:
    """Delete a folder unless somebody may still be writing it.

    Args:
        uri: The folder.
        seconds: The least age of its newest file, in seconds.

    Returns:
        Whether it was deleted.
    """
    fs, path = filesystem(uri)
    files = fs.find(path)
    try:
        ages = [(datetime.now(UTC) - fs.modified(file)).total_seconds() for file in files]
    except FileNotFoundError:
        # Somebody is at it.
        return False
    if any(age <= seconds for age in ages):
        return False
    for file in files:
        with suppress(FileNotFoundError):
            fs.rm_file(file)
    if isinstance(fs, LocalFileSystem):
        # Nothing that was not looked at: somebody may have put a whole one here by now.
        for folder, _, _ in os.walk(path, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)
    return True


@contextmanager
def scratch_folder(near: str) -> Iterator[Path]:
    """Make a temporary folder that can be moved to a URI, and remove it afterwards.

    Args:
        near: The URI that the content will be published to. A local one gets its scratch folder on the same
            disk, so that publishing is a rename.

    Yields:
        The local folder.
    """
    parent = None
    if is_local(near):
        parent = os.path.dirname(filesystem(near)[1])
        os.makedirs(parent, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=WRITING, dir=parent))
    # mkdtemp's 0700 would travel with the folder to readers under other accounts.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def local_folder(uri: str) -> Iterator[str]:
    """Give a local path to a folder at any URI: itself if it is local, else a copy for the while.

    Args:
        uri: The folder.

    Yields:
        A local path.

    Raises:
        RetrainerError: If there is no such folder.
    """
    fs, path = filesystem(uri)
    if not fs.exists(path):
        raise RetrainerError(
            f"there is no folder at '{uri}'. Was it deleted, or written by another store?"
        )
    if isinstance(fs, LocalFileSystem):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="retrainer-") as copy:
        for source in fs.find(path):
            relative = source[len(path) :].lstrip("/")
            if not relative or relative.endswith("/"):
                continue
            target = os.path.join(copy, relative)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            fs.get_file(source, target)
        yield copy
