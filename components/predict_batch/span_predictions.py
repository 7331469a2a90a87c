"""The predictions of one span: scored in this process or on Beam, and published whole or not at all."""

import errno
import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ..lib.digests import digest_value
from ..lib.errors import RetrainerError
from ..lib.folders import publish_folder, remove_leftovers, scratch_folder
from ..lib.predictions.prediction_sets import (
    PREDICT_BATCH,
    RECORD_FILE,
    PredictionSet,
    check_writer,
    find_predictions,
)
from ..lib.predictions.prediction_table import FORMAT
from ..lib.saved_models.saved_model import Model
from ..lib.source_files import SourceSpan
from ..lib.source_rows.span_sources import check_unchanged, digest_content
from ..lib.spans.span_discovery import read_fingerprints
from ..lib.spans.stored_spans import LEFTOVER_SECONDS, VERSION_DIGITS
from ..lib.uris import join, write_json
from .in_process import write_in_process
from .source_predictions import SourcePredictions, SpanWork

# Part of every set's version: raised when other files would be written of the same rows.
PREDICT_VERSION = 2


def predict_span(
    source: SourceSpan,
    home: str,
    work: SpanWork,
    model: Model,
    key: bytes,
    beam_args: Sequence[str] = (),
) -> tuple[PredictionSet, bool]:
    """Score a span, unless the same rows were scored with the same model and settings.

    Args:
        source: The span's files.
        home: Folder of the span's predictions.
        work: What is the same for every span.
        model: The model, loaded.
        key: Key of private columns.
        beam_args: Beam's own options; none scores in this process.

    Returns:
        The predictions, and whether they were there before.

    Raises:
        RetrainerError: If the span can't be read or scored; nothing is stored then.
    """
    fingerprints = read_fingerprints(source.files)
    digests: dict[str, str] = {}
    content = digest_content(source, digests)
    name = _version_of(source, content, work, key)
    uri = join(home, name)
    if known := find_predictions(uri):
        return known, True
    check_writer(home, PREDICT_BATCH)
    remove_leftovers(home, LEFTOVER_SECONDS)

    def check() -> None:
        # A file that is being written has faults of its own, which are not what to fix.
        check_unchanged(source, fingerprints)

    def record(written: Sequence[SourcePredictions]) -> dict[str, Any]:
        made = {"content": content, **_record(source, name, work, written)}
        _check_errors(source.name, made, work)
        return made

    try:
        if beam_args:
            # It imports Beam.
            from .on_beam import publish, side_folder, write_on_beam

            with side_folder(home, beam_args) as side:
                try:
                    written = write_on_beam(source, name, work, key, side, beam_args)
                finally:
                    check()
                publish(side, written, uri, record(written))
        else:
            with scratch_folder(join(home, "new")) as folder:
                try:
                    written = write_in_process(source, name, work, model, key, folder, digests)
                finally:
                    check()
                write_json(str(folder / RECORD_FILE), record(written))
                publish_folder(folder, uri, RECORD_FILE)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RetrainerError(
                f"span {source.name}: the disk is full ('{home}', or temporary files in '{tempfile.gettempdir()}'). "
                "Free some space and run again. Nothing half-written is left."
            ) from error
        raise
    made = find_predictions(uri)
    if made is None:
        raise RetrainerError(
            f"span {source.name}: '{uri}' was removed right after it was written. Run again."
        )
    return made, False


def _version_of(source: SourceSpan, content: str, work: SpanWork, key: bytes) -> str:
    settings = work.wanted.settings
    made_of = [
        PREDICT_VERSION,
        FORMAT,
        content,
        source.name,
        work.version.digest,
        work.version.version,
        settings.rows.digest(key),
        list(work.wanted.names),
        sorted((name, one.value) for name, one in work.types.items()),
        str(work.occurred.get(source.name, "")),
    ]
    return digest_value(made_of)[:VERSION_DIGITS]


def _check_errors(span: str, record: dict[str, Any], work: SpanWork) -> None:
    rows, errors, most = record["rows"], record["errors"], work.wanted.settings.max_errors
    if errors > most * rows:
        raise RetrainerError(
            f"span {span}: {errors:,} of {rows:,} rows could not be scored, more than the share of {most:g} that "
            f"predict.max_errors allows. The first: row {record['first_error'][0]} of "
            f"'{record['first_error'][1]}': {record['first_error'][2]}. Fix the source, or allow more."
        )


def _record(
    source: SourceSpan, name: str, work: SpanWork, written: Sequence[SourcePredictions]
) -> dict[str, Any]:
    sources = [
        {"uri": file.uri, "bytes": file.size, "rows": one.rows, "errors": one.errors}
        for file, one in zip(source.files, written, strict=True)
    ]
    first = next((of_source for of_source in written if of_source.first_error), None)
    first_error = None
    if first and first.first_error:
        place, reason = first.first_error
        first_error = (place, os.path.basename(source.files[first.number].uri), reason)
    return {
        "format": FORMAT,
        "span": source.name,
        "version": name,
        "files": [file for of_source in written for file in of_source.files],
        "rows": sum(of_source.rows for of_source in written),
        "errors": sum(of_source.errors for of_source in written),
        "first_error": first_error,
        "model_version": work.version.version,
        "model_digest": work.version.digest,
        "sources": sources,
        "scored": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
