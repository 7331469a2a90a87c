"""Copying a model's files, and hashing them at the same time."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from ..digests import digest_file
from ..uris import filesystem

# A bucket answers many requests at once; a disk is no faster for it.
_UPLOADS, _COPIES = 16, 2


@dataclass(frozen=True)
class CopiedModel:
    """A model that was copied.

    Attributes:
        digest: SHA-256 of its content, as `digest_folder` computes it.
        files: Number of its files.
        bytes: Their size.
    """

    digest: str
    files: int
    bytes: int


def copy_model(folder: str, uri: str) -> CopiedModel:
    """Copy a local folder to a URI, and hash it meanwhile: neither waits for the other.

    Args:
        folder: The model.
        uri: Where to.
    """
    root = Path(folder)
    files = sorted(file for file in root.rglob("*") if file.is_file())
    names = [file.relative_to(root).as_posix() for file in files]
    with ThreadPoolExecutor(1) as hasher:
        # The largest first: copying ends when the last file is copied, whichever that is.
        digests = hasher.submit(lambda: [digest_file(file) for file in files])
        _copy(sorted(files, key=lambda file: -file.stat().st_size), root, uri)
        digest = hashlib.sha256()
        for name, one in zip(names, digests.result(), strict=True):
            digest.update(name.encode() + b"\0" + one.encode() + b"\n")
    return CopiedModel(digest.hexdigest(), len(files), sum(file.stat().st_size for file in files))


def remove_model(uri: str) -> None:
    """Remove a folder and all files in it."""
    fs, path = filesystem(uri)
    if isinstance(fs, LocalFileSystem):
        shutil.rmtree(path, ignore_errors=True)
        return
    for name in fs.find(path):
        with suppress(FileNotFoundError):
            fs.rm_file(name)


def _copy(files: Sequence[Path], root: Path, uri: str) -> None:
    fs, path = filesystem(uri)
    local = isinstance(fs, LocalFileSystem)
    if local:
        for folder in {file.parent for file in files}:
            os.makedirs(os.path.join(path, folder.relative_to(root)), exist_ok=True)

    def put(file: Path) -> None:
        target = f"{path}/{file.relative_to(root).as_posix()}"
        if local:
            _copy_file(file, target)
        else:
            fs.put_file(str(file), target)

    with ThreadPoolExecutor(_COPIES if local else _UPLOADS) as pool:
        waiting = [pool.submit(put, file) for file in files]
        try:
            for one in waiting:
                one.result()
        except BaseException:
            # Without it, the files that wait would still be copied.
            pool.shutdown(cancel_futures=True)
            raise


def _copy_file(source: Path, target: str) -> None:
    """Copy a file without moving its bytes through this process, where the kernel can.

    Btrfs and XFS then share its blocks until one of both is written, and NFS 4.2 copies on its server
    (man7.org/linux/man-pages/man2/copy_file_range.2.html).
    """
    try:
        with open(source, "rb") as read, open(target, "wb") as written:
            left = os.fstat(read.fileno()).st_size
            while left:
                copied = os.copy_file_range(read.fileno(), written.fileno(), left)
                if not copied:
                    break
                left -= copied
    except (AttributeError, OSError):
        left = 1
    # Between file systems, or on one that has no such call.
    if left:
        shutil.copyfile(source, target)
