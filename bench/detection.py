"""Detection of drift: false alarms on clean spans and delay after a known change, beside other rules on the same spans.

`python bench/detection.py` runs all streams; a name after it runs those whose name has it.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from statistics import median

import numpy as np
from detection_rules import (
    TRAINING,
    EveryFewDays,
    Evidently,
    Retrainer,
    Rule,
    Tfdv,
    statistics_of,
)
from detection_streams import Stream, columns_of, flights_by_day, streams

CLEAN_SPANS, REPEATS, HORIZON = 200, 4, 20
# Days between the training data and the change: six weeks of spans show what is usual.
BEFORE, RUN_IN = 42, 3
DUMMY_DAYS = 100
OURS = "retrainer"
# The rules that the others have by default: ours must alarm sooner over all streams.
DEFAULTS = ("Evidently, half of the columns", "TFDV's measures, fixed thresholds")


def make_rules(training: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Rule]:
    """Make every rule, each with the training data as its reference."""
    names = training[0]
    whole = statistics_of({name: np.concatenate([one[name] for one in training]) for name in names})
    return {
        OURS: Retrainer([statistics_of(one) for one in training]),
        "Evidently, any column": Evidently(whole, None),
        "Evidently, half of the columns": Evidently(whole, 0.5),
        "TFDV's measures, fixed thresholds": Tfdv(whole),
        f"the dummy, every {DUMMY_DAYS} days": EveryFewDays(DUMMY_DAYS),
    }


@dataclass
class Seen:
    """What a rule said of a stream.

    Attributes:
        clean: Its scores of clean days.
        changed: By repeat, its scores from the change on.
    """

    clean: list[float] = field(default_factory=list)
    changed: list[list[float]] = field(default_factory=list)

    def alarms(self, threshold: float) -> int:
        """Count the clean days with an alarm."""
        return sum(score > threshold for score in self.clean)

    def incidents(self, threshold: float) -> int:
        """Count the alarms on clean days; alarms of days in a row are one."""
        alarms = [score > threshold for score in self.clean]
        return sum(now and not before for before, now in pairwise([False, *alarms]))

    def delays(self, threshold: float) -> list[int | None]:
        """Return the days from the change to the alarm, 1 for the first; None without one in time."""
        return [
            next((n for n, score in enumerate(one, start=1) if score > threshold), None)
            for one in self.changed
        ]

    def equal_threshold(self, most: int) -> float:
        """Return the threshold, 1 or higher, at which at most so many clean days have an alarm."""
        candidates = [1.0, *sorted(one for one in self.clean if one > 1)]
        return next(one for one in candidates if self.alarms(one) <= most)


def run_stream(stream: Stream) -> dict[str, Seen]:
    """Show a stream to all rules: clean days, then each repeat with a change."""
    seen: dict[str, Seen] = defaultdict(Seen)
    _show(stream, 1, None, CLEAN_SPANS, lambda rule, _, score: seen[rule].clean.append(score))
    for repeat in range(REPEATS):
        for one in seen.values():
            one.changed.append([])

        def add(rule: str, day: int, score: float) -> None:
            if day >= TRAINING + BEFORE:
                seen[rule].changed[-1].append(score)

        _show(stream, 100 + repeat, TRAINING + BEFORE, BEFORE + HORIZON, add)
    return seen


def _show(
    stream: Stream,
    seed: int,
    change: int | None,
    days: int,
    add: Callable[[str, int, float], None],
) -> None:
    spans = stream.spans(seed, change)
    rules = make_rules(list(islice(spans, TRAINING)))
    for day, columns in enumerate(islice(spans, days), start=TRAINING):
        found = statistics_of(columns)
        for name, rule in rules.items():
            # Long before the change nothing is asked of a rule.
            if change is None or day >= change - RUN_IN:
                add(name, day, rule.score(day, found))
            elif isinstance(rule, Retrainer):
                rule.remember(day, found)


def _cells(delays: list[int | None]) -> str:
    there = [one for one in delays if one is not None]
    if not there:
        return f"not in {HORIZON} days"
    missed = len(delays) - len(there)
    middle = median(HORIZON if one is None else one for one in delays)
    return f"{middle:g}" + (f" ({missed} of {len(delays)} missed)" if missed else "")


def main() -> int:
    """Run the streams and print the tables; the exit code says whether the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="part of a stream's name")
    chosen = [one for one in streams() if parser.parse_args().name in one.name]
    print(
        "| stream | rule | false incidents in 1,000 clean spans | clean spans with an alarm | days to the alarm "
        "| at no more alarms |"
    )
    print("|---|---|---|---|---|---|", flush=True)
    clean = incidents = 0
    late: dict[str, list[float]] = defaultdict(list)
    for stream in chosen:
        seen = run_stream(stream)
        ours, alarms = seen[OURS], seen[OURS].alarms(1.0)
        clean, incidents = clean + CLEAN_SPANS, incidents + ours.incidents(1.0)
        for name, one in seen.items():
            equal = one.delays(one.equal_threshold(alarms))
            late[name] += [HORIZON + 1 if delay is None else delay for delay in equal]
            rates = [f"{1000 * n / CLEAN_SPANS:g}" for n in (one.incidents(1.0), one.alarms(1.0))]
            cells = (f"{stream.name}: {stream.about}", name, *rates, _cells(one.delays(1.0)))
            print(f"| {' | '.join(cells)} | {_cells(equal)} |", flush=True)
    print(
        f"\n{incidents} false incidents in {clean} clean spans; the bound is fewer than 1 in 200."
    )
    means = {name: sum(found) / len(found) for name, found in late.items()}
    said = "; ".join(f"{name} {mean:.1f}" for name, mean in means.items())
    print(
        f"Mean days to the alarm at no more alarms, {HORIZON + 1} for one that was missed: {said}."
    )
    if "flights" in chosen[-1].name:
        print(_flights_as_they_came())
    ahead = all(means[OURS] < means[name] for name in DEFAULTS)
    return 0 if incidents * 200 < clean and ahead else 1


def _flights_as_they_came() -> str:
    days = [columns_of(one) for one in flights_by_day()]
    rules = make_rules(days[:TRAINING])
    alarms = dict.fromkeys(rules, 0)
    for day, columns in enumerate(days[TRAINING:], start=TRAINING):
        found = statistics_of(columns)
        for name, rule in rules.items():
            alarms[name] += rule.score(day, found) > 1
    said = "; ".join(f"{name}: {count}" for name, count in alarms.items())
    return f"Days with an alarm of the year's {len(days) - TRAINING} as they came, a year of seasons: {said}."


if __name__ == "__main__":
    sys.exit(main())
