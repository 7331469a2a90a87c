"""Signals on the records of a log: those that could not be used, and those whose clock is wrong.

`ingest_predictions` counts both when it makes a table; tables of batch prediction have none.
"""

from collections import Counter
from collections.abc import Iterator

from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.predictions.prediction_sets import INGEST_PREDICTIONS, RECORD_FILE
from ...lib.uris import join, read_json
from ...lib.words import percent, plural
from ..look import Look

UNUSABLE, CLOCKS = "unusable records", "clocks of requests"
"""Subjects of the signals."""
# These formats have no times, so a row without one is no surprise.
_WITHOUT_TIMES = ("kserve_parquet", "prediction_log")
_CLOCK_COUNTS = ("clock_ahead", "clock_differs")
# A few are nobody's fault.
_LEAST = 3
_REASONS_SHOWN = 3


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge the records of a window."""
    of_logs = [
        prediction_set
        for prediction_set in look.current
        if prediction_set.writer == INGEST_PREDICTIONS
    ]
    if not of_logs:
        return
    reasons, clocks, timeless, rows = Counter[str](), 0, 0, 0
    for log in of_logs:
        record = read_json(join(log.uri, RECORD_FILE))
        counts = record.get("counts") or {}
        reasons.update(counts.get("quarantined") or {})
        clocks += sum(counts.get(name, 0) for name in _CLOCK_COUNTS)
        if record.get("source") not in _WITHOUT_TIMES:
            timeless += counts.get("without_time", 0)
        rows += log.rows
    bound = float(look.section("data").get("max_unusable", 0.05))
    yield _unusable(reasons, rows, bound)
    yield _clocks(clocks, timeless, rows, bound)


def _unusable(reasons: Counter[str], rows: int, bound: float) -> Signal:
    count = reasons.total()
    if not count:
        meaning = "every record of the log could be used"
        return Signal(Kind.DATA, UNUSABLE, Outcome.OK, meaning, 0.0, bound)
    share = count / (rows + count)
    most = ", ".join(f"{one} ({number:,})" for one, number in reasons.most_common(_REASONS_SHOWN))
    meaning = (
        f"{plural(count, 'record')} of the log, {percent(share)}, can't be used: {most}. At most {percent(bound)} may. "
        "The records are in unreadable.jsonl beside the table"
    )
    return Signal(
        Kind.DATA,
        UNUSABLE,
        _outcome(count, share, bound),
        meaning,
        share,
        bound,
        evidence={"reasons": dict(reasons.most_common()), "rows": rows},
    )


def _clocks(count: int, timeless: int, rows: int, bound: float) -> Signal:
    share = count / rows if rows else 0.0
    meaning = (
        f"{plural(count, 'request')}, {percent(share)}, have a wrong time, hours from when they were logged; the log's "
        f"time counts. At most {percent(bound)} may"
        if count
        else "no request has a time hours from when it was logged"
    )
    if timeless:
        # Logs without times are usual, so this alone is no breach.
        meaning = f"{meaning}; {timeless:,} without a readable time count at their file's"
    return Signal(
        Kind.DATA,
        CLOCKS,
        _outcome(count, share, bound),
        meaning,
        share,
        bound,
        evidence={"rows": rows, "without_time": timeless},
    )


def _outcome(count: int, share: float, bound: float) -> Outcome:
    return Outcome.BREACHED if count >= _LEAST and share > bound else Outcome.OK
