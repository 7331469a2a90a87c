"""Computing the statistics of a window: each split's, each span's, and of the spans before each span."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.examples import Examples, SpanPart
from ..lib.parquet_reader import open_parquet
from ..lib.progress import progress
from ..lib.statistics.sketch_store import SketchStore
from ..lib.statistics.sketches import parse_options
from ..lib.statistics.statistics_artifact import (
    Statistics,
    StatisticsIndex,
    row_count,
    span_folder,
    write_statistics,
)
from ..lib.uris import join, write_atomic
from ..lib.words import did_you_mean, plural
from .report import render
from .window import merge_window


def compute(
    examples_path: str,
    statistics_path: str,
    report_path: str,
    beam_args: Sequence[str] = (),
    stats_options: Mapping[str, Any] | None = None,
) -> str:
    """Compute the statistics of every split and span of a window.

    Args:
        examples_path: Folder of the examples' manifest.
        statistics_path: Folder for the statistics.
        report_path: File for the HTML report.
        beam_args: Arguments of a Beam pipeline for the missing sketches; empty: they are computed in
            this process.
        stats_options: Arguments of `tfdv.StatsOptions`.

    Returns:
        The verdict.

    Raises:
        RetrainerError: If the examples or the options can't be used.
    """
    settings = parse_options(stats_options or {})
    examples = Examples.read(examples_path)
    parts = _parts(examples)
    # Before anything is sketched: a typo would waste a pass over the data.
    _check_allowed(settings.options.get("feature_allowlist") or (), parts)
    store = SketchStore(settings)
    store.make(store.missing(parts), beam_args)

    index = _index(examples)
    progress("merging sketches")
    folders, before = merge_window(
        index, examples.splits, parts, store, settings, examples.excluded
    )
    index = replace(index, before=before)
    write_statistics(statistics_path, index, folders)
    verdict = _verdict(index, folders, store)
    write_atomic(report_path, render(index, folders, verdict, store.notes, report_path))
    return verdict


def _check_allowed(allowed: Sequence[str], parts: Sequence[SpanPart]) -> None:
    if not allowed:
        return
    known: set[str] = set()
    for part in parts:
        # All files of a part have the same columns.
        for name in part.files[:1]:
            with open_parquet(join(part.uri, name)) as file:
                known.update(file.schema_arrow.names)
    # An unknown name is a typo, and would silently leave a column out.
    for name in allowed:
        if name not in known:
            raise RetrainerError(
                f"stats_options.feature_allowlist names '{name}', which no span of the window has."
                + did_you_mean(name, sorted(known), "They have")
            )


def _parts(examples: Examples) -> list[SpanPart]:
    order = {span: i for i, span in enumerate(examples.spans)}
    found = {part: None for split in examples.splits.values() for part in split}
    return sorted(found, key=lambda part: order[part.span])


def _index(examples: Examples) -> StatisticsIndex:
    return StatisticsIndex(
        label=examples.label,
        key=tuple(examples.key),
        key_features=tuple(examples.key_features),
        spans=examples.spans,
        split_spans={split: examples.span_names(split) for split in examples.splits},
        counts=examples.counts,
        other_labels=examples.labels[1:],
    )


def _verdict(index: StatisticsIndex, folders: Mapping[str, Statistics], store: SketchStore) -> str:
    spans = len(index.spans)
    rows = sum(row_count(folders[span_folder(span)]) for span in index.spans)
    columns = {
        tuple(feature.path.step)
        for statistics in folders.values()
        for feature in statistics.datasets[0].features
    }
    return (
        f"{plural(spans, 'span')}, {plural(rows, 'row')} x {plural(len(columns), 'column')}; "
        f"{len(store.made)} sketched now, {spans - len(store.made)} reused"
    )
