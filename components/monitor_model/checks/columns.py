"""Signals on the columns that the champion is sent: missing, without values, constant, or not what the schema says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.predictions.prediction_sets import PredictionSet
from ...lib.statistics.dataset import Column, Dataset
from ...lib.statistics.prediction_statistics import input_statistics
from ...lib.words import percent, plural
from ..look import Look
from ..serving_schema import Misfit, find_misfits

# Fewer rows say nothing about a column.
_MIN_ROWS = 30
# Spans that show what is usual; fewer do not say that a column always varies.
_MOST_USUAL, _MIN_USUAL = 14, 3
# Rows have one value by chance with this probability at most.
_BY_CHANCE = 1e-6


@dataclass(frozen=True)
class _Seen:
    """A column in some spans.

    Attributes:
        rows: Rows of the spans.
        filled: Rows that have a value; NaN is none.
        constant: The only value, as text; None if there are several or none.
        shares: Share of the rows that have a value, by value, as far as it is known.
    """

    rows: int = 0
    filled: int = 0
    constant: str | None = None
    shares: Mapping[str, float] = field(default_factory=dict)

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
    now = [_read(look, prediction_set) for prediction_set in look.current]
    before = [_read(look, prediction_set) for prediction_set in look.earlier[-1:]]
    names = dict.fromkeys(name for one in (*before, *now) for name in one.columns)
    misfits = find_misfits(look, now)
    for name in names:
        usual = [_see(name, [_read(look, prediction_set)]) for prediction_set in _clean(look, name)]
        is_there = any(name in one.columns for one in now)
        yield _judge(look, name, is_there, _see(name, now), usual, misfits.get(name, ()))


def _read(look: Look, found: PredictionSet) -> Dataset:
    return look.share(("inputs", found.uri), lambda: Dataset(input_statistics(found)))


def _clean(look: Look, name: str) -> list[PredictionSet]:
    """Return the newest earlier spans in which a column was not broken, so that a breakage never becomes usual."""
    broken = look.broken_before.get(name, ())
    return [prediction_set for prediction_set in look.earlier if prediction_set.span not in broken][
        -_MOST_USUAL:
    ]


def _see(name: str, datasets: Sequence[Dataset]) -> _Seen:
    columns = [dataset.columns[name] for dataset in datasets if name in dataset.columns]
    filled = [(column, _filled(column)) for column in columns]
    constants = {one.constant for one, count in filled if count}
    return _Seen(
        sum(dataset.rows for dataset in datasets),
        sum(count for _, count in filled),
        constants.pop() if len(constants) == 1 else None,
        _shares(columns[0]) if len(columns) == 1 and columns[0].filled else {},
    )


def _shares(column: Column) -> dict[str, float]:
    if column.is_number:
        return {"0": column.feature.num_stats.num_zeros / column.filled}
    return {value: count / column.filled for value, count in list(column.counts.items())[:1]}


def _is_constant_by_chance(now: _Seen, usual: Sequence[_Seen]) -> bool:
    """Return whether rows that all have one value are no surprise: some spans had one, or it is nearly all there is."""
    if len(usual) < _MIN_USUAL or not all(one.varies for one in usual):
        return True
    most = max(one.shares.get(now.constant or "", 0.0) for one in usual)
    return most**now.filled > _BY_CHANCE


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
    usual: Sequence[_Seen],
    misfits: Sequence[Misfit],
) -> Signal:
    evidence = {"column": name, "rows": now.rows, "missing": now.rows - now.filled}
    if misfits:
        evidence["anomalies"] = [misfit.anomaly for misfit in misfits]
    if now.rows < _MIN_ROWS:
        meaning = f"{plural(now.rows, 'row')}, too few to judge"
        return Signal(Kind.DATA, name, Outcome.SILENT, meaning, evidence=evidence)
    if not is_there:
        meaning = f"column {name} is missing: the requests do not have it any more"
        return Signal(Kind.DATA, name, Outcome.BREACHED, meaning, evidence=evidence)
    share = now.missing_share
    missing = max((one.missing_share for one in usual), default=0.0)
    bound = max(missing, _allowed(look, name)) + float(
        look.section("data").get("max_missing", 0.05)
    )
    if share > bound:
        what = "all values" if not now.filled else f"{percent(share)} of the values"
        meaning = f"{what} of {name} are missing; at most {percent(bound)} may be"
        return Signal(Kind.DATA, name, Outcome.BREACHED, meaning, share, bound, evidence=evidence)
    if now.constant is not None and not _is_constant_by_chance(now, usual):
        spans = plural(len(usual), "span")
        meaning = f"every row has the value '{now.constant[:60]}' in {name}, and each of the {spans} before had several"
        return Signal(Kind.DATA, name, Outcome.BREACHED, meaning, share, bound, evidence=evidence)
    breaking = [misfit for misfit in misfits if misfit.is_breakage]
    if breaking:
        meaning = f"{name}: {'; '.join(dict.fromkeys(misfit.words for misfit in breaking))}"
        return Signal(Kind.DATA, name, Outcome.BREACHED, meaning, share, bound, evidence=evidence)
    meaning = f"{percent(share)} of the values are missing; at most {percent(bound)} may be"
    if misfits:
        meaning = f"{meaning}; {'; '.join(dict.fromkeys(misfit.words for misfit in misfits))}"
    return Signal(Kind.DATA, name, Outcome.OK, meaning, share, bound, evidence=evidence)


def _allowed(look: Look, name: str) -> float:
    """Return the share of missing values that the champion's schema allows."""
    schema = look.find_schema()
    for feature in schema.feature if schema else ():
        if feature.name == name and feature.HasField("presence"):
            return 1.0 - float(feature.presence.min_fraction)
    return 0.0
