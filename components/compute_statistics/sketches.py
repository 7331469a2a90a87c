"""Sketches: TFDV's mergeable accumulators of a span part."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl

from ..lib.errors import RetrainerError
from ..lib.examples import SpanPart, to_list_batch
from ..lib.files import digest_value, join
from ..lib.statistics import Feature, Statistics, features_by_name
from .sketch_format import SketchFile, decode, encode, statistics_of

# Rows of a batch shrink as columns grow, so that a batch stays within a few dozen megabytes.
BATCH_CELLS = 4_000_000
BATCH_ROWS = 65_536
MIN_BATCH_ROWS = 1_000

# Part of every sketch's name: raised when the same rows would make another sketch.
_VERSION = 2
# TFDV's options that are plain values and that its in-memory accumulators honour.
_OPTION_NAMES = (
    "epsilon",
    "feature_allowlist",
    "frequency_threshold",
    "num_histogram_buckets",
    "num_quantiles_histogram_buckets",
    "num_rank_histogram_buckets",
    "num_top_values",
    "num_values_histogram_buckets",
    "weight_feature",
    "weighted_frequency_threshold",
)


@dataclass(frozen=True)
class SketchSettings:
    """How sketches are made; part of the name of their files.

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
        return stats_impl.get_generators(self.stats_options, in_memory=True)

    def key(self, as_float: Sequence[str]) -> str:
        """Name what determines a sketch besides the rows and TFDV's version."""
        return digest_value([_VERSION, dict(self.options), sorted(as_float)])[:12]


def parse_options(options: Mapping[str, Any]) -> SketchSettings:
    """Check options that a user gave, in TFDV's words.

    Args:
        options: Arguments of `tfdv.StatsOptions`. KFP hands every number over as a float.

    Raises:
        RetrainerError: If TFDV has no such option, or the option is no plain value.
    """
    defaults = inspect.signature(tfdv.StatsOptions.__init__).parameters
    checked = {}
    for name, value in options.items():
        if name not in _OPTION_NAMES:
            near = get_close_matches(name, _OPTION_NAMES, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise RetrainerError(
                f"stats_options has '{name}', which can't be passed to TFDV here.{hint} "
                f"It takes {', '.join(_OPTION_NAMES)}."
            )
        whole = isinstance(defaults[name].default, int)
        checked[name] = int(value) if whole and isinstance(value, float) else value
    settings = SketchSettings(checked)
    try:
        _ = settings.generators
    except (TypeError, ValueError) as error:
        raise RetrainerError(f"TFDV refuses stats_options {dict(options)}: {error}.") from error
    return settings


def sketch_uri(part: SpanPart, settings: SketchSettings, as_float: Sequence[str] = ()) -> str:
    """Name the file of a part's sketch."""
    name = f"sketch-{part.part}-{settings.key(as_float)}-tfdv{tfdv.__version__}.bin"
    return join(part.uri, name)


def make_sketch(part: SpanPart, settings: SketchSettings, as_float: Sequence[str] = ()) -> bytes:
    """Sketch the rows of a part, batch by batch.

    Args:
        part: The part.
        settings: TFDV's options.
        as_float: Integer columns to take as floating point, because they are in other spans.

    Returns:
        The sketch in its file format.
    """
    accumulators = [generator.create_accumulator() for generator in settings.generators]
    for batch in list_batches(part, as_float):
        partial = stats_impl.generate_partial_statistics_in_memory(
            batch, settings.stats_options, settings.generators
        )
        accumulators = merge_accumulators([accumulators, partial], settings)
    return pack(accumulators, settings)


def pack(accumulators: Sequence[Any], settings: SketchSettings) -> bytes:
    """Compact accumulators, as TFDV does before it sends them anywhere, and write them as a sketch.

    Args:
        accumulators: One per generator.
        settings: TFDV's options.

    Returns:
        The sketch in its file format, with the statistics of its rows.
    """
    compact = [
        generator.compact(accumulator)
        for generator, accumulator in zip(settings.generators, accumulators, strict=True)
    ]
    made_by = {"tensorflow_data_validation": tfdv.__version__}
    content = encode(SketchFile(made_by, compact, b""))
    # Extracting ends a quantile sketch's life, so it gets a copy.
    statistics = extract(decode(content).accumulators, settings)
    statistics_bytes = statistics.SerializeToString(deterministic=True)
    return encode(SketchFile(made_by, compact, statistics_bytes))


def merge_accumulators(sets: Sequence[Sequence[Any]], settings: SketchSettings) -> list[Any]:
    """Merge sets of accumulators into the first of them."""
    return [
        generator.merge_accumulators([accumulators[i] for accumulators in sets])
        for i, generator in enumerate(settings.generators)
    ]


def extract(accumulators: Sequence[Any], settings: SketchSettings) -> Statistics:
    """Turn accumulators into statistics; the accumulators are used up."""
    return stats_impl.extract_statistics_output(list(accumulators), settings.generators)


def merge_sketches(contents: Sequence[bytes], settings: SketchSettings) -> Statistics:
    """Give the statistics of several parts together.

    Args:
        contents: Their sketches.
        settings: The options that they were made with.

    Returns:
        What TFDV computes over all of their rows in one pass: counts, moments, and distinct counts
        up to 16,384 exactly; quantiles and, in columns of more than 1,024 distinct values, top
        values within the sketches' error.
    """
    if not contents:
        empty = [generator.create_accumulator() for generator in settings.generators]
        return extract(empty, settings)
    if len(contents) == 1:
        return Statistics.FromString(statistics_of(contents[0]))
    merged = decode(contents[0]).accumulators
    for content in contents[1:]:
        merged = merge_accumulators([merged, decode(content).accumulators], settings)
    return extract(merged, settings)


def column_types(content: bytes) -> dict[str, int]:
    """Tell the TFDV type of each column of a sketch."""
    statistics = Statistics.FromString(statistics_of(content))
    return {name: feature.type for name, feature in features_by_name(statistics).items()}


def list_batches(part: SpanPart, as_float: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
    """Read a part as list batches, the form that TFDV takes.

    Args:
        part: The part.
        as_float: Integer columns to hand over as floating point.

    Yields:
        Batches of at most `BATCH_ROWS` rows, fewer where there are many columns.
    """
    for name in part.files:
        file = SpanPart(part.span, part.uri, part.part, part.rows, (name,))
        rows = min(BATCH_ROWS, max(MIN_BATCH_ROWS, BATCH_CELLS // max(1, column_count(file))))
        for batch in file.iter_batches(rows=rows):
            yield to_list_batch(_cast(batch, as_float))


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
                f"{numbers}, so {where} has no statistics of it. Make the source agree, or drop "
                "the column (data.drop)."
            )
    return tuple(sorted(name for name, kinds in seen.items() if len(kinds) > 1))


def column_count(part: SpanPart) -> int:
    """Count the columns of a part, 0 if it has no rows."""
    batches = part.iter_batches(rows=1)
    first = next(batches, None)
    return first.num_columns if first is not None else 0


def _cast(batch: pa.RecordBatch, as_float: Sequence[str]) -> pa.RecordBatch:
    wanted = [name for name in as_float if name in batch.schema.names]
    if not wanted:
        return batch
    columns = [
        pc.cast(column, pa.float64(), safe=False) if name in wanted else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
