"""The bench's figures: what each task took, and whether the project's bounds hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from flights_files import YEAR_ROWS

TFDV, ONE_SPAN, TWELVE_SPANS, ONE_NEW = "TFDV", "one span", "twelve spans", "one new of twelve"

# Ingestion and statistics together take at most this share of TFDV's time, at a year's rows.
TIMES_FASTER = 15
# Ten times the rows take at most so many times ten times the time; what is above 1 is for a machine that wavers.
LINEAR_WITHIN = 1.2
# Ten times the rows take at most so many times the memory, in each task.
MEMORY_WITHIN = 1.3
# A run with one new span of twelve takes at most this share of the first run's time, from a million rows on: below,
# what does not grow with the rows counts most.
NEW_SPAN_SHARE = 1 / 6
# CPU seconds a second of the largest size: with less than this, the second core is idle half of the time.
CORES_USED = 1.5
SMALLER, LARGER = 1_000_000, 10_000_000


@dataclass(frozen=True)
class Taken:
    """What a task took, or several one after the other.

    Attributes:
        seconds: Wall time, after the imports.
        cpu_seconds: CPU time of all its processes in that time.
        import_seconds: Wall time of the imports before.
        peak_bytes: The largest resident set that any one process reached, imports included.
        total_bytes: The most that its processes held together, pages that they share counted once.
    """

    seconds: float
    cpu_seconds: float
    import_seconds: float
    peak_bytes: int
    total_bytes: int

    def __add__(self, other: "Taken") -> "Taken":
        """Give what both took, one after the other."""
        return Taken(
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
            self.import_seconds + other.import_seconds,
            max(self.peak_bytes, other.peak_bytes),
            max(self.total_bytes, other.total_bytes),
        )


@dataclass(frozen=True)
class Bound:
    """A bound, and what was measured.

    Attributes:
        name: What it bounds.
        value: What was measured.
        limit: What it must keep to.
        at_least: Whether the limit is the least; else it is the most.
    """

    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the value keeps to the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


class Figures:
    """What was measured: for a number of rows and a case, each round's tasks."""

    def __init__(self) -> None:
        self._rounds: dict[tuple[int, str], list[dict[str, Taken]]] = {}

    def add(self, rows: int, case: str, tasks: dict[str, Taken]) -> None:
        """Note a round.

        Args:
            rows: Of the data.
            case: One of the four.
            tasks: What each of its tasks took.
        """
        self._rounds.setdefault((rows, case), []).append(tasks)

    def cases(self) -> Iterator[tuple[int, str]]:
        """List rows and case of what was measured, in the order of measuring."""
        return iter(self._rounds)

    def tasks(self, rows: int, case: str) -> dict[str, list[Taken]]:
        """Give what each task of a case took in each round."""
        rounds = self._rounds[rows, case]
        return {task: [one[task] for one in rounds] for task in rounds[0]}

    def whole(self, rows: int, case: str) -> list[Taken]:
        """Give what a case took in each round, all of its tasks together."""
        rounds = self._rounds.get((rows, case), [])
        return [_sum(list(one.values())) for one in rounds]

    def seconds(self, rows: int, case: str) -> float:
        """Give the median of a case's wall seconds."""
        return median(one.seconds for one in self.whole(rows, case))

    def bounds(self) -> list[Bound]:
        """Compare with the bounds, of medians; a bound is left out where what it needs was not measured."""
        return [
            *self._faster(),
            *self._linear(),
            *self._new_span(),
            *self._cores(),
        ]

    def _faster(self) -> Iterator[Bound]:
        for case in (ONE_SPAN, TWELVE_SPANS):
            if self._has(YEAR_ROWS, TFDV, case):
                ratio = self.seconds(YEAR_ROWS, TFDV) / self.seconds(YEAR_ROWS, case)
                name = f"{case}, {YEAR_ROWS:,} rows: times faster than TFDV"
                yield Bound(name, ratio, TIMES_FASTER, at_least=True)

    def _linear(self) -> Iterator[Bound]:
        more = LARGER / SMALLER
        for case in (ONE_SPAN, TWELVE_SPANS):
            if not (self._has(SMALLER, case) and self._has(LARGER, case)):
                continue
            sizes = f"{LARGER:,} rows against {SMALLER:,}"
            slower = self.seconds(LARGER, case) / self.seconds(SMALLER, case) / more
            yield Bound(f"{case}, {sizes}: time a row", slower, LINEAR_WITHIN)
            yield from self._memory(case, sizes)

    def _memory(self, case: str, sizes: str) -> Iterator[Bound]:
        larger, smaller = self.tasks(LARGER, case), self.tasks(SMALLER, case)
        # By task: on a cluster each has a container of its own, and the libraries of one would hide what the other
        # comes to hold.
        for task in larger:
            for name, field in (("largest process", "peak_bytes"), ("all", "total_bytes")):
                peaks = [
                    median(getattr(one, field) for one in tasks[task])
                    for tasks in (larger, smaller)
                ]
                yield Bound(
                    f"{case}, {sizes}: memory of {task}, {name}", peaks[0] / peaks[1], MEMORY_WITHIN
                )

    def _new_span(self) -> Iterator[Bound]:
        for rows in sorted({rows for rows, _ in self._rounds}):
            if rows >= SMALLER and self._has(rows, TWELVE_SPANS, ONE_NEW):
                share = self.seconds(rows, ONE_NEW) / self.seconds(rows, TWELVE_SPANS)
                name = f"{ONE_NEW}, {rows:,} rows: share of the first run's time"
                yield Bound(name, share, NEW_SPAN_SHARE)

    def _cores(self) -> Iterator[Bound]:
        for case in (ONE_SPAN, TWELVE_SPANS):
            if self._has(LARGER, case):
                used = median(one.cpu_seconds / one.seconds for one in self.whole(LARGER, case))
                name = f"{case}, {LARGER:,} rows: cores used"
                yield Bound(name, used, CORES_USED, at_least=True)

    def _has(self, rows: int, *cases: str) -> bool:
        return all((rows, case) in self._rounds for case in cases)


def _sum(taken: Sequence[Taken]) -> Taken:
    first, *others = taken
    for other in others:
        first += other
    return first
