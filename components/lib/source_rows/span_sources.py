"""The sources of a span: opened one by one, named by their content, and watched while they are read."""

import tempfile
from collections.abc import Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial

from ..bigquery.bigquery_tables import is_bigquery
from ..digests import digest_value
from ..errors import RetrainerError
from ..source_files import SourceFile, SourceSpan
from ..spans.span_discovery import read_fingerprints
from .download import access_error, digest_source, downloaded
from .downloads_ahead import FILES_AHEAD, DownloadsAhead
from .parsed_files import Opener
from .sources.base import Source, SourceOptions
from .sources.open_source import open_source
from .sources.partition_columns import PartitionedSource


def opener_of(
    file: SourceFile,
    options: SourceOptions,
    span: str,
    near: str,
    digests: MutableMapping[str, str],
    ahead: DownloadsAhead | None = None,
) -> Opener:
    """Return what opens a file or table of a span.

    Args:
        file: The file or table.
        options: How it is read.
        span: Name of its span.
        near: Folder for copies.
        digests: Digests by URI, to which the file's is added.
        ahead: Fetches the span's files before they are opened; None: each is fetched when it is opened.
    """
    if is_bigquery(file.uri):
        # Read twice, it gives what its table held at one moment.
        source = open_source(file, "", options, span, near)
        return lambda: nullcontext(source)
    return partial(_opened, file, options, span, near, digests, ahead)


def digest_content(source: SourceSpan, digests: MutableMapping[str, str]) -> str:
    """Name the content of a span.

    Args:
        source: The span.
        digests: Digests by URI, as far as they are known; the others are added.
    """
    unknown = [file for file in source.files if file.uri not in digests]
    with ThreadPoolExecutor(FILES_AHEAD) as pool:
        for file, digest in zip(unknown, pool.map(digest_source, unknown), strict=True):
            digests[file.uri] = digest
    return digest_value(
        [
            [digests[file.uri], *map(list, file.partitions)]
            if file.partitions
            else digests[file.uri]
            for file in source.files
        ]
    )


def check_unchanged(source: SourceSpan, fingerprints: Sequence[str]) -> None:
    """Check that a span is as it was before it was read.

    Args:
        source: The span.
        fingerprints: Those of its files before.

    Raises:
        RetrainerError: If a file has changed.
    """
    if read_fingerprints(source.files) != list(fingerprints):
        raise RetrainerError(
            f"span {source.name}: '{source.files[0].uri}' or another of its {len(source.files)} files changed "
            "while it was read. Run again when it is complete, or let its writer mark complete spans (data.marker)."
        )


@contextmanager
def _opened(
    file: SourceFile,
    options: SourceOptions,
    span: str,
    near: str,
    digests: MutableMapping[str, str],
    ahead: DownloadsAhead | None,
) -> Iterator[Source]:
    with (
        tempfile.TemporaryDirectory(dir=near) as scratch,
        ahead.opened(file) if ahead else downloaded(file, scratch, digests) as path,
    ):
        opened = _open(file, path, options, span, scratch)
        yield PartitionedSource(opened, file, options.exclude) if file.partitions else opened


def _open(file: SourceFile, path: str, options: SourceOptions, span: str, scratch: str) -> Source:
    try:
        return open_source(file, path, options, span, scratch)
    except (FileNotFoundError, PermissionError) as error:
        raise access_error(file.uri, error) from error
