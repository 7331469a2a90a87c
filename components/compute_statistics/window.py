"""Merging a window's sketches: each split, each span, and the spans before each span."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import islice

from ..lib.errors import RetrainerError
from ..lib.examples import SpanPart
from ..lib.statistics.sketch_store import SketchStore
from ..lib.statistics.sketches import AccumulatorMerge, SketchSettings, column_blocks
from ..lib.statistics.statistics_artifact import (
    Feature,
    Statistics,
    StatisticsIndex,
    before_folder,
    common,
    features_by_name,
    span_folder,
    split_folder,
)
from ..lib.statistics.tfdv_extract import extract, join_columns
from .merge_cache import BEFORE, WHOLE, MergeCache, MergedStatistics


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
    it is what the span was compared with when it was the newest, so its distance stays unchanged, and a window that
    slides by a span merges once.

    Args:
        index: The window.
        splits: The parts of each split.
        parts: All parts, oldest span first.
        store: Their sketches.
        settings: The options that they were made with.
        excluded: Spans that must not be compared with.

    Returns:
        Statistics by folder name; and, for each span but the first, the spans whose rows are in its `Before-<span>`.

    Raises:
        RetrainerError: If a column is text in one part and a number in another, within one folder.
    """
    by_span = {span: tuple(p for p in parts if p.span == span) for span in index.spans}
    merger = PartMerger(store, settings)
    kept = MergeCache(store, settings)
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
            as_float = merger.mixed(of_split)
            folders[split_folder(split)] = merger.merge(of_split, as_float)
    return folders, {span: one.spans for span, one in before.items()}


def _whole(
    span: str, parts: tuple[SpanPart, ...], merger: PartMerger, kept: MergeCache
) -> Statistics:
    as_float = merger.mixed(parts)
    if len(parts) < 2:
        return merger.merge(parts, as_float)
    sketches = {span: kept.digests(parts)}
    found = kept.find(WHOLE, parts, as_float)
    if found is None or found.sketches != sketches:
        found = MergedStatistics(sketches, merger.merge(parts, as_float))
        kept.keep(WHOLE, parts, as_float, found)
    return found.statistics


def _before(
    by_span: Mapping[str, tuple[SpanPart, ...]],
    merger: PartMerger,
    kept: MergeCache,
    excluded: Collection[str],
) -> dict[str, MergedStatistics]:
    *earlier, newest = by_span
    parts = [part for span in earlier for part in by_span[span]]
    as_float = merger.mixed(parts)
    sketches = {span: kept.digests(by_span[span]) for span in earlier}
    found: dict[str, MergedStatistics] = {}
    missing: dict[int, str] = {}
    for count, span in enumerate([*earlier[1:], newest], start=1):
        one = kept.find(BEFORE, by_span[span], as_float)
        wanted = _first(sketches, count)
        if one is not None and not set(excluded).isdisjoint(one.spans):
            one = None
        if one is not None and wanted == (
            one.sketches if span == newest else one.restricted(sketches)
        ):
            found[span] = one
        else:
            missing[count] = span
    if missing:
        steps = [by_span[span] for span in earlier]
        made = merger.merge_steps(steps, list(missing), as_float)
        for (count, span), statistics in zip(missing.items(), made, strict=True):
            found[span] = MergedStatistics(_first(sketches, count), statistics)
            kept.keep(BEFORE, by_span[span], as_float, found[span])
    return {span: found[span] for span in [*earlier[1:], newest]}


def _first(sketches: Mapping[str, Sequence[str]], count: int) -> dict[str, Sequence[str]]:
    return dict(islice(sketches.items(), count))


class PartMerger:
    """Merges the sketches of parts, some columns at a time."""

    def __init__(self, store: SketchStore, settings: SketchSettings) -> None:
        """Create a merger.

        Args:
            store: Holds them.
            settings: The options that they were made with.
        """
        self._store = store
        self._settings = settings

    def merge(self, parts: Sequence[SpanPart], as_float: Sequence[str]) -> Statistics:
        """Merge parts, in their order.

        Args:
            parts: Any number of them.
            as_float: Integer columns that count as floating point.

        Returns:
            The statistics of their rows.
        """
        (statistics,) = self.merge_steps([parts], [1], as_float)
        return statistics

    def merge_steps(
        self, steps: Sequence[Sequence[SpanPart]], wanted: Sequence[int], as_float: Sequence[str]
    ) -> list[Statistics]:
        """Merge incrementally, returning statistics after the requested steps.

        Args:
            steps: The parts that each step adds.
            wanted: Numbers of steps after which statistics are wanted, ascending.
            as_float: Integer columns that count as floating point.

        Returns:
            The statistics of all rows so far, for each wanted number of steps.
        """
        if wanted[0] == 1 and len(steps[0]) == 1 and not as_float:
            first = self._store.statistics(steps[0][0])
            others = wanted[1:]
            return [first, *(self.merge_steps(steps, others, as_float) if others else ())]
        taken = steps[: wanted[-1]]
        parts = [part for step in taken for part in step]
        integers = {part: self._integers(part, as_float) for part in parts}
        blocks = [
            list(self._steps_of(columns, taken, wanted, integers))
            for columns in self._blocks(parts)
        ]
        return [join_columns(of_step) for of_step in zip(*blocks, strict=True)]

    def _steps_of(
        self,
        columns: tuple[str, ...],
        steps: Sequence[Sequence[SpanPart]],
        wanted: Sequence[int],
        integers: Mapping[SpanPart, Sequence[str]],
    ) -> Iterator[Statistics]:
        merging = AccumulatorMerge(self._settings)
        for count, step in enumerate(steps, start=1):
            for part in step:
                merging.add(self._store.accumulators(part, integers[part], columns))
            if count in wanted:
                # Extraction finalises a quantile sketch, so extract from a copy.
                last = count == len(steps)
                merged = merging.result()
                extracted = merged if last else deepcopy(merged)
                yield extract(extracted, self._settings.generators)

    def _integers(self, part: SpanPart, as_float: Sequence[str]) -> tuple[str, ...]:
        """Find the columns that are integers in a part; without any, the part is not sketched again."""
        types = _types(self._store.statistics(part)) if as_float else {}
        return tuple(name for name in as_float if types.get(name) == Feature.INT)

    def _blocks(self, parts: Sequence[SpanPart]) -> list[tuple[str, ...]]:
        """Split the columns of parts into blocks, usually those of the sketches."""
        names = dict.fromkeys(name for part in parts for name in self._store.columns(part))
        return column_blocks(tuple(names), self._settings)

    def mixed(self, parts: Sequence[SpanPart]) -> tuple[str, ...]:
        """Find the columns that are integers in one part and floating point in another.

        Args:
            parts: The parts.

        Returns:
            Names of the columns, which count as floating point in all of the parts.

        Raises:
            RetrainerError: If a column is text in one part and a number in another.
        """
        return mixed_types({part: _types(self._store.statistics(part)) for part in parts})


def mixed_types(types: Mapping[SpanPart, Mapping[str, int]]) -> tuple[str, ...]:
    """Find the columns that are integers in one part and floating point in another.

    Args:
        types: Type of each column, by part.

    Returns:
        Names of the columns, which count as floating point in all of the parts.

    Raises:
        RetrainerError: If a column is text in one part and a number in another.
    """
    seen: dict[str, dict[int, str]] = {}
    for part, of_part in types.items():
        for name, kind in of_part.items():
            seen.setdefault(name, {}).setdefault(kind, part.span)
    for name, kinds in seen.items():
        numbers = next((span for kind, span in kinds.items() if kind != Feature.STRING), None)
        if Feature.STRING in kinds and numbers is not None:
            raise RetrainerError(
                f"column '{name}' is text in span {kinds[Feature.STRING]} and a number in span "
                f"{numbers}, so that the spans can't be compared. Fix the source, or set the column's type "
                f"(data.types: {{{name}: text}})."
            )
    return tuple(sorted(name for name, kinds in seen.items() if len(kinds) > 1))


def _types(statistics: Statistics) -> dict[str, int]:
    # TFDV calls a column without values text; it is compatible with numbers, too.
    return {
        name: feature.type
        for name, feature in features_by_name(statistics).items()
        if feature.type != Feature.STRING or common(feature).num_non_missing
    }
