"""Stored spans, as people and machines read them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from ...components.lib.spans.exclusions import Exclusion
from ...components.lib.spans.stored_spans import SpanVersion, measure_version
from .tables import format_size, local_time, open_console


def describe_version(version: SpanVersion) -> dict[str, Any]:
    """Return what is known of a version as JSON values; `bytes` is the size of its folder."""
    return {
        **asdict(version),
        "rows": version.rows,
        "set_aside": version.quarantined,
        "bytes": measure_version(version),
    }


def print_spans(
    stored: Mapping[str, Sequence[SpanVersion]], store: str, excluded: Mapping[str, Exclusion]
) -> None:
    """Print a table with a line for each span: its newest version, and the size of all.

    Args:
        stored: Versions, oldest first, by span.
        store: URI of the store that they are in.
        excluded: The spans that are excluded.
    """
    console = open_console()
    for span, one in excluded.items():
        text = f"excluded: {span}, {one.why} ({one.who}, {local_time(one.when)})"
        console.print(Text(text, style="yellow"), soft_wrap=True)
    if not stored:
        console.print(f"no spans yet in '{store}'", markup=False, soft_wrap=True)
        return
    table = _table("span", "versions", "rows", "quarantined", "size", "ingested", "files")
    for span, versions in stored.items():
        newest = versions[-1]
        table.add_row(
            Text(f"{span} (excluded)" if span in excluded else span),
            str(len(versions)),
            f"{newest.rows:,}",
            describe_quarantined(newest),
            format_size(sum(measure_version(version) for version in versions)),
            local_time(newest.ingested),
            str(len(newest.sources)),
        )
    console.print(table)


def print_span(versions: Sequence[SpanVersion]) -> None:
    """Print the versions of a span, newest first: where each came from, its counts, columns and notes."""
    # Not before: it loads Arrow.
    from ...components.ingest_spans.column_notes import describe_notes

    console = open_console()
    for version in reversed(versions):
        newest = " (newest)" if version is versions[-1] else ""
        title = f"{version.span} version {version.version}{newest}"
        console.print(Text(title, style="bold"), soft_wrap=True)
        counts = ", ".join(f"{count:,} {name}" for name, count in version.counts.items())
        lines = {
            "ingested": local_time(version.ingested),
            "replaced": version.replaced,
            "rows": counts,
            "size": format_size(measure_version(version)),
            "folder": version.uri,
            "columns": ", ".join(f"{name} {kind}" for name, kind in version.columns.items()),
        }
        for name, text in lines.items():
            if text:
                console.print(Text(f"  {name:9} {text}"), soft_wrap=True)
        for note in describe_notes([version]):
            console.print(Text(f"  note      {note}"), soft_wrap=True)
        for source in version.sources:
            text = f"  source    {source['uri']} ({format_size(source['bytes'])})"
            console.print(Text(text), soft_wrap=True)


def describe_quarantined(version: SpanVersion) -> str:
    """Write how many rows were quarantined and why; empty if none were."""
    return ", ".join(f"{count:,} {reason}" for reason, count in version.quarantined.items())


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        left = name in ("span", "quarantined", "ingested")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    return table
