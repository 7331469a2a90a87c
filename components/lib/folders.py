"""Folders at any fsspec URI, published whole or not at all, and removed so that nobody takes the rest for whole."""

import errno
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from .errors import RetrainerError
from .uris import ASIDE, filesystem, is_local, list_names, unfit_for_store

WRITING, REMOVED = ".writing-", ".removed-"
"""Prefixes of a scratch folder, and of a folder that is being deleted."""
# What gcsfuse gives where a folder is renamed (docs/semantics.md, "Missing features"; seen with 3.2.8).
_NO_FOLDER_RENAMED = errno.EMFILE


def list_folders(uri: str) -> list[str]:
    """List the names in a folder, without what is being written there; none if it does not exist."""
    names = list_names(uri)
    return [name for name in names if not name.startswith(".") and not name.endswith(ASIDE)]


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
                raise unfit_for_store(path, "can't rename a folder", error) from error
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
    """Remove a local folder without its marker; return False if it has become whole meanwhile."""
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
        # Another process removes it.
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
    """Open a folder at any URI as a local path: itself if it is local, else a temporary copy.

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
