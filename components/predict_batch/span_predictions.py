"""The predictions of one span: scored block by block, and published whole or not at all."""

import errno
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..lib.digests import digest_value
from ..lib.errors import RetrainerError
from ..lib.features import is_text
from ..lib.folders import publish_folder, remove_leftovers, scratch_folder
from ..lib.parquet_writer import Encoding, PartFiles
from ..lib.prediction_table import (
    BATCH,
    FORMAT,
    RECORD_FILE,
    PredictionSet,
    find_predictions,
    input_column,
    make_rows,
    prediction_columns,
    table_schema,
)
from ..lib.progress import progress
from ..lib.registry import ModelVersion
from ..lib.saved_model import Model
from ..lib.source_files import SourceSpan
from ..lib.source_rows.cell_rules import CellRules, Rules
from ..lib.source_rows.column_types import ColumnType
from ..lib.source_rows.span_reader import Opener, SpanReader, TypesChangedError
from ..lib.source_rows.span_sources import check_unchanged, digest_content, opener_of
from ..lib.span_discovery import read_fingerprints
from ..lib.stored_spans import LEFTOVER_SECONDS, VERSION_DIGITS
from ..lib.threads import ordered_map, read_ahead
from ..lib.uris import join, write_json
from .row_scores import ScoredRows, Scorer
from .settings import WantedColumns

# Part of every set's version: raised when other files would be written of the same rows.
PREDICT_VERSION = 2


@dataclass(frozen=True)
class SpanWork:
    """What is the same for every span.

    Attributes:
        model: The model, loaded.
        version: Its version in the registry.
        wanted: The columns.
        types: Types of columns that are not inferred.
        key: Key of private columns.
        occurred: When each span began, by name; spans whose names are no dates are left out.
    """

    model: Model
    version: ModelVersion
    wanted: WantedColumns
    types: dict[str, ColumnType]
    key: bytes
    occurred: dict[str, datetime]


def predict_span(source: SourceSpan, home: str, work: SpanWork) -> tuple[PredictionSet, bool]:
    """Score a span, unless the same rows were scored with the same model and settings.

    Args:
        source: The span's files.
        home: Folder of the span's predictions.
        work: What is the same for every span.

    Returns:
        The predictions, and whether they were there before.

    Raises:
        RetrainerError: If the span can't be read or scored; nothing is stored then.
    """
    fingerprints = read_fingerprints(source.files)
    digests: dict[str, str] = {}
    content = digest_content(source, digests)
    name = _version_of(source, content, work)
    uri = join(home, name)
    if known := find_predictions(uri):
        return known, True
    remove_leftovers(home, LEFTOVER_SECONDS)
    try:
        with (
            scratch_folder(join(home, "new")) as folder,
            tempfile.TemporaryDirectory(prefix="retrainer-") as scratch,
        ):
            try:
                written = _Writer(source, name, work, folder, scratch, digests).write()
            finally:
                # A file that is being written has faults of its own, which are not what to fix.
                check_unchanged(source, fingerprints)
            _check_errors(source.name, written, work)
            write_json(str(folder / RECORD_FILE), {"content": content, **written})
            publish_folder(folder, uri, RECORD_FILE)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RetrainerError(
                f"span {source.name}: the disk is full ('{home}', or temporary files in '{tempfile.gettempdir()}'). "
                "Free some space and run again. Nothing half-written is left."
            ) from error
        raise
    found = find_predictions(uri)
    if found is None:
        raise RetrainerError(
            f"span {source.name}: '{uri}' was removed right after it was written. Run again."
        )
    return found, False


def _version_of(source: SourceSpan, content: str, work: SpanWork) -> str:
    settings = work.wanted.settings
    made_of = [
        PREDICT_VERSION,
        FORMAT,
        content,
        source.name,
        work.version.digest,
        work.version.version,
        settings.rows.digest(work.key),
        list(work.wanted.names),
        sorted((name, one.value) for name, one in work.types.items()),
        str(work.occurred.get(source.name, "")),
    ]
    return digest_value(made_of)[:VERSION_DIGITS]


def _check_errors(span: str, written: dict[str, Any], work: SpanWork) -> None:
    rows, errors, most = written["rows"], written["errors"], work.wanted.settings.max_errors
    if errors > most * rows:
        raise RetrainerError(
            f"span {span}: {errors:,} of {rows:,} rows could not be scored, more than the share of {most:g} that "
            f"predict.max_errors allows. The first: row {written['first_error'][0]} of "
            f"'{written['first_error'][1]}': {written['first_error'][2]}. Fix the source, or allow more."
        )


class _Writer:
    """Writes one span's files."""

    def __init__(
        self,
        source: SourceSpan,
        name: str,
        work: SpanWork,
        folder: Path,
        scratch: str,
        digests: dict[str, str],
    ) -> None:
        self._source = source
        self._name = name
        self._work = work
        self._folder = folder
        self._scratch = scratch
        self._digests = digests
        self._schema: pa.Schema | None = None
        self._encoding = Encoding()
        self._parts: dict[int, PartFiles] = {}
        self._errors: dict[int, int] = {}
        self._first_error: tuple[int, str, str] | None = None

    def write(self) -> dict[str, Any]:
        settings = self._work.wanted.settings.rows
        usual = settings.cell_rules
        in_path = {name for file in self._source.files for name, _ in file.partitions}
        rules = Rules(usual.usual, {**usual.known, **dict.fromkeys(in_path, CellRules(()))})
        reader = SpanReader(
            [(file.uri, self._opener(file)) for file in self._source.files],
            {**dict.fromkeys(in_path, ColumnType.TEXT), **self._work.types},
            self._work.wanted.required(),
            rules,
            settings.strict,
            self._work.wanted.changes,
            only=self._work.wanted.read,
            keep_faulty=True,
        )
        # Mostly the types of the first block hold. Where they do not, a second pass knows those of the whole span.
        for _ in range(2):
            try:
                return self._write(reader)
            except TypesChangedError:
                for file in self._folder.iterdir():
                    file.unlink()
        raise AssertionError(f"span {self._source.name}: types changed in a pass that knew them")

    def _opener(self, file: Any) -> Opener:
        wanted = self._work.wanted
        options = replace(wanted.settings.rows.source_options, only=wanted.source_columns)
        return opener_of(file, options, self._source.name, self._scratch, self._digests)

    def _write(self, reader: SpanReader) -> dict[str, Any]:
        self._schema, self._parts, self._errors, self._first_error = None, {}, {}, None
        work = self._work
        scorer = Scorer(work.model, work.wanted.names, work.wanted.settings.rows.hash, work.key)
        cores = _cores()
        done = 0
        with ThreadPoolExecutor(cores) as pool:
            blocks = read_ahead(reader.read())
            for scored in ordered_map(pool, scorer.score, blocks, cores + 1):
                self._add(scored)
                done += len(scored.numbers)
                progress(f"span {self._source.name}: {done:,} rows scored")
        self._close_last()
        derived = work.wanted.changes.derived
        work.wanted.required().check_names([*reader.types, *derived], self._source.files[0].uri)
        return self._record()

    def _add(self, scored: ScoredRows) -> None:
        if self._schema is None:
            outputs = scored.predictions.reshape(len(scored.numbers), -1).shape[1]
            about = {
                "span": self._source.name,
                "version": self._name,
                "model_version": self._work.version.version,
                "model_digest": self._work.version.digest,
            }
            wanted = self._work.wanted
            self._schema = table_schema(
                scored.inputs.schema,
                outputs,
                list(wanted.kinds),
                wanted.settings.rows.key,
                about,
            )
            self._encoding = _encoding(self._schema, wanted.settings.rows.key, outputs)
        if scored.source not in self._parts:
            self._close_last()
            self._parts[scored.source] = PartFiles(
                self._folder, f"part-{scored.source:05d}", self._schema, self._encoding
            )
            self._errors[scored.source] = 0
        count = len(scored.numbers)
        moment = self._work.occurred.get(self._source.name)
        table = make_rows(
            self._schema,
            scored.inputs,
            scored.predictions,
            request_id=f"{self._source.name}-{self._name}-{scored.source:05d}",
            rows=scored.numbers,
            model_version=self._work.version.version,
            variant=BATCH,
            errors=scored.errors,
            occurred_at=None
            if moment is None
            else pa.array(np.full(count, np.datetime64(moment, "us"))).cast(
                pa.timestamp("us", "UTC")
            ),
        )
        self._parts[scored.source].write(table)
        self._errors[scored.source] += scored.failed
        if scored.failed and self._first_error is None:
            index = next(i for i, one in enumerate(scored.errors or ()) if one is not None)
            file = os.path.basename(self._source.files[scored.source].uri)
            reason = (scored.errors or [""])[index] or ""
            self._first_error = (int(scored.numbers[index]), file, reason)

    def _close_last(self) -> None:
        if self._parts:
            self._parts[max(self._parts)].close()

    def _record(self) -> dict[str, Any]:
        sources = [
            {
                "uri": file.uri,
                "bytes": file.size,
                "rows": self._parts[number].rows if number in self._parts else 0,
                "errors": self._errors.get(number, 0),
            }
            for number, file in enumerate(self._source.files)
        ]
        return {
            "format": FORMAT,
            "span": self._source.name,
            "version": self._name,
            "files": [name for part in self._parts.values() for name in part.files],
            "rows": sum(one["rows"] for one in sources),
            "errors": sum(one["errors"] for one in sources),
            "first_error": self._first_error,
            "model_version": self._work.version.version,
            "model_digest": self._work.version.digest,
            "sources": sources,
            "scored": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }


def _encoding(schema: pa.Schema, key: Sequence[str], outputs: int) -> Encoding:
    texts = {one.name for one in schema if is_text(one.type)}
    distinct = {"row", *prediction_columns(outputs), *map(input_column, key)} - texts
    return Encoding(
        [name for name in schema.names if name not in distinct],
        [name for name in schema.names if name not in texts],
    )


def _cores() -> int:
    # A container may be given fewer than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
