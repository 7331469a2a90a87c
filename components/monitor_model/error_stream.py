"""The champion's errors as a stream through change detectors, span by span, with a state that goes on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ..lib.monitoring.change_detectors import Adwin, Ddm, PageHinkley

DEVIATIONS, CHANCE_DEVIATIONS = 4.0, 2.0
"""By so many standard deviations between spans, and by chance, the error must have risen, beside what ADWIN finds.

ADWIN's confidence covers chance, but not that days differ. With three deviations between spans there were 0.7 false
alarms in 200 spans of 5,000 rows whose weekends are harder (`bench/concept_drift.py`): ADWIN chooses where the rise
begins, which favours a large one."""
RECENT_SPANS = 7
"""The newest spans whose error is the present one: a week of days, so that no weekend is the present alone."""
FEWEST_SPANS = 7
"""Spans from which their own deviation is known: a week of days."""
UNSEEN_DEVIATION = 0.05
"""With fewer spans their deviation is taken to be this share of the error at least: a weekend may not have come yet."""
_CHUNKS = 10


@dataclass(frozen=True)
class Errors:
    """Errors of rows in the order of time.

    Attributes:
        loss: Between 0 and 1.
        wrong: 1 for a row that is wrong, else 0.
    """

    loss: np.ndarray
    wrong: np.ndarray


@dataclass(frozen=True)
class SpanError:
    """The error of a span.

    Attributes:
        span: Its name.
        version: Version of its rows with labels.
        rows: How many rows went through the detectors.
        mean: Their mean loss.
    """

    span: str
    version: str
    rows: int
    mean: float


@dataclass(frozen=True)
class Alarm:
    """A rise that ADWIN found and that has not gone back.

    Attributes:
        span: The span in which it was found.
        place: Number of spans before it.
        before: Mean of the rows that ADWIN dropped.
        after: Mean of the rows that stayed.
    """

    span: str
    place: int
    before: float
    after: float


@dataclass(frozen=True)
class Rise:
    """How the present error compares with the one before.

    Attributes:
        usual: Mean error of the spans before; of the reference, if there are none.
        present: Mean error of the newest spans.
        spans: How many these are.
        bound: Above it the present error is more than the spans vary.
        deviation: The deviation between spans, beyond what chance explains.
    """

    usual: float
    present: float
    spans: int
    bound: float
    deviation: float


@dataclass(frozen=True)
class ErrorStream:
    """Detectors after some spans.

    Attributes:
        adwin: ADWIN on the loss.
        page_hinkley: Page-Hinkley on the loss.
        ddm: DDM on wrong rows.
        usual: Mean loss of the reference.
        row_deviation: Deviation of the loss of a row in the reference.
        chunk_deviation: Deviation of the mean loss between tenths of the reference.
        spans: The spans, oldest first.
        alarm: The rise that stands; None for none.
        found: The newest span in which each of the other two detectors found a change.
    """

    adwin: Adwin
    page_hinkley: PageHinkley
    ddm: Ddm
    usual: float
    row_deviation: float
    chunk_deviation: float
    spans: tuple[SpanError, ...] = ()
    alarm: Alarm | None = None
    found: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls, reference: Errors, delta: float) -> "ErrorStream":
        """Begin with the errors of the reference, so that a model that is worse from its first day on is found.

        Args:
            reference: Errors of the reference.
            delta: ADWIN's confidence.
        """
        adwin, page_hinkley, ddm = Adwin(delta=delta), PageHinkley(), Ddm()
        adwin.update(reference.loss)
        page_hinkley.update(reference.loss)
        ddm.update(reference.wrong)
        parts = [float(one.mean()) for one in np.array_split(reference.loss, _CHUNKS) if len(one)]
        return cls(
            adwin,
            page_hinkley,
            ddm,
            float(reference.loss.mean()),
            float(reference.loss.std()),
            float(np.std(parts, ddof=1)) if len(parts) > 1 else 0.0,
        )

    @property
    def rows(self) -> int:
        """How many rows of spans went through."""
        return sum(span.rows for span in self.spans)

    def add(self, span: str, version: str, errors: Errors) -> "ErrorStream":
        """Return the stream after one more span, which may be without rows.

        Args:
            span: The span.
            version: Version of its rows with labels.
            errors: Its errors.
        """
        copy = ErrorStream.of(self.content())
        adwin, page_hinkley, ddm = copy.adwin, copy.page_hinkley, copy.ddm
        alarm, found = self.alarm, dict(self.found)
        for cut in adwin.update(errors.loss):
            if cut.after > cut.before and alarm is None:
                alarm = Alarm(span, len(self.spans), cut.before, cut.after)
        if page_hinkley.update(errors.loss):
            found["page_hinkley"] = span
        if ddm.update(errors.wrong):
            found["ddm"] = span
        if alarm and adwin.mean <= (alarm.before + alarm.after) / 2:
            alarm = None
        rows = len(errors.loss)
        mean = float(errors.loss.mean()) if rows else math.nan
        spans = (*self.spans, SpanError(span, version, rows, mean))
        return replace(copy, spans=spans, alarm=alarm, found=found)

    def rise(self) -> Rise:
        """Compare the newest spans with those before: before the alarm if one stands.

        The bound is four deviations of the difference of both means by what differs between spans, and two by chance:
        so neither weekends nor days that differ by nature are a change, however many rows they have.
        """
        place = self.alarm.place if self.alarm else max(0, len(self.spans) - 1)
        before = [span for span in self.spans[:place] if span.rows]
        after = [span for span in self.spans[place:] if span.rows][-RECENT_SPANS:]
        if not after:
            before, after = before[:-1], before[-1:]
        usual = float(np.mean([span.mean for span in before])) if before else self.usual
        present = float(np.mean([span.mean for span in after])) if after else self.usual
        rows = float(np.mean([span.rows for span in after])) if after else math.inf
        chance = self.row_deviation / math.sqrt(rows)
        if len(before) >= FEWEST_SPANS:
            spread = float(np.var([span.mean for span in before], ddof=1))
            between = math.sqrt(max(0.0, spread - chance**2))
        else:
            between = max(self.chunk_deviation, UNSEEN_DEVIATION * usual)
        parts = math.sqrt(1 / max(1, len(after)) + 1 / max(1, len(before)))
        bound = usual + math.hypot(DEVIATIONS * between, CHANCE_DEVIATIONS * chance) * parts
        return Rise(usual, present, len(after), bound, between)

    def content(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "adwin": self.adwin.content(),
            "page_hinkley": self.page_hinkley.content(),
            "ddm": self.ddm.content(),
            "usual": self.usual,
            "row_deviation": self.row_deviation,
            "chunk_deviation": self.chunk_deviation,
            "spans": [
                {**asdict(span), "mean": span.mean if span.rows else None} for span in self.spans
            ],
            "alarm": asdict(self.alarm) if self.alarm else None,
            "found": dict(self.found),
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "ErrorStream":
        """Read what `content` returned."""
        spans = [
            SpanError(
                span["span"],
                span["version"],
                span["rows"],
                math.nan if span["mean"] is None else span["mean"],
            )
            for span in content["spans"]
        ]
        return cls(
            Adwin.of(content["adwin"]),
            PageHinkley.of(content["page_hinkley"]),
            Ddm.of(content["ddm"]),
            content["usual"],
            content["row_deviation"],
            content["chunk_deviation"],
            tuple(spans),
            Alarm(**content["alarm"]) if content["alarm"] else None,
            dict(content["found"]),
        )


def common_spans(known: Sequence[SpanError], wanted: Sequence[tuple[str, str]]) -> int:
    """Count the first spans that are the same in both: so many need not be read again.

    Args:
        known: Spans of a stream.
        wanted: Names and versions, in order.
    """
    count = 0
    for one, (span, version) in zip(known, wanted, strict=False):
        if (one.span, one.version) != (span, version):
            break
        count += 1
    return count
