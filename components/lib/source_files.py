"""Source files, tables and spans, as the outside keeps them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceFile:
    """A source file of a span, or a table.

    Attributes:
        uri: Where it is.
        size: Bytes.
        fingerprint: Changes when the file does, without reading it (size and time of change, or an object store's
            ETag; of a table, its number of rows and time of change).
        partitions: Columns in its path, as in `site=north`, with their value; None for a missing one.
        dated: Whether the fingerprint has more than the size; else only the content shows a change.
    """

    uri: str
    size: int
    fingerprint: str
    partitions: tuple[tuple[str, str | None], ...] = ()
    dated: bool = True


@dataclass(frozen=True)
class SourceSpan:
    """A span in the source.

    Attributes:
        name: The text at the place of `{span}`.
        files: Its files, sorted by name.
        whole: False if a marker is required and missing beside one of the files: the span is still being written.
    """

    name: str
    files: tuple[SourceFile, ...]
    whole: bool = True
