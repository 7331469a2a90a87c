"""Sketches: TFDV's mergeable accumulators of a span part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators.top_k_uniques_sketch_stats_generator import (
    TopKUniquesSketchStatsGenerator,
)

from ..digests import digest_value
from ..errors import RetrainerError
from ..examples import SpanPart
from ..uris import join
from .option_checks import check_options
from .sketch_file import Block, encode, encode_block
from .statistics_artifact import Statistics
from .tfdv_extract import extract, join_columns
from .tfx_sketches import ExtraItems, settle_batch

# Part of every sketch's name; raised when the same rows make another sketch.
_VERSION = 7
# TFDV's sketches take some 200 kilobytes a number column while they are filled, however few the rows.
BLOCK_COLUMNS = 100


@dataclass(frozen=True)
class SketchSettings:
    """The options of sketches; part of their files' names.

    Attributes:
        options: Arguments of `tfdv.StatsOptions`.
    """

    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def stats_options(self) -> tfdv.StatsOptions:
        """TFDV's own options; top values and uniques come from sketches, as on one machine."""
        return tfdv.StatsOptions(**self.options, use_sketch_based_topk_uniques=True)

    @cached_property
    def generators(self) -> list[Any]:
        """TFDV's statistics generators."""
        generators = stats_impl.get_generators(self.stats_options, in_memory=True)
        for generator in generators:
            if isinstance(generator, TopKUniquesSketchStatsGenerator):
                # In one column of a hundred it counts the cells' lengths, for a metric of Beam's.
                generator._length_counter_sampling_rate = 0.0
        return generators

    def key(self, as_float: Sequence[str]) -> str:
        """Return a key of what determines a sketch besides the rows and TFDV's version."""
        return digest_value([_VERSION, dict(self.options), sorted(as_float)])[:12]


def parse_options(options: Mapping[str, Any]) -> SketchSettings:
    """Parse options by TFDV's names.

    Args:
        options: Arguments of `tfdv.StatsOptions`. KFP passes every number as a float.

    Raises:
        RetrainerError: If TFDV does not have an option, or does not support its value.
    """
    settings = SketchSettings(check_options(options))
    try:
        _ = settings.generators
    except (TypeError, ValueError) as error:
        raise RetrainerError(f"TFDV rejects stats_options {dict(options)}: {error}.") from error
    return settings


def sketch_uri(part: SpanPart, settings: SketchSettings, as_float: Sequence[str] = ()) -> str:
    """Return the URI of a part's sketch."""
    name = f"sketch-{part.part}-{settings.key(as_float)}-tfdv{tfdv.__version__}.bin"
    return join(part.uri, name)


def column_blocks(columns: Sequence[str], settings: SketchSettings) -> list[tuple[str, ...]]:
    """Split columns into blocks that are sketched and merged one after the other, to limit memory.

    Args:
        columns: Names of the columns.
        settings: TFDV's options. A weight is needed beside every column, so with one there is a single block.

    Returns:
        At least one block.
    """
    if "weight_feature" in settings.options:
        return [tuple(columns)]
    starts = range(0, max(1, len(columns)), BLOCK_COLUMNS)
    return [tuple(columns[start : start + BLOCK_COLUMNS]) for start in starts]


def pack(
    accumulators: Sequence[Any], columns: Sequence[str], settings: SketchSettings
) -> tuple[Block, Statistics]:
    """Compact accumulators, as TFDV does before it sends them, and encode them as a block.

    Args:
        accumulators: One per generator; they are used up.
        columns: The columns that they are of.
        settings: TFDV's options.

    Returns:
        The block, and the statistics of its rows.
    """
    compact = [
        generator.compact(accumulator)
        for generator, accumulator in zip(settings.generators, accumulators, strict=True)
    ]
    block = Block.of(columns, encode_block(compact))
    return block, extract(compact, settings.generators)


def encode_sketch(packed: Sequence[tuple[Block, Statistics]]) -> bytes:
    """Encode packed blocks of the same rows as a sketch, with the statistics of all columns."""
    blocks = [block for block, _ in packed]
    statistics = join_columns([statistics for _, statistics in packed])
    return encode(statistics.SerializeToString(deterministic=True), blocks)


def settle(accumulators: Sequence[Any], batch: pa.RecordBatch, settings: SketchSettings) -> None:
    """Make the accumulators of a batch depend on its rows alone, not on the process."""
    for generator, accumulator in zip(settings.generators, accumulators, strict=True):
        if isinstance(generator, TopKUniquesSketchStatsGenerator):
            settle_batch(accumulator, batch, generator)


class AccumulatorMerge:
    """Merged accumulators, one per generator."""

    def __init__(self, settings: SketchSettings) -> None:
        """Start with empty accumulators.

        Args:
            settings: TFDV's options.
        """
        self._generators = settings.generators
        self._merged = [generator.create_accumulator() for generator in self._generators]
        self._extra = [
            ExtraItems(generator)
            if isinstance(generator, TopKUniquesSketchStatsGenerator)
            else None
            for generator in self._generators
        ]

    def add(self, accumulators: Sequence[Any]) -> None:
        """Merge accumulators, one per generator, which are used up."""
        for i, (generator, extra) in enumerate(zip(self._generators, self._extra, strict=True)):
            merged, other = self._merged[i], accumulators[i]
            self._merged[i] = (
                extra.merge(merged, other)
                if extra
                else generator.merge_accumulators([merged, other])
            )

    def result(self) -> list[Any]:
        """Return the merged accumulators, which change when more is merged."""
        for extra, merged in zip(self._extra, self._merged, strict=True):
            if extra:
                extra.settle(merged)
        return list(self._merged)
