"""The predictions of one source of a span: its rows, scored, in files of their own."""

import os
import tempfile
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..lib.features import is_text
from ..lib.parquet_writer import Encoding, PartFiles
from ..lib.predictions.prediction_table import (
    BATCH,
    input_column,
    make_rows,
    prediction_columns,
    table_schema,
)
from ..lib.registry.registry import ModelVersion
from ..lib.source_files import SourceFile, SourceSpan
from ..lib.source_rows.cell_rules import CellRules, Rules
from ..lib.source_rows.column_types import ColumnType
from ..lib.source_rows.downloads_ahead import DownloadsAhead
from ..lib.source_rows.inferred_column import InferredColumn
from ..lib.source_rows.parsed_files import Opener, files_ahead
from ..lib.source_rows.span_reader import SpanReader
from ..lib.source_rows.span_sources import opener_of
from .row_scores import ScoredRows
from .settings import WantedColumns


@dataclass(frozen=True)
class SpanWork:
    """What is the same for every span.

    Attributes:
        version: The model's version in the registry.
        wanted: The columns.
        types: Types of columns that are not inferred.
        occurred: When each span began, by name; spans whose names are no dates are left out.
    """

    version: ModelVersion
    wanted: WantedColumns
    types: Mapping[str, ColumnType]
    occurred: Mapping[str, datetime]


@dataclass(frozen=True)
class SourcePredictions:
    """What was written of one source.

    Attributes:
        number: Which of the span's sources it is, from 0.
        files: Names of the files; none for a source without rows.
        rows: How many rows they have.
        errors: How many of them have no prediction.
        first_error: The first of those: its place in the source, from 0, and why; None if there is none.
        folder: The folder that the files are in, below the one that the span is written to; empty for that one.
    """

    number: int
    files: tuple[str, ...] = ()
    rows: int = 0
    errors: int = 0
    first_error: tuple[int, str] | None = None
    folder: str = ""


class SourceWriter:
    """Writes the files of one source."""

    def __init__(self, span: str, version: str, number: int, work: SpanWork, folder: Path) -> None:
        """Begin a source.

        Args:
            span: Name of the span.
            version: Digest of what its predictions are made of.
            number: Which of its sources this is, from 0.
            work: What is the same for every span.
            folder: Where to write.
        """
        self._span = span
        self._version = version
        self._number = number
        self._work = work
        self._folder = folder
        self._schema: pa.Schema | None = None
        self._part: PartFiles | None = None
        self._errors = 0
        self._first_error: tuple[int, str] | None = None

    def add(self, scored: ScoredRows) -> None:
        """Write rows of the source."""
        if self._part is None:
            self._begin(scored)
        assert self._schema
        assert self._part
        count = len(scored.numbers)
        moment = self._work.occurred.get(self._span)
        table = make_rows(
            self._schema,
            scored.inputs,
            scored.predictions,
            request_id=f"{self._span}-{self._version}-{self._number:05d}",
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
        self._part.write(table)
        self._errors += scored.failed
        if scored.failed and self._first_error is None:
            index = next(i for i, error in enumerate(scored.errors or ()) if error is not None)
            reason = (scored.errors or [""])[index] or ""
            self._first_error = (int(scored.numbers[index]), reason)

    def close(self) -> SourcePredictions:
        """End the last file."""
        if self._part is None:
            return SourcePredictions(self._number)
        self._part.close()
        return SourcePredictions(
            self._number,
            tuple(self._part.files),
            self._part.rows,
            self._errors,
            self._first_error,
        )

    def _begin(self, scored: ScoredRows) -> None:
        wanted, version = self._work.wanted, self._work.version
        key = wanted.settings.rows.key
        outputs = scored.outputs or scored.predictions.reshape(len(scored.numbers), -1).shape[1]
        about = {
            "span": self._span,
            "version": self._version,
            "model_version": version.version,
            "model_digest": version.digest,
        }
        self._schema = table_schema(scored.inputs.schema, outputs, list(wanted.kinds), key, about)
        self._part = PartFiles(
            self._folder,
            f"part-{self._number:05d}",
            self._schema,
            _encoding(self._schema, key, outputs),
        )


def open_reader(
    source: SourceSpan,
    files: Sequence[SourceFile],
    work: SpanWork,
    scratch: str,
    digests: MutableMapping[str, str],
    known: Mapping[str, InferredColumn] = {},
    ahead: DownloadsAhead | None = None,
) -> SpanReader:
    """Return what reads sources of a span, every row of them.

    Args:
        source: The span.
        files: Those of its sources to read.
        work: What is the same for every span.
        scratch: Folder for copies.
        digests: Digests of the sources by URI.
        known: The columns of the whole span, where `files` are a part of it.
        ahead: Fetches files before they are opened.
    """
    settings = work.wanted.settings.rows
    types = types_of(source, work)
    usual = settings.cell_rules
    in_path = _in_path(source)
    options = replace(settings.source_options, only=work.wanted.source_columns)

    def opener(file: SourceFile) -> Opener:
        return opener_of(file, options, source.name, scratch, digests, ahead)

    return SpanReader(
        [(file.uri, opener(file)) for file in files],
        types,
        work.wanted.required(),
        Rules(usual.usual, {**usual.known, **dict.fromkeys(in_path, CellRules(()))}),
        settings.strict,
        work.wanted.changes,
        only=work.wanted.read,
        keep_faulty=True,
        known=known,
        files_ahead=files_ahead(files),
    )


def types_of(source: SourceSpan, work: SpanWork) -> dict[str, ColumnType]:
    """Return the types of columns that are not inferred, those in the paths of a span's files included."""
    return {**dict.fromkeys(_in_path(source), ColumnType.TEXT), **work.types}


def scratch_of_sources() -> "tempfile.TemporaryDirectory[str]":
    """Make a temporary folder for copies of sources."""
    return tempfile.TemporaryDirectory(prefix="retrainer-")


def cores() -> int:
    """Return how many cores this process may use: a container may be given fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_path(source: SourceSpan) -> set[str]:
    return {name for file in source.files for name, _ in file.partitions}


def _encoding(schema: pa.Schema, key: Sequence[str], outputs: int | Mapping[str, int]) -> Encoding:
    texts = {column.name for column in schema if is_text(column.type)}
    distinct = {"row", *prediction_columns(outputs), *map(input_column, key)} - texts
    return Encoding(
        [name for name in schema.names if name not in distinct],
        [name for name in schema.names if name not in texts],
    )
