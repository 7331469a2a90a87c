"""Merges of a window's earlier spans, kept so that the next run only adds its new span.

What came before each span is a function of the spans' sketches alone. It lies beside the last of the spans that went
in, under a name made of their sketches' digests, in the sketches' own format.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import tensorflow_data_validation as tfdv
from google.protobuf.message import DecodeError

from ..lib.examples import SpanPart
from ..lib.files import digest_value, join, read_range, write_atomic
from ..lib.statistics import Statistics
from .sketch_format import Block, SketchError, SketchFile, encode
from .sketch_store import SketchStore
from .sketches import SketchSettings


@dataclass(frozen=True)
class KeptMerge:
    """A merge of the first spans of a window, or of none of them.

    Attributes:
        statistics: Of the first span, of the first two, and so on.
        file: The accumulators of all of them; None if there are none.
    """

    statistics: list[Statistics]
    file: SketchFile | None

    @property
    def count(self) -> int:
        """How many spans went in."""
        return len(self.statistics)

    def accumulators(self, columns: Sequence[str]) -> list[Any] | None:
        """Give the accumulators of some columns; None if no span went in."""
        return None if self.file is None else self.file.accumulators(columns)

    @classmethod
    def find(
        cls,
        spans: Sequence[tuple[SpanPart, ...]],
        as_float: tuple[str, ...],
        store: SketchStore,
        settings: SketchSettings,
    ) -> "KeptMerge":
        """Find a merge of spans, or of all of them but the last.

        Args:
            spans: The parts of each span, oldest first.
            as_float: Integer columns that count as floating point.
            store: The parts' sketches.
            settings: The options that they were made with.

        Returns:
            What was found, of no spans if nothing was, or if it can't be read.
        """
        for count in (len(spans), len(spans) - 1):
            if count < 1:
                continue
            uri = _uri(spans[:count], as_float, store, settings)
            try:
                file = SketchFile(partial(read_range, uri))
                found = _datasets(file.statistics())
                if len(found) != count:
                    raise SketchError(f"it holds {len(found)} merges instead of {count}")
                return cls(found, file)
            except FileNotFoundError:
                continue
            except SketchError as error:
                store.note(f"The merge '{uri}' was made again: {error}.")
        return cls([], None)


def keep_merge(
    spans: Sequence[tuple[SpanPart, ...]],
    as_float: tuple[str, ...],
    store: SketchStore,
    settings: SketchSettings,
    statistics: Sequence[Statistics],
    blocks: Sequence[Block],
) -> None:
    """Keep a merge of spans.

    Args:
        spans: The parts of each span, oldest first.
        as_float: Integer columns that count as floating point.
        store: The parts' sketches.
        settings: The options that they were made with.
        statistics: Of the first span, of the first two, and so on.
        blocks: The accumulators of all of them.
    """
    joined = Statistics(datasets=[one.datasets[0] for one in statistics])
    content = encode(joined.SerializeToString(deterministic=True), blocks)
    uri = _uri(spans, as_float, store, settings)
    try:
        # Without waiting for the disk: one that a crash tears is made again.
        write_atomic(uri, content, durable=False)
    except PermissionError as error:
        store.note(f"The merge '{uri}' can't be kept, so the next run makes it again: {error}.")


def _uri(
    spans: Sequence[tuple[SpanPart, ...]],
    as_float: tuple[str, ...],
    store: SketchStore,
    settings: SketchSettings,
) -> str:
    digests = [[store.digest(part) for part in parts] for parts in spans]
    key = digest_value([settings.key(as_float), digests])[:24]
    return join(spans[-1][-1].uri, f"merge-{key}-tfdv{tfdv.__version__}.bin")


def _datasets(content: bytes) -> list[Statistics]:
    try:
        datasets = Statistics.FromString(content).datasets
    except DecodeError as error:
        raise SketchError(f"its statistics can't be read: {error}") from error
    return [Statistics(datasets=[dataset]) for dataset in datasets]
