"""Where labels are: files and tables behind a pattern, or the ingested spans of the training data."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..lib.bigquery.bigquery_tables import is_bigquery, parse_table, read_table_fingerprints
from ..lib.source_files import SourceFile
from ..lib.source_rows.download import digest_source
from ..lib.spans.exclusions import read_exclusions
from ..lib.spans.span_discovery import NoSpansError, find_files, find_spans
from ..lib.spans.span_patterns import PLACEHOLDER
from ..lib.spans.span_periods import span_periods
from ..lib.spans.stored_spans import SpanVersion, list_stored

# A file of labels may be named by a day of another time zone.
_SLACK = timedelta(days=1)


@dataclass(frozen=True)
class LabelSources:
    """The labels that are read.

    Attributes:
        files: Files and tables.
        spans: Ingested spans.
    """

    files: tuple[SourceFile, ...] = ()
    spans: tuple[SpanVersion, ...] = ()

    def fingerprints(self) -> list[list[str]]:
        """Return what changes when the labels do, without reading them where that is possible."""
        files = [
            [file.uri, file.fingerprint if file.dated else digest_source(file)]
            for file in self.files
        ]
        return [*files, *([span.span, span.version] for span in self.spans)]


def find_label_sources(store: str, pattern: str, since: datetime | None) -> LabelSources:
    """Find the labels that may belong to predictions.

    Args:
        store: URI of the store.
        pattern: Files or tables, with `{span}` or without; empty for the ingested spans of the store.
        since: When the first of the predictions occurred; None if it is not known. Sources whose names are dates that
            ended more than a day before it are left out: a label does not come before its prediction.

    Returns:
        The sources, oldest first; none if there are none yet.
    """
    if not pattern:
        excluded = read_exclusions(store)
        spans = {
            name: versions[-1]
            for name, versions in list_stored(store).items()
            if name not in excluded
        }
        return LabelSources(spans=tuple(spans[name] for name in _recent(list(spans), "", since)))
    if not PLACEHOLDER.search(pattern):
        return LabelSources(files=_find_files(pattern))
    try:
        found = {span.name: span for span in find_spans(pattern)}
    except NoSpansError:
        return LabelSources()
    recent = _recent(list(found), pattern, since)
    return LabelSources(files=tuple(file for name in recent for file in found[name].files))


def _find_files(pattern: str) -> tuple[SourceFile, ...]:
    if not is_bigquery(pattern):
        return tuple(find_files(pattern))
    uri = parse_table(pattern).uri
    fingerprint = read_table_fingerprints([uri]).get(uri, "")
    return (SourceFile(uri, 0, fingerprint),)


def _recent(names: list[str], pattern: str, since: datetime | None) -> list[str]:
    periods = span_periods(names, pattern) if since is not None and names else {}
    if since is None or not periods:
        return names
    first = since.replace(tzinfo=None) - _SLACK
    return [name for name in names if periods[name].end > first]
