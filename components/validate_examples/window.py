"""The window under validation: its statistics, and which parts of it are validated."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..lib.examples import Examples, SpanPart
from ..lib.statistics.dataset import Dataset
from ..lib.statistics.statistics_artifact import (
    SPLIT_WORDS,
    StatisticsIndex,
    before_folder,
    read_index,
    read_statistics,
    span_folder,
    split_folder,
)
from ..lib.words import name_spans
from .label_classes import LabelCounts, count_classes, count_rate, may_be_classes
from .seasonality import Season, find_season, read_profiles


@dataclass(frozen=True)
class Subject:
    """A dataset that is validated.

    Attributes:
        folder: Where its statistics lie in the artifact.
        dataset: Some of the window's rows.
        name: What to call it, such as `evaluation (2013-05)`.
        in_training: Whether it is the training rows.
    """

    folder: str
    dataset: Dataset
    name: str
    in_training: bool = False


@dataclass(frozen=True)
class Window:
    """The statistics of a window.

    Attributes:
        index: What they are of.
        splits: By split.
        spans: By span, oldest first.
        before: Of the spans before a span, for each span but the first.
        examples: The rows themselves; None if only the statistics are known.
        pattern: The pattern that the spans were found with; its date format shows when a span ends.
        store: URI of the store, which has spans from before the window; empty for none.
    """

    index: StatisticsIndex
    splits: Mapping[str, Dataset]
    spans: Mapping[str, Dataset]
    before: Mapping[str, Dataset]
    examples: Examples | None = None
    pattern: str = ""
    store: str = ""

    @property
    def newest(self) -> Dataset:
        """The newest span."""
        return self.spans[self.index.newest]

    @property
    def earlier(self) -> Dataset | None:
        """All spans but the newest together; None if there is one span."""
        return self.before.get(self.index.newest)

    @cached_property
    def season(self) -> Season | None:
        """The seasonality of the spans, by weekday or hour; None if they have none."""
        return find_season(self.index.spans, self.pattern)

    @cached_property
    def relatives(self) -> Mapping[str, Dataset]:
        """The last spans before the window with the newest one's weekday or hour, oldest first."""
        if self.season is None or not self.store:
            return {}
        excluded = self.examples.excluded if self.examples is not None else ()
        names = self.season.earlier(self.index.newest)
        before = [name for name in names if name not in self.index.spans and name not in excluded]
        return read_profiles(self.store, before)

    @property
    def has_same_season(self) -> bool:
        """Whether an earlier span has the weekday or hour of the newest one, if spans have one."""
        if self.season is None or self.relatives:
            return True
        newest = self.index.newest
        return any(self.season.same(span, newest) for span in self.index.earlier)

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """The datasets that are validated: training first, the newest span last."""
        index = self.index
        subjects = [
            Subject(
                split_folder(split),
                self.splits[split],
                f"{name} ({name_spans(index.split_spans[split])})",
                in_training=split == "train",
            )
            for split, name in SPLIT_WORDS.items()
        ]
        if index.split_spans["eval"] != (index.newest,):
            subjects.append(Subject(span_folder(index.newest), self.newest, f"span {index.newest}"))
        return tuple(subjects)

    @cached_property
    def label_counts(self) -> Mapping[str, LabelCounts]:
        """The label's classes by span; empty for a number, or beyond 0 and 1 if the rows are unknown."""
        label = self.index.label
        columns = {
            span: column
            for span, dataset in self.spans.items()
            if (column := dataset.columns.get(label)) is not None
        }
        filled = {span: column for span, column in columns.items() if column.filled}
        counts = _of_all({span: count_rate(column) for span, column in filled.items()})
        examples = self.examples
        if counts is not None or examples is None or not may_be_classes(list(columns.values())):
            return counts or {}
        parts = {span: span_parts(examples, span) for span in filled}
        return _of_all({span: count_classes(parts[span], label) for span in filled}) or {}


def _of_all(counts: Mapping[str, LabelCounts | None]) -> dict[str, LabelCounts] | None:
    known = {span: count for span, count in counts.items() if count is not None}
    return known if len(known) == len(counts) else None


def span_parts(examples: Examples, span: str) -> list[SpanPart]:
    """List the parts of a span, each once."""
    found = dict.fromkeys(part for parts in examples.splits.values() for part in parts)
    return [part for part in found if part.span == span]


def read_window(path: str, examples_path: str = "", pattern: str = "", store: str = "") -> Window:
    """Read all of a statistics artifact.

    Args:
        path: Its folder.
        examples_path: Folder of the manifest of the examples that the statistics are of; empty for none.
        pattern: The pattern that the spans were found with.
        store: URI of the store.

    Raises:
        RetrainerError: If it can't be read.
    """
    index = read_index(path)

    def read(folder: str) -> Dataset:
        return Dataset(read_statistics(path, folder))

    return Window(
        index=index,
        splits={split: read(split_folder(split)) for split in index.split_spans},
        spans={span: read(span_folder(span)) for span in index.spans},
        before={span: read(before_folder(span)) for span in index.spans[1:]},
        examples=Examples.read(examples_path) if examples_path else None,
        pattern=pattern,
        store=store,
    )
