"""Scoring a span in this process: on all cores, block by block."""

import tempfile
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..lib.progress import progress
from ..lib.saved_models.saved_model import Model
from ..lib.source_files import SourceSpan
from ..lib.source_rows.downloads_ahead import DownloadsAhead
from ..lib.source_rows.span_reader import SpanReader, TypesChangedError
from ..lib.threads import ordered_map, read_ahead
from .row_scores import Scorer
from .source_predictions import (
    SourcePredictions,
    SourceWriter,
    SpanWork,
    cores,
    open_reader,
    scratch_of_sources,
)


def write_in_process(
    source: SourceSpan,
    version: str,
    work: SpanWork,
    model: Model,
    key: bytes,
    folder: Path,
    digests: MutableMapping[str, str],
) -> list[SourcePredictions]:
    """Score a span's rows.

    Args:
        source: The span.
        version: Digest of what its predictions are made of.
        work: What is the same for every span.
        model: The model.
        key: Key of private columns.
        folder: Where to write the files.
        digests: Digests of the sources by URI.

    Returns:
        What was written of each source, in order.
    """
    scorer = Scorer(model, work.wanted.names, work.wanted.settings.rows.hash, key)
    with (
        scratch_of_sources() as scratch,
        DownloadsAhead(source.files, tempfile.mkdtemp(dir=scratch), digests) as ahead,
    ):
        reader = open_reader(source, source.files, work, scratch, digests, ahead=ahead)
        # Mostly the types of the first block hold. Where they do not, a second pass knows those of the whole span.
        for _ in range(2):
            try:
                return _write(source, version, work, scorer, folder, reader)
            except TypesChangedError:
                for file in folder.iterdir():
                    file.unlink()
    raise AssertionError(f"span {source.name}: types changed in a pass that knew them")


def _write(
    source: SourceSpan,
    version: str,
    work: SpanWork,
    scorer: Scorer,
    folder: Path,
    reader: SpanReader,
) -> list[SourcePredictions]:
    written: list[SourcePredictions] = []
    writer = SourceWriter(source.name, version, 0, work, folder)
    done = 0
    with ThreadPoolExecutor(cores()) as pool:
        blocks = read_ahead(reader.read())
        for scored in ordered_map(pool, scorer.score, blocks, cores() + 1):
            while len(written) < scored.source:
                written.append(writer.close())
                writer = SourceWriter(source.name, version, len(written), work, folder)
            writer.add(scored)
            done += len(scored.numbers)
            progress(f"span {source.name}: {done:,} rows scored")
    written.append(writer.close())
    rest = range(len(written), len(source.files))
    required = work.wanted.required()
    required.check_names([*reader.types, *work.wanted.changes.derived], source.files[0].uri)
    return [*written, *map(SourcePredictions, rest)]
