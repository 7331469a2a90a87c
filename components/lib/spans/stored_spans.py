"""Spans in the store: which versions of each there are, and what is known of them.

A version is a folder whose rows never change, named by the digest of its sources' content and of the settings that
made rows of them. It is there when its `span.json` is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..errors import RetrainerError
from ..folders import remove_folder, remove_leftovers, remove_old_folder
from ..record_fields import known_fields
from ..store import Store
from ..uris import exists, filesystem, join, list_names, read_json

SPAN_FILE = "span.json"
VERSION_DIGITS = 16
# No ingestion of a span takes a day.
LEFTOVER_SECONDS = 24 * 3600
# What is being written, or was when its process died, has names of its own beside the versions.
_VERSION = re.compile(rf"[0-9a-f]{{{VERSION_DIGITS}}}")


@dataclass(frozen=True)
class SpanVersion:
    """One ingested version of a span.

    Attributes:
        span: The span's name.
        version: The version's name.
        uri: Its folder in the store.
        parts: Rows and files of each part.
        counts: Rows read, kept, unlabelled, unweighted, unreadable, duplicate.
        source_columns: The columns that its source had.
        columns: Its columns with their Arrow types.
        sources: URI and size in bytes of each source file.
        ingested: When, in ISO 8601, UTC; empty if it was not noted.
        settings: Digest of the settings that made rows of the sources; empty if it was not noted.
        content: Digest of the sources' content; empty if it was not noted.
        replaced: The version that was the newest with the same settings before; empty if there was none.
        notes: Decisions about single columns: each with `column`, `kind`, `rows` (how many cells),
            `examples` (the first of them) and `reason`. `kind` is one of `codes` (text, since cells such as 0700 are no
            plain numbers), `codes_as_numbers` (numbers, since the schema or the settings say so), `versions` (text,
            since 3.9 and 3.10 look like versions), `long` (text, since a number would lose digits), `missing_words`
            (words such as NA in a column of text were taken for missing cells) and `near_miss` (computed by comparing
            cells with a text that none is, but for white space or capitals).
    """

    span: str
    version: str
    uri: str
    parts: dict[str, dict[str, Any]]
    counts: dict[str, int]
    source_columns: list[str]
    columns: dict[str, str] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    ingested: str = ""
    settings: str = ""
    content: str = ""
    replaced: str = ""
    notes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows it keeps."""
        return sum(part["rows"] for part in self.parts.values())

    @property
    def quarantined(self) -> dict[str, int]:
        """How many rows were quarantined, by reason; reasons without rows are left out."""
        reasons = ("unlabelled", "unweighted", "unreadable", "duplicate")
        return {reason: self.counts[reason] for reason in reasons if self.counts.get(reason)}


def read_version(uri: str) -> SpanVersion:
    """Read what is known of a version.

    Args:
        uri: Its folder in the store.

    Raises:
        FileNotFoundError: If there is none.
        RetrainerError: If its `span.json` is damaged.
    """
    place = join(uri, SPAN_FILE)
    content = read_json(place)
    try:
        return SpanVersion(**{**known_fields(SpanVersion, content), "uri": uri})
    except (TypeError, ValueError) as error:
        raise RetrainerError(
            f"'{place}' is not what retrainer writes there ({error}). Delete its folder, and the next run ingests the "
            "span again."
        ) from error


def find_version(uri: str) -> SpanVersion | None:
    """Read what is known of a version, which another process may have removed.

    Args:
        uri: Its folder in the store.

    Returns:
        The version; none if it is not there, or not whole.

    Raises:
        RetrainerError: If its `span.json` is damaged.
    """
    try:
        return read_version(uri)
    except FileNotFoundError:
        return None


def list_versions(store: str, span: str) -> list[SpanVersion]:
    """List the whole versions of a span.

    Args:
        store: URI of the store.
        span: The span's name.

    Returns:
        The versions, oldest first by the time of their ingestion; none if the span was never ingested.
    """
    home = Store(store).span_uri(span)
    found = (
        find_version(join(home, name)) for name in list_names(home) if _VERSION.fullmatch(name)
    )
    versions = [version for version in found if version is not None]
    return sorted(versions, key=lambda version: (version.ingested, version.version))


def list_stored(store: str) -> dict[str, list[SpanVersion]]:
    """List every span of a store with its versions.

    Args:
        store: URI of the store.

    Returns:
        Versions, oldest first, by span; numbers within the spans' names are ordered as numbers.
    """
    found = {}
    for folder in sorted(list_names(Store(store).spans_uri), key=natural_order):
        versions = list_versions(store, folder)
        if versions:
            found[versions[-1].span] = versions
    return found


def find_superseded(
    stored: Mapping[str, Sequence[SpanVersion]], before: datetime
) -> list[SpanVersion]:
    """Find the versions that are not the newest of their span.

    Args:
        stored: Versions, oldest first, by span.
        before: Versions that a newer one followed after this time are left out.

    Returns:
        Versions, oldest first within their span. One of which it was not noted when a newer one followed is left out.
    """
    found = []
    for versions in stored.values():
        for number, version in enumerate(versions[:-1]):
            followed = next(
                (later.ingested for later in versions[number + 1 :] if later.ingested), ""
            )
            if followed and datetime.fromisoformat(followed) < before:
                found.append(version)
    return found


def measure_version(version: SpanVersion) -> int:
    """Return the size of a version's folder in bytes, sketches included; 0 if it was removed meanwhile."""
    fs, path = filesystem(version.uri)
    return sum(info["size"] for info in fs.find(path, detail=True).values())


def remove_version(version: SpanVersion) -> None:
    """Delete a version; killed half-way, it leaves nothing that would be read as one.

    Raises:
        FileNotFoundError: If it is gone.
    """
    remove_folder(version.uri, SPAN_FILE)


def remove_span_leftovers(store: str) -> int:
    """Delete what killed runs and prunes left beside the versions of every span.

    Args:
        store: URI of the store.

    Returns:
        How many folders and files were deleted.
    """
    spans = Store(store)
    count = 0
    for folder in list_names(spans.spans_uri):
        home = spans.span_uri(folder)
        count += remove_leftovers(home, LEFTOVER_SECONDS)
        for name in list_names(home):
            version = join(home, name)
            # On a bucket the record is written last and deleted first.
            if _VERSION.fullmatch(name) and not exists(join(version, SPAN_FILE)):
                count += remove_old_folder(version, LEFTOVER_SECONDS)
    return count


def now() -> str:
    """Return the time as versions note it: ISO 8601, UTC, whole microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def natural_order(name: str) -> list[Any]:
    """Return what orders names of spans with the numbers in them as numbers; for `sorted`."""
    # Splitting by a group alternates text and digits, so text is never compared with a number.
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
