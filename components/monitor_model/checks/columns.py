"""Signals on the columns that the champion is sent: missing, without values, constant, or not what the schema says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...lib.dataset import Column, Dataset
from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.prediction_table import PredictionSet
from ...lib.statistics.prediction_statistics import input_statistics
from ...lib.words import percent, plural
from ..look import Look
from ..serving_schema import Misfit, find_misfits

# Fewer rows say nothing about a column.
_MIN_ROWS = 30


@dataclass(frozen=True)
class _Seen:
    """A column in some spans.

    Attributes:
        rows: Rows of the spans.
        filled: Rows that have a value; NaN is none.
        constant: The only value, as text; None if there are several or none.
    """

    rows: int = 0
    filled: int = 0
    constant: str | None = None

    @property
    def missing_share(self) -> float:
        return 1 - self.filled / self.rows if self.rows else 0.0

    @property
    def varies(self) -> bool:
        return bool(self.filled) and self.constant is None


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge the columns of a window's requests."""
    if not look.current:
        return
    now = [_read(look, one) for one in look.current]
    before = [_read(look, one) for one in look.earlier[-1:]]
    names = dict.fromkeys(name for one in (*before, *now) for name in one.columns)
    misfits = find_misfits(look, now)
    for name in names:
        seen = _see(name, now)
        clean = _newest_clean(look, name)
        usual = _see(name, [_read(look, clean)]) if clean else None
        is_there = any(name in one.columns for one in now)
        yield _judge(look, name, is_there, seen, usual, misfits.get(name, ()))


def _read(look: Look, found: PredictionSet) -> Dataset:
    return look.share(("inputs", found.uri), lambda: Dataset(input_statistics(found)))


def _newest_clean(look: Look, name: str) -> PredictionSet | None:
    """Return the newest earlier span in which a column was not broken, so that a breakage never becomes usual."""
    broken = look.broken_before.get(name, ())
    return next((one for one in reversed(look.earlier) if one.span not in broken), None)


def _see(name: str, datasets: Sequence[Dataset]) -> _Seen:
    columns = [one.columns[name] for one in datasets if name in one.columns]
    filled = [(one, _filled(one)) for one in columns]
    constants = {one.constant for one, count in filled if count}
    return _Seen(
        sum(one.rows for one in datasets),
        sum(count for _, count in filled),
        constants.pop() if len(constants) == 1 else None,
    )


def _filled(column: Column) -> int:
    if not column.is_number:
        return column.filled
    histograms = column.feature.num_stats.histograms
    return column.filled - (int(histograms[0].num_nan) if histograms else 0)


def _judge(
    look: Look,
    name: str,
    is_there: bool,
    now: _Seen,
    usual: _Seen | None,
    misfits: Sequence[Misfit],
) -> Signal:
    evidence = {"column": name, "rows": now.rows, "missing": now.rows - now.filled}
    if misfits:
        evidence["anomalies"] = [one.anomaly for one in misfits]
    if now.rows < _MIN_ROWS:
        meaning = f"{plural(now.rows, 'row')}, too few to judge"
        return Signal(Kind.DATA, name, Outcome.SILENT, meaning, evidence=evidence)
    if not is_there:
        meaning = f"column {name} is missing: the requests do not have it any more"
        return Signal(Kind.DATA, name, Outcome.BREACHED, meaning, evidence=evidence)
    share = now.missing_share
    missing = usual.missing_share if usual else 0.0
    bound = max(missing, _allowed(look, name)) + float(
        look.section("data").get("max_missing", 0.05)
    )
    if share > bound:
        what = "all values are" if not now.filled else f"{percent(share)} of the values are"
        meaning = f"{what} missing; at most {percent(bound)} may be"
        return Signal(Kind.DATA, name, Outcome.BREACHED, meaning, share, bound, evidence=evidence)
    if now.constant is not None and usual and usual.varies:
        meaning = f"every row has the value '{now.constant[:60]}', and the rows before had several"
        return Signal(Kind.DATA, name, Outcome.BREACHED, meaning, share, bound, evidence=evidence)
    breaking = [one for one in misfits if one.is_breakage]
    if breaking:
        meaning = "; ".join(dict.fromkeys(one.words for one in breaking))
        return Signal(Kind.DATA, name, Outcome.BREACHED, meaning, share, bound, evidence=evidence)
    meaning = f"{percent(share)} of the values are missing; at most {percent(bound)} may be"
    if misfits:
        meaning = f"{meaning}; {'; '.join(dict.fromkeys(one.words for one in misfits))}"
    return Signal(Kind.DATA, name, Outcome.OK, meaning, share, bound, evidence=evidence)


def _allowed(look: Look, name: str) -> float:
    """Return the share of missing values that the champion's schema allows."""
    schema = look.find_schema()
    for feature in schema.feature if schema else ():
        if feature.name == name and feature.HasField("presence"):
            return 1.0 - float(feature.presence.min_fraction)
    return 0.0
