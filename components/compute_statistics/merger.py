"""Merging the sketches of any parts, and asking the merge for its statistics."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

from ..lib.errors import RetrainerError
from ..lib.examples import SpanPart
from ..lib.statistics_artifact import Feature, Statistics, common, features_by_name
from .sketch_store import SketchStore
from .sketches import Merging, SketchSettings, column_blocks
from .tfdv_extract import extract, join_columns


class Merger:
    """Merges the sketches of parts, some columns at a time."""

    def __init__(self, store: SketchStore, settings: SketchSettings) -> None:
        """Take the sketches.

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
        """Merge step after step, and tell the statistics in between.

        Args:
            steps: The parts that each step adds.
            wanted: After how many steps statistics are wanted, in ascending order.
            as_float: Integer columns that count as floating point.

        Returns:
            The statistics of the rows of all steps so far, for each that is wanted.
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
        merging = Merging(self._settings)
        for count, step in enumerate(steps, start=1):
            for part in step:
                merging.add(self._store.accumulators(part, integers[part], columns))
            if count in wanted:
                # A sketch that was asked takes nothing more, so a copy is asked while more is to come.
                last = count == len(steps)
                merged = merging.result()
                asked = merged if last else deepcopy(merged)
                yield extract(asked, self._settings.generators)

    def _integers(self, part: SpanPart, as_float: Sequence[str]) -> tuple[str, ...]:
        """Find the columns that are integers in a part; one that has none of them is not sketched again."""
        types = _types(self._store.statistics(part)) if as_float else {}
        return tuple(name for name in as_float if types.get(name) == Feature.INT)

    def _blocks(self, parts: Sequence[SpanPart]) -> list[tuple[str, ...]]:
        """Cut the columns of parts into blocks; in most windows they are those of the sketches."""
        names = dict.fromkeys(name for part in parts for name in self._store.columns(part))
        return column_blocks(tuple(names), self._settings)

    def mixed(self, parts: Sequence[SpanPart], where: str) -> tuple[str, ...]:
        """Find the columns that are integers in one part and floating point in another.

        Args:
            parts: The parts.
            where: What they make up, for the error.

        Returns:
            Names of the columns, which are to be taken as floating point in all of the parts.

        Raises:
            RetrainerError: If a column is text in one part and a number in another.
        """
        return mixed_types({part: _types(self._store.statistics(part)) for part in parts}, where)


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


def _types(statistics: Statistics) -> dict[str, int]:
    # A column without any value is stored without a type, which TFDV calls text; it goes with numbers, too.
    return {
        name: feature.type
        for name, feature in features_by_name(statistics).items()
        if feature.type != Feature.STRING or common(feature).num_non_missing
    }
