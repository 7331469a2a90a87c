"""Ingesting one span into an immutable folder of the store, once."""

import errno
import json
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..lib.digests import digest_value
from ..lib.errors import RetrainerError
from ..lib.folders import publish_folder, scratch_folder
from ..lib.source_files import SourceSpan
from ..lib.source_rows.column_types import ColumnType, is_compatible
from ..lib.source_rows.downloads_ahead import DownloadsAhead
from ..lib.source_rows.parsed_files import files_ahead
from ..lib.source_rows.settings import IngestSettings
from ..lib.source_rows.sources.base import BadRow
from ..lib.source_rows.span_sources import check_unchanged, digest_content, opener_of
from ..lib.spans.span_discovery import read_fingerprints
from ..lib.spans.stored_spans import (
    SPAN_FILE,
    VERSION_DIGITS,
    SpanVersion,
    find_version,
    list_versions,
    now,
)
from ..lib.store import UNREADABLE_FILE, Store
from ..lib.uris import (
    exists,
    filesystem,
    join,
    read_text,
    write_atomic,
    write_json,
)
from .span_checks import check_bad_rows
from .span_writer import SpanFiles, declared_types, write_span_files

_FINGERPRINT_DIGITS = 32


@dataclass(frozen=True)
class IngestedSpan:
    """A span that is in the store now.

    Attributes:
        content: The version that its source has now.
        reused: Whether it was there before this run.
    """

    content: SpanVersion
    reused: bool

    @property
    def span(self) -> str:
        """The span's name."""
        return self.content.span

    @property
    def uri(self) -> str:
        """The version's folder."""
        return self.content.uri


def ingest_span(
    source: SourceSpan,
    store: str,
    settings: IngestSettings,
    schema_types: Mapping[str, ColumnType] | None = None,
) -> IngestedSpan:
    """Put one span into the store, unless this version of it is there.

    Args:
        source: The span's files.
        store: URI of the store.
        settings: How rows are read, cleaned and split.
        schema_types: Types that the schema declares; the others are inferred.

    Returns:
        The stored span.

    Raises:
        RetrainerError: If the span can't be used, or the store can't be written; nothing is stored then.
    """
    with _explain_storage_errors(source.name, store):
        stored = _ingest_span(source, store, settings, schema_types or {})
    # Another pipeline may have ingested the same rows of 2024/01/31 as those of 2024-01-31.
    return replace(stored, content=replace(stored.content, span=source.name))


def _ingest_span(
    source: SourceSpan, store: str, settings: IngestSettings, schema_types: Mapping[str, ColumnType]
) -> IngestedSpan:
    key = settings.read_key()
    digest = settings.digest(key)
    # Values in a path are text, unless the settings say otherwise: 07 stays 07.
    text = dict.fromkeys(_in_path(source), ColumnType.TEXT)
    declared = {**text, **declared_types(settings, schema_types)}
    place = Store(store)
    # The files' fingerprints lead to the version without reading the files.
    before = [[file.uri, file.fingerprint] for file in source.files]
    seen = place.seen_uri(source.name, digest_value([digest, before])[:_FINGERPRINT_DIGITS])
    # Without a time of change, only the content shows one.
    if all(file.dated for file in source.files) and exists(seen):
        known = find_version(place.version_uri(source.name, read_text(seen).strip()))
        if known and is_compatible(known.columns, declared):
            return _reuse(known, settings)

    fingerprints = read_fingerprints(source.files)
    digests: dict[str, str] = {}
    versions = [
        span_version
        for span_version in list_versions(store, source.name)
        if span_version.settings == digest
    ]
    # Only if there is something to compare with: a new span is hashed while it is read.
    if versions:
        content = digest_content(source, digests)
        for version in reversed(versions):
            if version.content == content and is_compatible(version.columns, declared):
                write_atomic(seen, version.version + "\n")
                return _reuse(version, settings)

    near = join(place.span_uri(source.name), "new")
    with scratch_folder(near) as folder:
        try:
            written = _write(source, settings, key, declared, folder, digests)
        except RetrainerError:
            # A file that is being written has faults of its own, which are not what to fix.
            check_unchanged(source, fingerprints)
            raise
        content = digest_content(source, digests)
        # Else the rows are not of the content that names the version.
        check_unchanged(source, fingerprints)
        name = digest_value([digest, content, written.columns])[:VERSION_DIGITS]
        uri = place.version_uri(source.name, name)
        reused = exists(join(uri, SPAN_FILE))
        if not reused:
            _write_record(folder, source, written, name, digest, content, versions)
            publish_folder(folder, uri, SPAN_FILE)
        write_atomic(seen, name + "\n")
    stored = find_version(uri)
    if stored is None:
        raise RetrainerError(
            f"span {source.name}: '{uri}' was removed right after it was stored. Run again when 'retrainer spans "
            "prune' is done."
        )
    return IngestedSpan(stored, reused)


@contextmanager
def _explain_storage_errors(span: str, store: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RetrainerError(
                f"span {span}: the disk is full (of the store '{store}', or of temporary files in "
                f"'{tempfile.gettempdir()}'). Free some space, for example with 'retrainer spans prune', and run "
                "again. Nothing half-written is left."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise RetrainerError(
                f"span {span}: access to '{error.filename}' is denied ({error.strerror}). Grant this account read "
                f"and write access to the store '{store}'."
            ) from error
        raise


def _reuse(version: SpanVersion, settings: IngestSettings) -> IngestedSpan:
    # It may have been ingested when more bad rows were allowed.
    check_bad_rows(version.span, version.counts, settings.max_bad_rows, _first_bad_row(version))
    return IngestedSpan(version, reused=True)


def _first_bad_row(version: SpanVersion) -> list[BadRow]:
    place = join(version.uri, UNREADABLE_FILE)
    if not version.counts["unreadable"] or not exists(place):
        return []
    fs, path = filesystem(place)
    with fs.open(path, "rb") as lines:
        row = json.loads(lines.readline())
    # Of spans that an earlier release ingested, it has no cell.
    return [BadRow(row["file"], row["row"], row["reason"], cell=row.get("cell", ""))]


def _in_path(source: SourceSpan) -> set[str]:
    return {name for file in source.files for name, _ in file.partitions}


def _write(
    source: SourceSpan,
    settings: IngestSettings,
    key: bytes,
    declared: Mapping[str, ColumnType],
    folder: Path,
    digests: MutableMapping[str, str],
) -> SpanFiles:
    with (
        tempfile.TemporaryDirectory(prefix="retrainer-") as scratch,
        DownloadsAhead(source.files, tempfile.mkdtemp(dir=scratch), digests) as ahead,
    ):
        options = settings.source_options
        openers = [
            (file.uri, opener_of(file, options, source.name, scratch, digests, ahead))
            for file in source.files
        ]
        return write_span_files(
            source.name,
            openers,
            settings,
            key,
            declared,
            folder,
            Path(scratch),
            _in_path(source),
            files_ahead(source.files),
        )


def _write_record(
    folder: Path,
    source: SourceSpan,
    written: SpanFiles,
    version: str,
    settings_digest: str,
    content: str,
    earlier: Sequence[SpanVersion],
) -> None:
    write_json(
        str(folder / SPAN_FILE),
        {
            "span": source.name,
            "version": version,
            "parts": written.parts,
            "counts": written.counts,
            "source_columns": written.source_columns,
            "columns": written.columns,
            "sources": [{"uri": file.uri, "bytes": file.size} for file in source.files],
            "ingested": now(),
            "settings": settings_digest,
            "content": content,
            "replaced": _replaced(source, content, earlier),
            "notes": written.notes,
        },
    )


def _replaced(source: SourceSpan, content: str, earlier: Sequence[SpanVersion]) -> str:
    # Another pipeline may keep a span of the same name in the same store; and other types are no change of the source.
    uris = {file.uri for file in source.files}
    same = [
        version.version
        for version in earlier
        if version.content != content and uris & {file["uri"] for file in version.sources}
    ]
    return same[-1] if same else ""
