"""Writing the files of a span: its parts, and the quarantined rows."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..lib.duplicate_keys import Duplicates
from ..lib.examples import EVAL, TRAIN
from ..lib.parquet_writer import PartFiles, RowFile
from ..lib.source_rows.cell_rules import CellRules, Rules
from ..lib.source_rows.column_types import ColumnType
from ..lib.source_rows.inferred_column import MISSING_WORDS
from ..lib.source_rows.parsed_files import Opener
from ..lib.source_rows.pseudonymize import hash_column
from ..lib.source_rows.required_columns import RequiredColumns
from ..lib.source_rows.settings import HASH, IngestSettings
from ..lib.source_rows.sources.base import BadRow
from ..lib.source_rows.span_reader import Rows, SpanReader, TypesChangedError
from ..lib.store import DUPLICATE_FILE, UNLABELLED_FILE, UNREADABLE_FILE, UNWEIGHTED_FILE
from ..lib.threads import read_ahead
from .hash_split import hash_fractions
from .span_checks import check_bad_rows, check_columns, check_number

ALL = "all"
_LABEL_IS = "0 or 1, a class from 0 up, or a quantity"
_WEIGHT_IS = "0 or more"


@dataclass(frozen=True)
class SpanFiles:
    """What was written of a span.

    Attributes:
        parts: Rows and files of each part.
        counts: Rows read, kept, unlabelled, unweighted, unreadable, duplicate.
        columns: Arrow type of each column, as text.
        source_columns: Every column of the sources, those included that were left out.
        notes: Decisions about cells that could mean something else: `column`, `kind`, `rows`, `examples` and `reason`;
            see `Note`.
    """

    parts: dict[str, dict[str, Any]]
    counts: dict[str, int]
    columns: dict[str, str]
    source_columns: list[str]
    notes: list[dict[str, Any]] = field(default_factory=list)


def declared_types(
    settings: IngestSettings, schema_types: Mapping[str, ColumnType]
) -> dict[str, ColumnType]:
    """List the types that are not inferred from the cells.

    Args:
        settings: Private columns are text, whatever they look like: their digests must not depend on it.
        schema_types: What the schema declares, where the settings do not.
    """
    said = {name: ColumnType(value) for name, value in settings.types.items()}
    return {**schema_types, **said, **dict.fromkeys(settings.hash, ColumnType.TEXT)}


def write_span_files(
    span: str,
    sources: Sequence[tuple[str, Opener]],
    settings: IngestSettings,
    key: bytes,
    declared: Mapping[str, ColumnType],
    folder: Path,
    scratch: Path,
    in_path: Collection[str] = (),
    files_ahead: int = 0,
) -> SpanFiles:
    """Read a span's sources, clean their rows, and write them.

    Args:
        span: The span's name.
        sources: How each of its sources is opened, with its URI.
        settings: How rows are cleaned and split.
        key: The key of private columns.
        declared: Types that are not inferred.
        folder: Gets the files; empty.
        scratch: Folder for what does not fit into memory.
        in_path: Columns in the sources' paths, whose cells are read as they are.
        files_ahead: How many sources are parsed beside the one whose rows are cleaned.

    Returns:
        What was written.

    Raises:
        RetrainerError: If the span can't be used.
    """
    usual = settings.cell_rules
    rules = Rules(usual.usual, {**usual.known, **dict.fromkeys(in_path, CellRules(()))})
    reader = SpanReader(
        sources,
        declared,
        RequiredColumns.of(settings),
        rules,
        settings.strict,
        settings.changes,
        files_ahead=files_ahead,
        dropped=settings.dropped_sources,
    )
    # Mostly the types of the first block hold. Where they do not, a second pass knows those of the whole span.
    for attempt in ("1", "2"):
        spill = scratch / f"keys-{attempt}"
        spill.mkdir(parents=True)
        try:
            return _Writer(span, settings, key, folder, spill).write(reader)
        except TypesChangedError:
            for file in folder.iterdir():
                file.unlink()
    raise AssertionError(f"span {span}: the types of columns changed in a pass that knew them")


class _Prepared(NamedTuple):
    """Rows that are ready to be written.

    Attributes:
        labelled: Those that have a label and a weight.
        parts: The number of the part that each of them belongs to.
        unlabelled: Those that have no label.
        unweighted: Those of the others that have no weight.
        bad: Those that could not be read.
    """

    labelled: pa.Table
    parts: np.ndarray
    unlabelled: pa.Table
    unweighted: pa.Table
    bad: Sequence[BadRow]


class _Writer:
    """One attempt at a span's files."""

    def __init__(
        self, span: str, settings: IngestSettings, key: bytes, folder: Path, scratch: Path
    ) -> None:
        self._span = span
        self._settings = settings
        self._key = key
        self._folder = folder
        self._duplicates = Duplicates(settings.key, str(scratch)) if settings.key else None
        self._bad: list[BadRow] = []
        self._unreadable = 0

    def write(self, reader: SpanReader) -> SpanFiles:
        blocks = read_ahead(reader.read())
        first = next(blocks)
        check_columns(self._span, self._settings, first, blocks, reader.excluded)
        weight = self._settings.weight
        for label in self._settings.labels:
            check_number(self._span, label, "label", _LABEL_IS, first, blocks)
        if weight:
            check_number(self._span, weight, "weight", _WEIGHT_IS, first, blocks)
        schema = first.table.schema
        names = (TRAIN, EVAL) if self._settings.split == HASH else (ALL,)
        parts = {name: PartFiles(self._folder, name, schema) for name in names}
        unlabelled = RowFile(self._folder / UNLABELLED_FILE, schema)
        unweighted = RowFile(self._folder / UNWEIGHTED_FILE, schema)
        with open(self._folder / UNREADABLE_FILE, "w", encoding="utf-8") as quarantine:
            for prepared in read_ahead(map(self._prepare, chain([first], blocks))):
                self._quarantine(prepared.bad, quarantine)
                unlabelled.write(prepared.unlabelled)
                unweighted.write(prepared.unweighted)
                self._write_parts(prepared.labelled, prepared.parts, list(parts.values()))
        for part in parts.values():
            part.close()
        for aside in (unlabelled, unweighted):
            aside.close()
            if not aside.rows:
                aside.path.unlink()
        if not self._unreadable:
            (self._folder / UNREADABLE_FILE).unlink()
        labelled_rows = sum(part.rows for part in parts.values())
        parts = self._without_duplicates(parts, schema)
        kept = sum(part.rows for part in parts.values())
        counts = {
            "read": labelled_rows + unlabelled.rows + unweighted.rows + self._unreadable,
            "kept": kept,
            "unlabelled": unlabelled.rows,
            "unweighted": unweighted.rows,
            "unreadable": self._unreadable,
            "duplicate": labelled_rows - kept,
        }
        check_bad_rows(self._span, counts, self._settings.max_bad_rows, self._bad)
        return SpanFiles(
            parts={name: {"rows": part.rows, "files": part.files} for name, part in parts.items()},
            counts=counts,
            columns={column.name: str(column.type) for column in schema},
            source_columns=[*reader.types, *sorted(reader.excluded)],
            notes=[
                {"column": name, **asdict(note)}
                for name, notes in reader.notes().items()
                for note in notes
                # The words are those of the settings, and nobody's.
                if name not in self._settings.hash or note.kind == MISSING_WORDS
            ],
        )

    def _quarantine(self, rows: Sequence[BadRow], quarantine: TextIO) -> None:
        # A row that could not be taken apart may show private cells anywhere.
        withheld = bool(self._settings.hash or self._settings.drop)
        for row in rows:
            kept = replace(row, text="", cell="") if withheld else row
            quarantine.write(json.dumps(kept.as_json(), ensure_ascii=False) + "\n")
        self._unreadable += len(rows)
        if not self._bad and rows:
            self._bad = [replace(rows[0], text="", cell="") if withheld else rows[0]]

    def _prepare(self, rows: Rows) -> _Prepared:
        labelled, unlabelled = _divide(self._hash_private(rows.table), self._settings.labels)
        unweighted = labelled.slice(0, 0)
        if self._settings.weight:
            labelled, unweighted = _divide(labelled, [self._settings.weight], least=0)
        parts = np.zeros(len(labelled), np.uint8)
        if self._settings.split == HASH:
            parts[self._in_eval(labelled)] = 1
        return _Prepared(labelled, parts, unlabelled, unweighted, rows.bad)

    def _hash_private(self, rows: pa.Table) -> pa.Table:
        for name in self._settings.hash:
            position = rows.column_names.index(name)
            hashed = hash_column(rows.column(name), self._key)
            rows = rows.set_column(position, rows.schema.field(name), hashed)
        return rows

    def _write_parts(self, rows: pa.Table, numbers: np.ndarray, parts: Sequence[PartFiles]) -> None:
        positions = np.empty(len(rows), np.int64)
        for number, part in enumerate(parts):
            of_part = numbers == number
            positions[of_part] = np.arange(part.rows, part.rows + of_part.sum())
            part.write(rows if of_part.all() else rows.filter(pa.array(of_part)))
        if self._duplicates:
            self._duplicates.add(rows, numbers, positions)

    def _in_eval(self, rows: pa.Table) -> np.ndarray:
        columns = self._settings.split_by or self._settings.key or rows.column_names
        batch = rows.combine_chunks().to_batches()
        fractions = np.concatenate([np.empty(0), *(hash_fractions(one, columns) for one in batch)])
        return fractions < self._settings.eval_fraction

    def _without_duplicates(
        self, parts: Mapping[str, PartFiles], schema: pa.Schema
    ) -> dict[str, PartFiles]:
        if self._duplicates is None or not (replaced := self._duplicates.replaced()):
            return dict(parts)
        removed = RowFile(self._folder / DUPLICATE_FILE, schema)
        rest = {
            name: part.without(replaced[number], removed) if number in replaced else part
            for number, (name, part) in enumerate(parts.items())
        }
        removed.close()
        return rest


def _divide(
    rows: pa.Table, names: Sequence[str], least: float | None = None
) -> tuple[pa.Table, pa.Table]:
    """Divide rows into those whose cells are finite numbers, not below the least one, and the others."""
    known = pa.chunked_array([np.ones(len(rows), bool)])
    for name in names:
        column = rows.column(name)
        valid = column.is_valid()
        if pa.types.is_floating(column.type):
            valid = pc.fill_null(pc.is_finite(column), False)
        if least is not None and not pa.types.is_null(column.type):
            valid = pc.and_(valid, pc.fill_null(pc.greater_equal(column, least), False))
        known = pc.and_(known, valid)
    if pc.all(known).as_py():
        return rows, rows.slice(0, 0)
    return rows.filter(known), rows.filter(pc.invert(known))
