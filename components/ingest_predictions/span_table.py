"""The table of one span: written aside, and published whole or not at all."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..lib.duplicate_keys import Duplicates
from ..lib.features import is_text
from ..lib.parquet_reader import open_parquet
from ..lib.parquet_writer import Encoding, PartFiles, RowFile
from ..lib.predictions.prediction_sets import INGEST_PREDICTIONS, RECORD_FILE
from ..lib.predictions.prediction_table import ERROR, FORMAT, input_column, read_columns
from ..lib.store import UNREADABLE_FILE
from .logged import LogFile, Unreadable
from .request_rows import SpanCounts

UNKNOWN = "unknown"
DUPLICATES = "duplicates"
# So many lines of a quarantine are kept; all are counted.
_MOST_KEPT = 1_000
_KEY = ("request_id", "row")


class SpanTable:
    """Gets the rows of a span, block by block.

    Attributes:
        counts: What was counted.
    """

    def __init__(self, folder: Path, scratch: Path, schema: pa.Schema, withheld: bool) -> None:
        """Begin a table.

        Args:
            folder: Gets its files; empty.
            scratch: Folder for what does not fit into memory.
            schema: Its columns.
            withheld: Whether what is quarantined may show private cells, and is left out of the quarantine.
        """
        self.counts = SpanCounts()
        self._folder = folder
        self._parts = PartFiles(folder, "part", schema, _encoding(schema))
        self._duplicates = Duplicates(_KEY, str(scratch))
        self._removed = RowFile(scratch / "duplicate.parquet", schema)
        self._withheld = withheld
        self._quarantine: list[dict[str, Any]] = []
        self._rows_by_file: dict[str, int] = {}

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self._parts.rows

    @property
    def first_fault(self) -> dict[str, Any] | None:
        """The first of what was quarantined; None if nothing was."""
        return self._quarantine[0] if self._quarantine else None

    def write(self, rows: pa.Table, file: LogFile) -> None:
        """Add rows.

        Args:
            rows: They have the table's columns.
            file: The file that they are of.
        """
        self.carry(rows)
        self._rows_by_file[file.uri] = self._rows_by_file.get(file.uri, 0) + len(rows)

    def carry(self, rows: pa.Table) -> None:
        """Add rows of an earlier table of the span."""
        count = len(rows)
        positions = np.arange(self._parts.rows, self._parts.rows + count)
        self._duplicates.add(rows, np.zeros(count, np.uint8), positions)
        self._parts.write(rows)

    def carry_counts(self, counts: Mapping[str, Any]) -> None:
        """Add what an earlier record of the span has counted."""
        self.counts.quarantined.update(counts.get("quarantined", {}))
        self.counts.counts.update(
            {name: count for name, count in counts.items() if name != "quarantined"}
        )

    def quarantine(self, file: LogFile, one: Unreadable) -> None:
        """Note what can't be used."""
        self.counts.quarantined[one.reason] += 1
        if len(self._quarantine) < _MOST_KEPT:
            self._quarantine.append(one.as_json(file.name, self._withheld))

    def close(self, about: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]) -> None:
        """Write what is left, and the record.

        Args:
            about: What else the record says: span, version and so on.
            sources: The files that it was made of, without their rows.
        """
        self._parts.close()
        parts = self._parts
        if replaced := self._duplicates.replaced():
            parts = parts.without(replaced[0], self._removed)
            self._removed.close()
            self.counts.counts[DUPLICATES] += self._removed.rows
        if self._quarantine:
            with open(self._folder / UNREADABLE_FILE, "w", encoding="utf-8") as file:
                for one in self._quarantine:
                    file.write(json.dumps(one, ensure_ascii=False) + "\n")
        tally = _count(self._folder, parts.files)
        known = [int(name) for name in tally["model_versions"] if name != UNKNOWN]
        record = {
            "format": FORMAT,
            **about,
            "files": parts.files,
            "rows": parts.rows,
            "model_version": known[0] if len(known) == len(tally["model_versions"]) == 1 else None,
            "model_digest": "",
            "scored": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "writer": INGEST_PREDICTIONS,
            **tally,
            "counts": {
                **dict(sorted(self.counts.counts.items())),
                "quarantined": dict(self.counts.quarantined.most_common()),
            },
            "unknown_columns": dict(self.counts.unknown_columns.most_common(_MOST_KEPT)),
            "sources": [
                {"rows": self._rows_by_file.get(source["uri"], 0), **source} for source in sources
            ],
        }
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        (self._folder / RECORD_FILE).write_text(text, encoding="utf-8")


def _count(folder: Path, files: Sequence[str]) -> dict[str, Any]:
    """Count the rows that stayed, by what played which part in them."""
    versions, variants, errors = Counter[str](), Counter[str](), 0
    for name in files:
        with open_parquet(str(folder / name)) as parquet:
            for batch in parquet.iter_batches(columns=["model_version", "variant", "status"]):
                for column, counter in zip(batch.columns, (versions, variants), strict=False):
                    for one in column.value_counts().to_pylist():
                        value = one["values"]
                        counter[UNKNOWN if value is None else str(value)] += one["counts"]
                errors += pc.sum(pc.equal(batch.column(2), ERROR)).as_py() or 0
    return {
        "errors": errors,
        "model_versions": dict(sorted(versions.items())),
        "variants": dict(sorted(variants.items())),
    }


def _encoding(schema: pa.Schema) -> Encoding:
    columns = read_columns(schema)
    texts = {one.name for one in schema if is_text(one.type)}
    distinct = {"request_id", "occurred_at", "latency_ms", *columns.predictions}
    distinct |= {input_column(name) for name in columns.key}
    return Encoding(
        [name for name in schema.names if name not in distinct],
        [name for name in schema.names if name not in texts],
    )
