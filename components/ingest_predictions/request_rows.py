"""Rows of the table made of requests, a block at a time."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..lib.predictions.prediction_table import ERROR, OK, make_table
from ..lib.source_rows.pseudonymize import hash_column
from .cells import cast_cells
from .logged import ORPHAN, LogFile, Logged, LoggedRequest, Unreadable
from .model_columns import ModelColumns
from .model_names import ModelNames
from .moments import Periods, choose_moment
from .payloads import to_numbers

WITHOUT_ID, UNVERSIONED, NOT_FINITE = "without_id", "unversioned", "not_finite"
"""What is counted of rows that are kept."""
NO_TIME = "nothing says when it came"
MISFIT = "a cell is not of its column's type"
NO_PREDICTION = "its prediction is no number, or not as many numbers as the model returns"
_NO_NUMBER = "the model returned no finite number"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ID_DIGITS = 32


class BlockRows(NamedTuple):
    """Rows of a block.

    Attributes:
        table: Rows of the table.
        spans: Number of the span of each.
    """

    table: pa.Table
    spans: np.ndarray


@dataclass
class SpanCounts:
    """What was counted of a span.

    Attributes:
        counts: Rows by what is counted of them.
        quarantined: Rows that are not in the table, by the reason.
        unknown_columns: Columns that requests have and the table has not, with the requests that were looked at.
    """

    counts: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    unknown_columns: Counter[str] = field(default_factory=Counter)


@dataclass
class _Cells:
    """Cells of a block, by what they are."""

    ids: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    spans: list[int] = field(default_factory=list)
    versions: list[int | None] = field(default_factory=list)
    variants: list[str | None] = field(default_factory=list)
    errors: list[str | None] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    latencies: list[float | None] = field(default_factory=list)
    instances: list[Any] = field(default_factory=list)
    answers: list[list[float] | None] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


class RequestRows:
    """Makes rows of requests."""

    def __init__(
        self,
        columns: ModelColumns,
        names: ModelNames,
        periods: Periods,
        tolerance: int,
        output: str,
        tail: int,
        quarantine: Callable[[int, LogFile, Unreadable], None],
        counts: Callable[[int], SpanCounts],
        wanted: Callable[[int], bool],
    ) -> None:
        """Take what is the same for all blocks.

        Args:
            columns: The columns of the table.
            names: What the log calls the registry's versions.
            periods: Spans.
            tolerance: By how much clocks may differ, in microseconds.
            output: The output that counts.
            tail: How long after a span's end answers of its requests may come, in microseconds.
            quarantine: Takes what can't be used: its span and file.
            counts: Returns the counts of a span.
            wanted: Returns whether a span is made.
        """
        self._columns, self._names, self._periods = columns, names, periods
        self._tolerance, self._output, self._tail = tolerance, output, tail
        self._quarantine, self._counts, self._wanted = quarantine, counts, wanted
        self._schema = columns.schema()

    @property
    def schema(self) -> pa.Schema:
        """The table's schema."""
        return self._schema

    def make(self, file: LogFile, block: Sequence[Logged]) -> BlockRows:
        """Make the rows of a block.

        Args:
            file: The file that it is of.
            block: Requests, and what could not be read. Those of spans that are not wanted are left out.
        """
        cells = _Cells()
        for one in block:
            self._add(file, one, cells)
        table, kept = self._to_table(file, cells)
        return BlockRows(table, np.array(cells.spans, np.int64)[kept])

    def _add(self, file: LogFile, one: Logged, cells: _Cells) -> None:
        moment = choose_moment(one.time, file.modified, self._tolerance)
        if moment is None:
            return
        span = self._periods.index(moment.time)
        if not self._wanted(span):
            return
        if isinstance(one, Unreadable):
            if one.reason == ORPHAN and moment.time - self._periods.start(span) < self._tail:
                # Its request is of the span before.
                return
            self._quarantine(span, file, one)
            return
        counts = self._counts(span).counts
        count = max(1, len(one.instances))
        if fault := one.time_fault or moment.fault:
            counts[fault] += count
        request_id = one.request_id
        if not request_id:
            request_id = _make_id(file, one)
            counts[WITHOUT_ID] += count
        version, known = self._names.version(one.model_version, one.variant, moment.time)
        if not known:
            counts[UNVERSIONED] += count
        failed = one.error is not None
        # A request that failed is a row, even if nobody knows what it asked.
        for index, instance in enumerate(one.instances or ({},)):
            answer, error = None, one.error
            if not failed and one.predictions is not None:
                answer = to_numbers(one.predictions[index], self._output)
                if answer is None or len(answer) != self._columns.outputs:
                    detail = f"{one.predictions[index]!r:.100}"
                    self._quarantine(span, file, Unreadable(NO_PREDICTION, one.line, detail=detail))
                    continue
                if any(value != value for value in answer):
                    answer, error = None, _NO_NUMBER
                    counts[NOT_FINITE] += 1
            cells.ids.append(request_id)
            cells.rows.append(one.first_row + index)
            cells.times.append(moment.time)
            cells.spans.append(span)
            cells.versions.append(version)
            cells.variants.append(one.variant or None)
            cells.errors.append(error)
            cells.rates.append(one.sample_rate)
            cells.latencies.append(one.latency_ms)
            cells.instances.append(instance)
            cells.answers.append(answer)
            cells.lines.append(one.line)

    def _to_table(self, file: LogFile, cells: _Cells) -> tuple[pa.Table, np.ndarray]:
        failed = np.array([answer is None for answer in cells.answers], bool)
        inputs, misfits = self._inputs(cells)
        kept = np.ones(len(failed), bool)
        for index, detail in misfits.items():
            # Why a request failed may be just that cell.
            if not failed[index]:
                kept[index] = False
                fault = Unreadable(MISFIT, cells.lines[index], detail=detail)
                self._quarantine(cells.spans[index], file, fault)
        nothing = [0.0] * self._columns.outputs
        numbers = [nothing if answer is None else answer for answer in cells.answers]
        predictions = np.array(numbers, np.float32).reshape(len(failed), self._columns.outputs)
        own = {
            "request_id": pa.array(cells.ids, pa.string()),
            "row": pa.array(cells.rows, pa.int64()),
            "occurred_at": pa.array(cells.times, pa.timestamp("us", "UTC")),
            "model_version": pa.array(cells.versions, pa.int64()),
            "variant": pa.array(cells.variants, pa.string()),
            "status": pa.array(np.where(failed, ERROR, OK).tolist(), pa.string()),
            "error": pa.array(cells.errors, pa.string()),
            "sample_rate": pa.array(cells.rates, pa.float64()),
            "latency_ms": pa.array(cells.latencies, pa.float64()),
        }
        table = make_table(self._schema, own, inputs, predictions, failed)
        if kept.all():
            return table, kept
        return table.filter(pa.array(kept)), kept

    def _inputs(self, cells: _Cells) -> tuple[list[pa.Array], dict[int, str]]:
        arrays, misfits = [], dict[int, str]()
        columns = self._columns
        for name, column_type in columns.types.items():
            array, faults = cast_cells(
                [instance.get(name) for instance in cells.instances], column_type
            )
            for index, fault in faults.items():
                misfits.setdefault(index, f"'{name}' {fault}")
            if name in columns.hashed:
                array = _hash(array, columns.hash_key)
            arrays.append(array)
        if cells.instances:
            for name in cells.instances[0]:
                if name not in columns.types:
                    self._counts(cells.spans[0]).unknown_columns[name] += 1
        return arrays, misfits


def _make_id(file: LogFile, one: LoggedRequest) -> str:
    content = b"\0".join([file.name.encode(), str(one.line).encode(), one.content])
    return hashlib.sha256(content).hexdigest()[:_ID_DIGITS]


def _hash(column: pa.Array, key: bytes) -> pa.Array:
    # What a model takes, its clients send hashed already.
    hashed = pc.fill_null(pc.match_substring_regex(column, f"^{_DIGEST.pattern}$"), False)
    return pc.if_else(hashed, column, hash_column(column, key))
