"""How mature labels are: which share of the predictions has its label, by age, and whether these are like the others.

It is computed from the records of joined sets alone, so it loads no NumPy and no Arrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist

from ..moments import with_offset
from ..predictions.joined_sets import Compared, Coverage, JoinedSet

AGES = (
    ("1 hour", timedelta(hours=1)),
    ("6 hours", timedelta(hours=6)),
    ("1 day", timedelta(days=1)),
    ("2 days", timedelta(days=2)),
    ("1 week", timedelta(days=7)),
    ("30 days", timedelta(days=30)),
)
"""Upper bounds of the ages that shares are given for; older predictions have an age of their own."""
OLDER = "older"
_NORMAL = NormalDist()


@dataclass(frozen=True)
class AgeShare:
    """Predictions of one age.

    Attributes:
        age: Their age, such as `1 day`: at most so old, and older than the age before.
        rows: Predictions, each weighed by 1 / sample_rate.
        labelled: Those that have a label, weighed alike.
    """

    age: str
    rows: float
    labelled: float


@dataclass(frozen=True)
class Maturity:
    """The maturity of labels at one time. All counts are weighed by 1 / sample_rate.

    Attributes:
        rows: Predictions that can have a label.
        labelled: Those that have one.
        due: Predictions that are old enough for their label to be expected.
        due_labelled: Those of them that have one.
        by_age: Predictions by age, youngest first; ages without predictions are left out.
    """

    rows: float = 0.0
    labelled: float = 0.0
    due: float = 0.0
    due_labelled: float = 0.0
    by_age: tuple[AgeShare, ...] = ()

    @property
    def share(self) -> float | None:
        """Share of all predictions that have a label; None without predictions."""
        return self.labelled / self.rows if self.rows else None

    @property
    def due_share(self) -> float | None:
        """Share of the predictions that are due that have a label; None if none is due."""
        return self.due_labelled / self.due if self.due else None

    @property
    def late(self) -> float:
        """Predictions whose label is due and missing."""
        return self.due - self.due_labelled

    @property
    def not_due(self) -> float:
        """Predictions without a label that are too young to have one."""
        return self.rows - self.labelled - self.late


@dataclass(frozen=True)
class Difference:
    """How predictions with a label differ from all of the same time.

    Attributes:
        column: The column; `prediction` for what the model returned.
        distance: Total variation distance between the values of the rows with a label, and the values that as many
            rows of the same periods have on average: 0 is the same, 1 nothing in common.
        p_value: Probability of a bin that differs so much if labels came for any row alike.
        bin: The bin that differs most, in words.
        labelled: Rows with a label.
        rows: All rows.
    """

    column: str
    distance: float
    p_value: float
    bin: str
    labelled: int
    rows: int


def measure_maturity(
    sets: Sequence[JoinedSet], now: datetime, delay_seconds: float | None = 0
) -> Maturity:
    """Measure how mature the labels of some spans are.

    Args:
        sets: The spans' joined sets.
        now: The time.
        delay_seconds: How long after a prediction its label is expected; None if that is not known, and none is late.
    """
    ages: dict[str, list[float]] = {}
    rows = labelled = due = due_labelled = 0.0
    for one in (period for joined in sets for period in joined.coverage):
        rows += one.weight
        labelled += one.labelled_weight
        if delay_seconds is not None and is_due(one, now, delay_seconds):
            due += one.weight
            due_labelled += one.labelled_weight
        found = ages.setdefault(_age(one, now), [0.0, 0.0])
        found[0] += one.weight
        found[1] += one.labelled_weight
    names = [name for name, _ in AGES] + [OLDER]
    by_age = tuple(AgeShare(name, *ages[name]) for name in names if name in ages)
    return Maturity(rows, labelled, due, due_labelled, by_age)


def is_due(period: Coverage, now: datetime, delay_seconds: float) -> bool:
    """Return whether the labels of a period's predictions are expected; those without a time always are."""
    if not period.end:
        return True
    return datetime.fromisoformat(period.end) + timedelta(seconds=delay_seconds) <= with_offset(now)


def is_all_due(joined: JoinedSet, now: datetime, delay_seconds: float) -> bool:
    """Return whether the labels of all predictions of a span are expected."""
    return all(is_due(coverage, now, delay_seconds) for coverage in joined.coverage)


def find_differences(joined: JoinedSet, now: datetime, delay_seconds: float) -> list[Difference]:
    """Compare the predictions of a span that have a label with all whose label is due.

    Rows are compared within a period, so that it makes no difference that younger rows have fewer labels. The test is
    that of Cochran, Mantel and Haenszel for each bin, with the periods as strata (Mantel and Haenszel, "Statistical
    aspects of the analysis of data from retrospective studies of disease", 1959), and Bonferroni's correction for the
    number of bins.

    Args:
        joined: The span.
        now: The time.
        delay_seconds: How long after a prediction its label is expected.

    Returns:
        One for each column that was counted, the prediction first; none for a column without rows on both sides.
    """
    due = [is_due(coverage, now, delay_seconds) for coverage in joined.coverage]
    found = (_difference(one, due) for one in joined.compared)
    return [one for one in found if one is not None]


def _difference(compared: Compared, due: Sequence[bool]) -> Difference | None:
    bins = len(compared.bins)
    observed, expected, variance = [0.0] * bins, [0.0] * bins, [0.0] * bins
    with_label = all_rows = 0
    for is_counted, yes, no in zip(due, compared.labelled, compared.unlabelled, strict=True):
        labelled, unlabelled = sum(yes), sum(no)
        rows = labelled + unlabelled
        if not is_counted or not rows:
            continue
        with_label += labelled
        all_rows += rows
        for place in range(bins):
            of_bin = yes[place] + no[place]
            observed[place] += yes[place]
            expected[place] += of_bin * labelled / rows
            if rows > 1:
                spread = labelled * unlabelled * of_bin * (rows - of_bin)
                variance[place] += spread / (rows * rows * (rows - 1))
    if not with_label or with_label == all_rows:
        return None
    gaps = [abs(one - other) for one, other in zip(observed, expected, strict=True)]
    scores = [
        gap / math.sqrt(spread) if spread else 0.0
        for gap, spread in zip(gaps, variance, strict=True)
    ]
    worst = max(range(bins), key=lambda place: scores[place])
    p_value = min(1.0, 2 * bins * _NORMAL.cdf(-scores[worst]))
    distance = sum(gaps) / 2 / with_label
    return Difference(
        compared.column, distance, p_value, compared.bins[worst], with_label, all_rows
    )


def _age(period: Coverage, now: datetime) -> str:
    if not period.end:
        return OLDER
    age = with_offset(now) - datetime.fromisoformat(period.end)
    return next((name for name, limit in AGES if age <= limit), OLDER)
