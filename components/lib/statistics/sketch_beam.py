"""Sketching on Beam: the files of spans side by side, for spans too large for one machine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import apache_beam as beam

from ..engine.pipelines import open_engine
from ..engine.places import worker_part
from ..engine.work_items import WorkItems
from ..examples import SpanPart
from ..uris import exists, join, read_bytes, write_atomic
from .part_reader import PartReader
from .sketch_file import Block, decode_block, encode_block
from .sketch_threads import sketch_file
from .sketches import (
    AccumulatorMerge,
    SketchSettings,
    column_blocks,
    encode_sketch,
    pack,
    sketch_uri,
)


class _FileSketch(NamedTuple):
    """A worker's sketch of some columns of a file.

    Attributes:
        block: Number of the block of columns.
        file: Number of the file within its part.
        packed: The columns and their accumulators.
    """

    block: int
    file: int
    packed: Block


def make_on_beam(
    parts: Sequence[SpanPart], settings: SketchSettings, beam_args: Sequence[str]
) -> dict[SpanPart, bytes]:
    """Sketch parts on Beam; the workers write each sketch beside its span.

    Args:
        parts: The parts. One without files gets no sketch.
        settings: TFDV's options.
        beam_args: Beam's own arguments, such as `--runner=DataflowRunner`.

    Returns:
        The sketches that the workers may not write there.
    """
    options = dict(settings.options)
    shared = [worker_part(part) for part in parts]
    files = [
        (number, i, file)
        for number, part in enumerate(shared)
        for i, file in enumerate(part.one_by_one())
    ]
    uris = [part.uri for part in shared]
    with open_engine("compute_statistics", beam_args, uris) as engine:
        with engine.pipeline() as pipeline:
            _ = (
                pipeline
                | "Files" >> WorkItems(files)
                | "Sketch" >> beam.FlatMap(_sketch, options)
                | "Gather" >> beam.GroupByKey()
                | "Store" >> beam.Map(_store, shared, options, engine.folder)
            )
        asides = {part: _aside_uri(engine.folder, i) for i, part in enumerate(parts)}
        return {part: read_bytes(uri) for part, uri in asides.items() if exists(uri)}


def _aside_uri(folder: str, number: int) -> str:
    return join(folder, "sketches", str(number))


def _sketch(
    source: tuple[int, int, SpanPart], options: Mapping[str, Any]
) -> Iterator[tuple[int, _FileSketch]]:
    part, number, file = source
    settings = SketchSettings(options)
    with ExitStack() as files:
        names = PartReader(file, files).columns
    for block, columns in enumerate(column_blocks(names, settings)):
        content = encode_block(sketch_file(file, columns, settings))
        yield part, _FileSketch(block, number, Block.of(columns, content))


def _store(
    of_part: tuple[int, Iterable[_FileSketch]],
    parts: Sequence[SpanPart],
    options: Mapping[str, Any],
    folder: str,
) -> None:
    number, sketches = of_part
    settings = SketchSettings(options)
    blocks: dict[int, list[Block]] = {}
    for sketch in sorted(sketches):
        blocks.setdefault(sketch.block, []).append(sketch.packed)
    packed = []
    for files in blocks.values():
        merging = AccumulatorMerge(settings)
        for file in files:
            merging.add(decode_block(file.unpacked()))
        packed.append(pack(merging.result(), files[0].columns, settings))
    content = encode_sketch(packed)
    try:
        write_atomic(sketch_uri(parts[number], settings), content)
    except PermissionError:
        # The task notes it, and goes on as it does where it computes them itself.
        write_atomic(_aside_uri(folder, number), content)
