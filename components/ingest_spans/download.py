"""Bringing source files to this machine, where the readers' own threads can read them, and hashing them."""

import os
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256

from ..lib.bigquery_tables import is_bigquery
from ..lib.digests import digest_file
from ..lib.errors import RetrainerError, StorageError
from ..lib.source_files import SourceFile
from ..lib.uris import filesystem, is_local

_CHUNK_BYTES = 4 << 20


def digest_source(file: SourceFile) -> str:
    """Name a file's content.

    Args:
        file: A file, which is read and hashed; or a table, which is told by its fingerprint.

    Returns:
        A text that changes with the content.

    Raises:
        RetrainerError: If the file is gone, or this account may not read it.
    """
    if is_bigquery(file.uri):
        return f"{file.uri} {file.fingerprint}"
    fs, path = filesystem(file.uri)
    try:
        if is_local(file.uri):
            return digest_file(path)
        digest = sha256()
        with fs.open(path, "rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()
    except (FileNotFoundError, PermissionError) as error:
        raise refused(file.uri, error) from error


def refused(uri: str, error: OSError) -> RetrainerError:
    """Make the error of a file that was found and can't be opened.

    Args:
        uri: The file.
        error: What its file system says.
    """
    if isinstance(error, StorageError):
        return RetrainerError(str(error))
    gone = isinstance(error, FileNotFoundError)
    return RetrainerError(
        f"'{uri}' was there and is gone. Run again when the span is complete, or have its writer say so (data.marker)."
        if gone
        else f"'{uri}' may not be read by this account ({error.strerror or error}). Let it read the source's files."
    )


@contextmanager
def fetched(file: SourceFile, scratch: str, digests: MutableMapping[str, str]) -> Iterator[str]:
    """Give a path on this machine to a file anywhere.

    Args:
        file: The file.
        scratch: Folder for a copy, which is removed afterwards.
        digests: Gets what `digest_source` would give of a file, by its URI, unless it is there.

    Yields:
        The file's own path if it is local, else that of a copy with the same name; empty for a table.

    Raises:
        RetrainerError: If the file is gone, or this account may not read it.
    """
    if is_bigquery(file.uri):
        yield ""
        return
    fs, path = filesystem(file.uri)
    if is_local(file.uri):
        with _digested_beside(file, digests):
            yield path
        return
    copy = os.path.join(scratch, os.path.basename(path))
    try:
        fs.get_file(path, copy)
    except (FileNotFoundError, PermissionError) as error:
        raise refused(file.uri, error) from error
    digests[file.uri] = digest_file(copy)
    try:
        yield copy
    finally:
        os.unlink(copy)


@contextmanager
def _digested_beside(file: SourceFile, digests: MutableMapping[str, str]) -> Iterator[None]:
    if file.uri in digests:
        yield
        return
    # Hashing lets go of the interpreter, so it costs the reader no time.
    with ThreadPoolExecutor(max_workers=1) as pool:
        digest = pool.submit(digest_source, file)
        yield
        digests[file.uri] = digest.result()
