"""Sketching on Beam: TFDV's own combiner in a pipeline, for spans too large for one machine."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from tensorflow_data_validation.statistics import stats_impl

from ..lib.examples import SpanPart
from ..lib.files import write_atomic
from .batches import PartReader
from .sketches import SketchSettings, encode_sketch, pack, sketch_uri, split_columns


def make_on_beam(
    parts: Sequence[SpanPart], settings: SketchSettings, beam_args: Sequence[str]
) -> None:
    """Sketch parts on Beam; the workers write each sketch to its place beside the span.

    Args:
        parts: The parts. One without rows leaves no sketch.
        settings: TFDV's options.
        beam_args: Beam's own arguments, such as `--runner=DataflowRunner`.
    """
    options = dict(settings.options)
    files = [
        (i, SpanPart(part.span, part.uri, part.part, part.rows, (file,)))
        for i, part in enumerate(parts)
        for file in part.files
    ]
    with beam.Pipeline(options=pipeline_options(beam_args)) as pipeline:
        _ = (
            pipeline
            | "Files" >> beam.Create(files)
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.FlatMapTuple(_read)
            | "Sketch" >> beam.CombinePerKey(_SketchFn(settings.generators, options))
            | "Store" >> beam.Map(_store, list(parts), options)
        )


def pipeline_options(beam_args: Sequence[str]) -> PipelineOptions:
    """Read Beam's arguments.

    The DirectRunner gets Beam's in-process engine unless they say otherwise: newer releases of Beam
    may hand the pipeline to Prism, which downloads a program.
    """
    options = PipelineOptions(list(beam_args))
    local = options.view_as(StandardOptions).runner in (None, "DirectRunner")
    if local and not any(arg.startswith("--direct_running_mode") for arg in beam_args):
        options.view_as(DirectOptions).direct_running_mode = "in_memory"
    return options


@beam.typehints.with_input_types(pa.RecordBatch)
@beam.typehints.with_output_types(bytes)
class _SketchFn(stats_impl._CombinerStatsGeneratorsCombineFn):
    """TFDV's combiner, which gives its accumulators instead of the statistics made of them."""

    def __init__(self, generators: list[Any], options: Mapping[str, Any]) -> None:
        super().__init__(generators)
        self._options = options

    def extract_output(self, accumulator: Any) -> bytes:
        self._maybe_do_batch(accumulator, force=True)
        settings = SketchSettings(self._options)
        blocks = split_columns(accumulator.partial_accumulators, settings)
        return encode_sketch([pack(one, columns, settings) for columns, one in blocks])


def _read(index: int, part: SpanPart) -> Iterator[tuple[int, pa.RecordBatch]]:
    with ExitStack() as files:
        reader = PartReader(part, files)
        for batch in reader.list_batches(reader.columns):
            yield index, batch


def _store(
    sketch: tuple[int, bytes], parts: Sequence[SpanPart], options: Mapping[str, Any]
) -> None:
    index, content = sketch
    write_atomic(sketch_uri(parts[index], SketchSettings(options)), content)
