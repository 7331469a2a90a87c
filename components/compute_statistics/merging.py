"""Merging a window's sketches: each split, each span, and all that came before each span."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.examples import SpanPart
from ..lib.statistics import (
    Feature,
    Statistics,
    StatisticsIndex,
    before_folder,
    features_by_name,
    span_folder,
    split_folder,
)
from .extraction import extract
from .sketch_store import SketchStore
from .sketches import SketchSettings, merge_accumulators


def merge_window(
    index: StatisticsIndex,
    splits: Mapping[str, tuple[SpanPart, ...]],
    parts: Sequence[SpanPart],
    store: SketchStore,
    settings: SketchSettings,
) -> dict[str, Statistics]:
    """Merge the sketches of a window.

    The counts, moments, and distinct counts up to 16,384 are those of one pass over the rows; quantiles, and in
    columns of more than 1,024 distinct values the top values, are within the sketches' error.

    Args:
        index: What the window is.
        splits: The parts of each split.
        parts: All parts, oldest span first.
        store: Their sketches.
        settings: The options that they were made with.

    Returns:
        Statistics by folder name. The work grows with the spans, not with their square: what came before a span
        is merged from what came before the span before it.

    Raises:
        RetrainerError: If a column is text in one part and a number in another, within one folder.
    """
    by_span = {span: tuple(p for p in parts if p.span == span) for span in index.spans}
    merged = _Merged(store, settings)
    folders = {
        span_folder(span): merged.of(of_span, span_folder(span))
        for span, of_span in by_span.items()
    }
    for span, statistics in _before(by_span, index, merged).items():
        folders[before_folder(span)] = statistics
    for split, of_split in splits.items():
        folders[split_folder(split)] = merged.of(of_split, split_folder(split))
    return folders


class _Merged:
    """Merged statistics, each set of parts merged once."""

    def __init__(self, store: SketchStore, settings: SketchSettings) -> None:
        self.store = store
        self.settings = settings
        self.known: dict[tuple[SpanPart, ...], Statistics] = {}

    def of(self, parts: tuple[SpanPart, ...], where: str) -> Statistics:
        if parts in self.known:
            return self.known[parts]
        as_float = self.mixed(parts, where)
        if len(parts) == 1:
            statistics = self.store.statistics(parts[0])
        else:
            merged = self.empty()
            for part in parts:
                merged = self.add(merged, part, as_float)
            statistics = extract(merged, self.settings.generators)
        self.known[parts] = statistics
        return statistics

    def mixed(self, parts: Sequence[SpanPart], where: str) -> tuple[str, ...]:
        return mixed_types({part: _types(self.store.statistics(part)) for part in parts}, where)

    def empty(self) -> list[Any]:
        return [generator.create_accumulator() for generator in self.settings.generators]

    def add(self, merged: list[Any], part: SpanPart, as_float: tuple[str, ...]) -> list[Any]:
        return merge_accumulators([merged, self.store.accumulators(part, as_float)], self.settings)


def _before(
    by_span: Mapping[str, tuple[SpanPart, ...]], index: StatisticsIndex, merged: _Merged
) -> dict[str, Statistics]:
    earlier = tuple(part for span in index.earlier for part in by_span[span])
    if not index.earlier:
        return {}
    as_float = merged.mixed(earlier, before_folder(index.newest))
    found: dict[str, Statistics] = {}
    running, waiting, count = merged.empty(), list[SpanPart](), 0
    for span, previous in zip(index.spans[1:], index.spans, strict=False):
        waiting += by_span[previous]
        count += len(by_span[previous])
        if count == 1:
            found[span] = merged.store.statistics(waiting[0], as_float)
            continue
        for part in waiting:
            running = merged.add(running, part, as_float)
        waiting.clear()
        found[span] = extract(running, merged.settings.generators, keep=span != index.newest)
    merged.known[earlier] = found[index.newest]
    return found


def _types(statistics: Statistics) -> dict[str, int]:
    return {name: feature.type for name, feature in features_by_name(statistics).items()}


def mixed_types(types: Mapping[SpanPart, Mapping[str, int]], where: str) -> tuple[str, ...]:
    """Find the columns that are integers in one part and floating point in another.

    Args:
        types: Type of each column, by part.
        where: What the parts make up, for the error.

    Returns:
        Names of the columns, which are to be taken as floating point in all of the parts.

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
                f"{numbers}, so {where} has no statistics of it. Make the source agree, or "
                f"say what it is (data.types: {{{name}: text}})."
            )
    return tuple(sorted(name for name, kinds in seen.items() if len(kinds) > 1))
