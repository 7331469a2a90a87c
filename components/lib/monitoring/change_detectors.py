"""Detectors of a change in a stream of errors: Page-Hinkley, ADWIN and DDM, by their published formulas.

Each takes rows in the order of time, any number in one call, and its state is JSON: so a look goes on where the last
one ended, and rows in one call or in ten give the same result. After a change Page-Hinkley and DDM begin again, and
ADWIN drops the older part of its window. Defaults are those of the common implementations (MOA, river), and so are
details that the papers leave open: the tests compare with river, row by row.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

# After a change the rest of a block is looked at again.
_BLOCK_ROWS = 16_384


def _find_changes(
    values: np.ndarray,
    until_change: Callable[[np.ndarray], int | None],
    restart: Callable[[], None],
) -> list[int]:
    """List the rows at which a detector that begins again after each change finds one."""
    changes: list[int] = []
    start = 0
    while start < len(values):
        block = values[start : start + _BLOCK_ROWS]
        found = until_change(block)
        if found is None:
            start += len(block)
            continue
        start += found + 1
        changes.append(start - 1)
        restart()
    return changes


@dataclass
class PageHinkley:
    """The test of Page and Hinkley for an increase of the mean.

    The deviations of the values from their running mean, less `delta`, are summed up with a fading factor; there is a
    change when the sum is more than `threshold` above its least value so far. E. S. Page, "Continuous inspection
    schemes", Biometrika 41, 1954; in this form J. Gama et al., "A survey on concept drift adaptation", ACM Computing
    Surveys 46, 2014, section 3.2.

    Attributes:
        delta: The increase that is allowed.
        threshold: How far the sum may be above its least value (lambda).
        alpha: The factor by which the sum fades, row by row.
        min_rows: Rows before the first test.
        count: Rows since it began.
        mean: Their mean.
        total: The faded sum.
        least: The least faded sum; None before the first row.
    """

    delta: float = 0.005
    threshold: float = 50.0
    alpha: float = 0.9999
    min_rows: int = 30
    count: int = 0
    mean: float = 0.0
    total: float = 0.0
    least: float | None = None

    def update(self, values: np.ndarray) -> list[int]:
        """Take rows in the order of time.

        Args:
            values: Shape (rows,).

        Returns:
            The rows, counted from 0 within this call, at which a change was found.
        """
        return _find_changes(np.asarray(values, np.float64), self._until_change, self._restart)

    def _restart(self) -> None:
        self.count, self.mean, self.total, self.least = 0, 0.0, 0.0, None

    def _until_change(self, values: np.ndarray) -> int | None:
        counts = self.count + np.arange(1, len(values) + 1)
        means = (self.count * self.mean + np.cumsum(values)) / counts
        total, least = self.total, math.inf if self.least is None else self.least
        alpha, threshold = self.alpha, self.threshold
        untested = self.min_rows - self.count - 1
        # The least sum makes each step depend on the one before; the loop takes 0.1 s a million rows.
        for row, step in enumerate((values - means - self.delta).tolist()):
            total = alpha * total + step
            if total < least:
                least = total
            elif total - least > threshold and row >= untested:
                return row
        self.count, self.mean = int(counts[-1]), float(means[-1])
        self.total, self.least = total, least
        return None

    def content(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "PageHinkley":
        """Read what `content` returned."""
        return cls(**content)


@dataclass
class Ddm:
    """The drift detection method, for rows that are wrong (1) or right (0).

    With p the share of wrong rows since it began and s its standard deviation, sqrt(p(1 - p)/n), there is a change when
    p + s > p_min + `drift` s_min, where p_min and s_min are those of the row with the least p + s. J. Gama, P. Medas,
    G. Castillo and P. Rodrigues, "Learning with drift detection", SBIA 2004. (The paper has "at least", which a model
    without errors would meet at once: its p and s are 0.)

    Attributes:
        drift: How many standard deviations are a change.
        min_rows: Rows before the first test.
        count: Rows since it began.
        wrong: How many of them were wrong.
        p_min: Share of wrong rows where p + s was least; None before the first test.
        s_min: Its standard deviation.
    """

    drift: float = 3.0
    min_rows: int = 30
    count: int = 0
    wrong: int = 0
    p_min: float | None = None
    s_min: float = 0.0

    def update(self, values: np.ndarray) -> list[int]:
        """Take rows in the order of time.

        Args:
            values: Shape (rows,), each 0 or 1.

        Returns:
            The rows, counted from 0 within this call, at which a change was found.
        """
        return _find_changes(np.asarray(values, np.int64), self._until_change, self._restart)

    def _restart(self) -> None:
        self.count, self.wrong, self.p_min, self.s_min = 0, 0, None, 0.0

    def _until_change(self, values: np.ndarray) -> int | None:
        counts = self.count + np.arange(1, len(values) + 1)
        wrong = self.wrong + np.cumsum(values)
        p = wrong / counts
        s = np.sqrt(p * (1 - p) / counts)
        both = p + s
        # Before the first test no row can be the least one.
        both[counts <= self.min_rows] = math.inf
        known = math.inf if self.p_min is None else self.p_min + self.s_min
        least = np.minimum.accumulate(np.minimum(both, known))
        # The row of the least p + s up to each row, -1 for the one that was known before.
        at = np.maximum.accumulate(np.where(both <= least, np.arange(len(both)), -1))
        p_min = np.where(at < 0, 0.0 if self.p_min is None else self.p_min, p[at])
        s_min = np.where(at < 0, self.s_min, s[at])
        tested = counts > self.min_rows
        found = np.flatnonzero(tested & (both > p_min + self.drift * s_min))
        if len(found):
            return int(found[0])
        self.count, self.wrong = int(counts[-1]), int(wrong[-1])
        if tested[-1]:
            self.p_min, self.s_min = float(p_min[-1]), float(s_min[-1])
        return None

    def content(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Ddm":
        """Read what `content` returned."""
        return cls(**content)


@dataclass(frozen=True)
class Cut:
    """An older part of ADWIN's window that was dropped, since the newer part has another mean.

    Attributes:
        row: The row at which it was found, counted from 0 within the call.
        before: Mean of the rows that were dropped.
        dropped: How many they were.
        after: Mean of the rows that stayed.
    """

    row: int
    before: float
    dropped: int
    after: float


@dataclass
class Adwin:
    """Adaptive windowing: a window of the newest rows that grows as long as its older and newer part agree.

    The window is kept as an exponential histogram: in level i up to `max_buckets` buckets of 2^i rows, oldest first.
    It is cut where the means of both parts differ by more than
    sqrt(2/m · variance · ln(2 ln(n)/delta)) + 2/(3m) · ln(2 ln(n)/delta), with 1/m = 1/n0 + 1/n1. A. Bifet and R.
    Gavaldà, "Learning from time-changing data with adaptive windowing", SIAM Data Mining 2007, sections 3 and 4 (the
    second inequality and ADWIN2). As in MOA, each part has `min_part` rows at least, and `min_part` - 1 of them do not
    count for m.

    Attributes:
        delta: The confidence: the probability of a false cut.
        clock: The test is made every so many rows.
        max_buckets: Buckets of a level; one more, and the two oldest become one of the next level.
        min_part: Rows that each part has at least.
        grace: No test is made in a window of so many rows or fewer.
        ticks: Rows seen.
        levels: For each level the sums of its buckets and the sums of their squared deviations, oldest first.
    """

    delta: float = 0.002
    clock: int = 32
    max_buckets: int = 5
    min_part: int = 5
    grace: int = 10
    ticks: int = 0
    levels: list[tuple[list[float], list[float]]] = field(default_factory=list)

    @property
    def width(self) -> int:
        """How many rows the window has."""
        return sum(len(sums) << level for level, (sums, _) in enumerate(self.levels))

    @property
    def mean(self) -> float:
        """The mean of the window; 0 without rows."""
        width = self.width
        return math.fsum(one for sums, _ in self.levels for one in sums) / width if width else 0.0

    def update(self, values: np.ndarray) -> list[Cut]:
        """Take rows in the order of time.

        Args:
            values: Shape (rows,), each between 0 and 1.

        Returns:
            What was cut off, in order: where the mean rose, and where it fell.
        """
        cuts: list[Cut] = []
        rows = np.asarray(values, np.float64).tolist()
        start = 0
        while start < len(rows):
            end = min(len(rows), start + self.clock - self.ticks % self.clock)
            self._insert(rows[start:end])
            self.ticks += end - start
            start = end
            if self.ticks % self.clock == 0 and (cut := self._cut(start - 1)):
                cuts.append(cut)
        return cuts

    def _insert(self, values: list[float]) -> None:
        if not self.levels:
            self.levels.append(([], []))
        sums, squares = self.levels[0]
        most = self.max_buckets
        for value in values:
            sums.append(value)
            squares.append(0.0)
            if len(sums) > most:
                self._merge()

    def _merge(self) -> None:
        """Merge the two oldest buckets of each level that has one too many."""
        level = 0
        while len(self.levels[level][0]) > self.max_buckets:
            if level + 1 == len(self.levels):
                self.levels.append(([], []))
            sums, squares = self.levels[level]
            first, second = sums[0], sums[1]
            difference = first - second
            # Of two buckets of n rows each: n·n/(n + n)·(difference of the means)².
            spread = difference * difference / (2 << level)
            above = self.levels[level + 1]
            above[0].append(first + second)
            above[1].append(squares[0] + squares[1] + spread)
            del sums[:2]
            del squares[:2]
            level += 1

    def _cut(self, row: int) -> Cut | None:
        dropped, total = 0, 0.0
        while self._has_change():
            level = len(self.levels) - 1
            sums, squares = self.levels[level]
            dropped += 1 << level
            total += sums.pop(0)
            squares.pop(0)
            while self.levels and not self.levels[-1][0]:
                self.levels.pop()
        return Cut(row, total / dropped, dropped, self.mean) if dropped else None

    def _has_change(self) -> bool:
        sizes = np.concatenate(
            [
                np.full(len(sums), 1 << level)
                for level, (sums, _) in reversed([*enumerate(self.levels)])
            ]
        )
        sums = np.array([one for sums, _ in reversed(self.levels) for one in sums])
        squares = math.fsum(square for _, squares in self.levels for square in squares)
        width, total = int(sizes.sum()), float(sums.sum())
        if width <= self.grace:
            return False
        between = float((sizes * (sums / sizes - total / width) ** 2).sum())
        variance = (squares + between) / width
        older = np.cumsum(sizes)[:-1]
        newer = width - older
        fits = (older >= self.min_part) & (newer >= self.min_part)
        older, newer = older[fits], newer[fits]
        older_sums = np.cumsum(sums)[:-1][fits]
        difference = np.abs(older_sums / older - (total - older_sums) / newer)
        confidence = math.log(2 * math.log(width) / self.delta)
        less = self.min_part - 1
        reciprocal = 1 / (older - less) + 1 / (newer - less)
        bound = np.sqrt(2 * reciprocal * variance * confidence) + 2 / 3 * confidence * reciprocal
        return bool((difference > bound).any())

    def content(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            **asdict(self),
            "levels": [[list(sums), list(squares)] for sums, squares in self.levels],
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Adwin":
        """Read what `content` returned."""
        levels = [(list(sums), list(squares)) for sums, squares in content["levels"]]
        return cls(**{**content, "levels": levels})
