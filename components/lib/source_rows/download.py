"""Downloading and hashing source files: readers with threads of their own need local files."""

import os
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256

from ..bigquery.bigquery_tables import is_bigquery
from ..digests import digest_file
from ..errors import RetrainerError, StorageError
from ..source_files import SourceFile
from ..uris import filesystem, is_local

_CHUNK_BYTES = 4 << 20


def digest_source(file: SourceFile) -> str:
    """Name a file's content.

    Args:
        file: A file, which is read and hashed; or a table, for which its fingerprint stands.

    Returns:
        A text that changes with the content.

    Raises:
        RetrainerError: If the file is missing, or access is denied.
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
        raise access_error(file.uri, error) from error


def access_error(uri: str, error: OSError) -> RetrainerError:
    """Describe why a file that was listed can't be opened.

    Args:
        uri: The file.
        error: The file system's error.
    """
    if isinstance(error, StorageError):
        return RetrainerError(str(error))
    missing = isinstance(error, FileNotFoundError)
    return RetrainerError(
        f"'{uri}' was removed after it was listed. Run again when the span is complete, or let its writer mark "
        "complete spans (data.marker)."
        if missing
        else f"access to '{uri}' is denied ({error.strerror or error}). Grant this account read access to the source's "
        "files."
    )


@contextmanager
def downloaded(file: SourceFile, scratch: str, digests: MutableMapping[str, str]) -> Iterator[str]:
    """Open a file anywhere as a path on this machine.

    Args:
        file: The file.
        scratch: Folder for a copy, which is removed afterwards.
        digests: Digests by URI, as `digest_source` returns them; the file's is added unless it is there.

    Yields:
        The file's own path if it is local, else that of a copy of the same name; empty for a table.

    Raises:
        RetrainerError: If the file is missing, or access is denied.
    """
    if is_bigquery(file.uri):
        yield ""
        return
    if is_local(file.uri):
        with _digested_beside(file, digests):
            yield filesystem(file.uri)[1]
        return
    copy = download(file, scratch, digests)
    try:
        yield copy
    finally:
        os.unlink(copy)


def download(file: SourceFile, folder: str, digests: MutableMapping[str, str]) -> str:
    """Copy a file from elsewhere to this machine.

    Args:
        file: The file.
        folder: Folder for the copy.
        digests: Digests by URI, to which the file's is added.

    Returns:
        The copy's path; its name is that of the file.

    Raises:
        RetrainerError: If the file is missing, or access is denied.
    """
    fs, path = filesystem(file.uri)
    copy = os.path.join(folder, os.path.basename(path))
    try:
        fs.get_file(path, copy)
    except (FileNotFoundError, PermissionError) as error:
        raise access_error(file.uri, error) from error
    digests[file.uri] = digest_file(copy)
    return copy


@contextmanager
def _digested_beside(file: SourceFile, digests: MutableMapping[str, str]) -> Iterator[None]:
    if file.uri in digests:
        yield
        return
    # Hashing releases the interpreter's lock, so it costs the reader no time.
    with ThreadPoolExecutor(max_workers=1) as pool:
        digest = pool.submit(digest_source, file)
        yield
        digests[file.uri] = digest.result()
