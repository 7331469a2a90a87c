"""Signals on the columns that the champion is sent: missing, without values, constant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.prediction_table import PredictionSet
from ...lib.words import percent, plural
from ..look import Look

# Fewer rows say nothing about a column.
_MIN_ROWS = 30


@dataclass
class _Column:
    """What was seen of a column."""

    rows: int = 0
    missing: int = 0
    value: Any = None
    varies: bool = False

    def add(self, array: pa.Array) -> None:
        self.rows += len(array)
        absent = pc.is_null(array, nan_is_null=True)
        count = pc.sum(absent).as_py() or 0
        self.missing += count
        if self.varies or count == len(array):
            return
        there = array.filter(pc.invert(absent))
        first = there[0]
        if self.value is None:
            self.value = first.as_py()
        self.varies = first.as_py() != self.value or not pc.all(pc.equal(there, first)).as_py()

    @property
    def missing_share(self) -> float:
        return self.missing / self.rows if self.rows else 0.0


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge the columns of a window's requests."""
    if not look.current:
        return
    columns = look.columns(look.current[-1])
    before = look.columns(look.earlier[-1]) if look.earlier else columns
    names = list(dict.fromkeys((*before.features, *columns.features)))
    now = _read(look, look.current, names)
    usual = _read_usual(look, names)
    for name in names:
        yield _judge(look, name, name in columns.features, now[name], usual.get(name))


def _read_usual(look: Look, names: Sequence[str]) -> dict[str, _Column]:
    """Read each column in the newest earlier span in which it was not broken; leave out one that has none."""
    of_span: dict[str, list[str]] = {}
    for name in names:
        broken = look.broken_before.get(name, ())
        clean = next((one.span for one in reversed(look.earlier) if one.span not in broken), None)
        if clean is not None:
            of_span.setdefault(clean, []).append(name)
    found: dict[str, _Column] = {}
    for one in look.earlier:
        found |= _read(look, [one], of_span.get(one.span, []))
    return found


def _read(look: Look, sets: Sequence[PredictionSet], names: list[str]) -> dict[str, _Column]:
    found = {name: _Column() for name in names}
    for one in sets if names else ():
        inputs = look.columns(one).inputs
        table = [inputs.get(name, name) for name in names]
        for batch in look.batches(one, table, of_champion=False):
            for name, array in zip(names, batch.columns, strict=True):
                found[name].add(array)
    return found


def _judge(look: Look, name: str, is_there: bool, now: _Column, usual: _Column | None) -> Signal:
    subject, evidence = name, {"column": name, "rows": now.rows, "missing": now.missing}
    if not is_there:
        meaning = f"column {name} is missing: the requests do not have it any more"
        return Signal(Kind.DATA, subject, Outcome.BREACHED, meaning, evidence=evidence)
    if now.rows < _MIN_ROWS:
        meaning = f"{plural(now.rows, 'row')}, too few to judge"
        return Signal(Kind.DATA, subject, Outcome.SILENT, meaning, evidence=evidence)
    share = now.missing_share
    missing = usual.missing_share if usual else 0.0
    bound = max(missing, _allowed(look, name)) + float(
        look.section("data").get("max_missing", 0.05)
    )
    if share > bound:
        what = "all values are" if share == 1 else f"{percent(share)} of the values are"
        meaning = f"{what} missing; at most {percent(bound)} may be"
        return Signal(
            Kind.DATA, subject, Outcome.BREACHED, meaning, share, bound, evidence=evidence
        )
    if not now.varies and now.value is not None and usual and usual.varies:
        meaning = (
            f"every row has the value {str(now.value)[:60]!r}, and the rows before had several"
        )
        return Signal(
            Kind.DATA, subject, Outcome.BREACHED, meaning, share, bound, evidence=evidence
        )
    meaning = f"{percent(share)} of the values are missing; at most {percent(bound)} may be"
    return Signal(Kind.DATA, subject, Outcome.OK, meaning, share, bound, evidence=evidence)


def _allowed(look: Look, name: str) -> float:
    """Return the share of missing values that the champion's schema allows."""
    try:
        schema = look.schema
    except FileNotFoundError:
        return 0.0
    for feature in schema.feature:
        if feature.name == name and feature.HasField("presence"):
            return 1.0 - float(feature.presence.min_fraction)
    return 0.0
