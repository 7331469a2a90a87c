"""How many labelled rows a retrain would have that the champion's training had not.

A run trains on the newest spans of the data's source, so there must be a whole span there that is newer than the newest
one of the champion, and the rows of such spans count. Parquet's footers say how many of them have their label; of other
files lines are counted, and of BigQuery's tables rows. (Predictions that were joined with labels are not counted: no
run trains on them, and where labels come from the ingested spans, a run is what brings them.)
"""

import re
from collections.abc import Sequence
from typing import Any

from ..bigquery.bigquery_tables import is_bigquery
from ..errors import RetrainerError
from ..registry.model_versions import ModelVersion
from ..registry.recency import is_older
from ..source_files import SourceFile, SourceSpan
from ..spans.span_discovery import find_spans
from ..uris import filesystem
from ..words import of_spans, plural
from .incident_judgement import NewRows

_BLOCK = 1 << 20
_PARQUET = (".parquet", ".pq")
# The fingerprint of a table begins with its number of rows.
_TABLE_ROWS = re.compile(r"(\d+)[+:]")
_CSV = re.compile(r"\.(csv|tsv)(\.[a-z0-9]+)?$")


def count_new_rows(
    champion: ModelVersion,
    pattern: str,
    marker: str = "",
    label: str = "",
    enough: int = 1,
) -> NewRows:
    """Count the rows that a retrain would have and the champion's training had not.

    Args:
        champion: The champion.
        pattern: Where the data's spans are.
        marker: Name of the file that completes a span; empty for none.
        label: Name of the label's column; empty if it is not known.
        enough: How many rows matter: counting ends there.

    Returns:
        The rows, and what they are in words.

    Raises:
        RetrainerError: If the source can't be listed or read.
    """
    spans = new_spans(champion, pattern, marker)
    seen = champion.newest_span
    if not spans:
        after = f" after {seen}" if seen else ""
        return NewRows(0, f"no new span at '{pattern}'{after}, so nothing new to train on")
    of = of_spans([span.name for span in spans])
    rows = 0
    for file in (file for span in spans for file in span.files):
        rows += _count(file, label)
        if rows >= max(1, enough):
            return NewRows(rows, f"at least {plural(rows, 'new row')} in {of}")
    return NewRows(rows, f"{plural(rows, 'new row')} in {of}")


def new_spans(champion: ModelVersion, pattern: str, marker: str = "") -> Sequence[SourceSpan]:
    """List the whole spans of a source that are newer than the newest one of the champion.

    Args:
        champion: The champion. If its newest span is not known, or is of another pattern, all spans are new.
        pattern: Where the spans are.
        marker: Name of the file that completes a span; empty for none.

    Raises:
        RetrainerError: If the source can't be listed.
    """
    try:
        found = find_spans(pattern, marker)
    except RetrainerError as error:
        raise RetrainerError(f"new rows for a retrain can't be counted: {error}") from error
    seen = champion.newest_span
    return [
        span
        for span in found
        if span.whole
        and (not seen or (span.name != seen and is_older(span.name, seen, pattern) is not True))
    ]


def _count(file: SourceFile, label: str) -> int:
    if is_bigquery(file.uri):
        match = _TABLE_ROWS.match(file.fingerprint)
        return int(match[1]) if match else 0
    name = file.uri.lower()
    if name.endswith(_PARQUET):
        # Arrow takes a second to import, which other files can do without.
        from ..parquet_reader import open_parquet

        with open_parquet(file.uri) as parquet:
            return _labelled(parquet.metadata, label)
    fs, path = filesystem(file.uri)
    lines, last = 0, b""
    with fs.open(path, "rb", compression="infer") as stream:
        while block := stream.read(_BLOCK):
            lines += block.count(b"\n")
            last = block
    lines += bool(last and not last.endswith(b"\n"))
    # The line of a CSV file's columns is no row.
    return max(0, lines - 1) if _CSV.search(name) else lines


def _labelled(metadata: Any, label: str) -> int:
    """Count the rows of a Parquet file that have a label, as far as its footer says."""
    rows = int(metadata.num_rows)
    names = {metadata.schema.column(one).path: one for one in range(metadata.num_columns)}
    if label not in names:
        return rows
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(names[label]).statistics
        if statistics is not None and statistics.has_null_count:
            rows -= int(statistics.null_count)
    return rows
