"""Merging a window's sketches: each split, each span, and the spans before each span."""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from ..lib.examples import SpanPart
from ..lib.statistics_artifact import (
    Statistics,
    StatisticsIndex,
    before_folder,
    span_folder,
    split_folder,
)
from .merge_cache import BEFORE, WHOLE, KeptStatistics, KeptStore
from .merger import Merger
from .sketch_store import SketchStore
from .sketches import SketchSettings


def merge_window(
    index: StatisticsIndex,
    splits: Mapping[str, tuple[SpanPart, ...]],
    parts: Sequence[SpanPart],
    store: SketchStore,
    settings: SketchSettings,
    excluded: Collection[str] = (),
) -> tuple[dict[str, Statistics], dict[str, tuple[str, ...]]]:
    """Merge the sketches of a window.

    The counts, moments, and distinct counts up to 16,384 are those of one pass over the rows; quantiles, and in
    columns of more than 1,024 distinct values the top values, are within the sketches' error.

    What came before the newest span is of this window alone. What came before an earlier span may reach further back:
    it is what the span was compared with when it was the newest, kept since then, so that its distance stays what it
    was, and a window that slides by a span merges once.

    Args:
        index: What the window is.
        splits: The parts of each split.
        parts: All parts, oldest span first.
        store: Their sketches.
        settings: The options that they were made with.
        excluded: Spans that nothing may be compared with, whatever was kept of them.

    Returns:
        Statistics by folder name; and, for each span but the first, the spans whose rows are in its `Before-<span>`.

    Raises:
        RetrainerError: If a column is text in one part and a number in another, within one folder.
    """
    by_span = {span: tuple(p for p in parts if p.span == span) for span in index.spans}
    merger = Merger(store, settings)
    kept = KeptStore(store, settings)
    folders = {
        span_folder(span): _whole(span, of_span, merger, kept) for span, of_span in by_span.items()
    }
    before = _before(by_span, merger, kept, excluded) if index.earlier else {}
    folders |= {before_folder(span): one.statistics for span, one in before.items()}
    earlier = tuple(part for span in index.earlier for part in by_span[span])
    for split, of_split in splits.items():
        if before and of_split == earlier:
            folders[split_folder(split)] = before[index.newest].statistics
        else:
            as_float = merger.mixed(of_split, split_folder(split))
            folders[split_folder(split)] = merger.merge(of_split, as_float)
    return folders, {span: one.spans for span, one in before.items()}


def _whole(span: str, parts: tuple[SpanPart, ...], merger: Merger, kept: KeptStore) -> Statistics:
    as_float = merger.mixed(parts, span_folder(span))
    if len(parts) < 2:
        return merger.merge(parts, as_float)
    sketches = {span: kept.digests(parts)}
    found = kept.find(WHOLE, parts, as_float)
    if found is None or found.sketches != sketches:
        found = KeptStatistics(sketches, merger.merge(parts, as_float))
        kept.keep(WHOLE, parts, as_float, found)
    return found.statistics


def _before(
    by_span: Mapping[str, tuple[SpanPart, ...]],
    merger: Merger,
    kept: KeptStore,
    excluded: Collection[str],
) -> dict[str, KeptStatistics]:
    *earlier, newest = by_span
    parts = [part for span in earlier for part in by_span[span]]
    as_float = merger.mixed(parts, before_folder(newest))
    sketches = {span: kept.digests(by_span[span]) for span in earlier}
    found: dict[str, KeptStatistics] = {}
    missing: dict[int, str] = {}
    for count, span in enumerate([*earlier[1:], newest], start=1):
        one = kept.find(BEFORE, by_span[span], as_float)
        wanted = _first(sketches, count)
        if one is not None and not set(excluded).isdisjoint(one.spans):
            one = None
        if one is not None and wanted == (one.sketches if span == newest else one.among(sketches)):
            found[span] = one
        else:
            missing[count] = span
    if missing:
        steps = [by_span[span] for span in earlier]
        made = merger.merge_steps(steps, list(missing), as_float)
        for (count, span), statistics in zip(missing.items(), made, strict=True):
            found[span] = KeptStatistics(_first(sketches, count), statistics)
            kept.keep(BEFORE, by_span[span], as_float, found[span])
    return {span: found[span] for span in [*earlier[1:], newest]}


def _first(sketches: Mapping[str, Sequence[str]], count: int) -> dict[str, Sequence[str]]:
    return dict(islice(sketches.items(), count))
