"""False alarms and delay of concept drift: ADWIN with the rule of monitor_model, beside each detector's own alarms.

Spans of labelled rows whose error is a coin: without any change, with harder weekends, with days that differ; then with
a rise at a known span. An alarm of a detector that goes on over spans, or comes back within three, counts once.

Run: .venv/bin/python bench/concept_drift.py [--runs N]
"""

import argparse
import time
from dataclasses import dataclass, field

import numpy as np

from retrainer.components.monitor_model.error_stream import Errors, ErrorStream

SPANS, CHANGE_AT, AFTER = 200, 40, 40
ERROR = 0.2
KINDS = ("equal days", "weekends +0.03", "days ±0.01")
ROWS = (200, 1_000, 5_000)
STEPS = ((0.03, 1), (0.06, 1), (0.06, 30))


@dataclass
class Alarms:
    """Spans with an alarm, by who raised it."""

    rule: list[int] = field(default_factory=list)
    adwin: list[int] = field(default_factory=list)
    page_hinkley: list[int] = field(default_factory=list)
    ddm: list[int] = field(default_factory=list)
    two_of_three: list[int] = field(default_factory=list)


def simulate(
    kind: str, rows: int, spans: int, seed: int, step: float = 0.0, ramp: int = 1
) -> Alarms:
    """Send spans through the detectors; from span `CHANGE_AT` on the error is higher by `step`."""
    random = np.random.default_rng(seed)
    days = {
        KINDS[0]: np.zeros(spans),
        KINDS[1]: 0.03 * (np.arange(spans) % 7 >= 5),
        KINDS[2]: random.normal(0, 0.01, spans),
    }[kind]

    def draw(share: float, count: int) -> Errors:
        wrong = random.random(count) < share
        return Errors(wrong.astype(np.float64), wrong.astype(np.int64))

    stream = ErrorStream.start(draw(ERROR + float(days.mean()), 10_000), 0.002)
    alarms = Alarms()
    # The spans in which each of the others last alarmed.
    newest = {"page_hinkley": -spans, "ddm": -spans}
    for span in range(spans):
        share = ERROR + days[span]
        if step and span >= CHANGE_AT:
            share += step * min(1, (span - CHANGE_AT + 1) / ramp)
        stream = stream.add(str(span), "", draw(share, rows))
        rise = stream.rise()
        if stream.alarm:
            alarms.adwin.append(span)
            if rise.present > rise.bound:
                alarms.rule.append(span)
        for name in newest:
            if stream.found.get(name) == str(span):
                getattr(alarms, name).append(span)
                newest[name] = span
        votes = sum(span - one < 7 for one in newest.values()) + (stream.alarm is not None)
        if votes >= 2:
            alarms.two_of_three.append(span)
    return alarms


def count(spans: list[int]) -> int:
    """Count alarms: those that follow each other within three spans are one."""
    return sum(1 for place, span in enumerate(spans) if not place or span - spans[place - 1] > 3)


def delay(spans: list[int]) -> int:
    """Return the first alarm's delay in spans; `AFTER` if there is none."""
    return next((span - CHANGE_AT for span in spans if span >= CHANGE_AT), AFTER)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each line")
    options = parser.parse_args()
    began = time.monotonic()
    names = ("rule", "adwin", "page_hinkley", "ddm", "two_of_three")
    print(f"False alarms in {SPANS} spans, mean of {options.runs} runs\n")
    print("| days | rows a span | monitor_model | ADWIN | Page-Hinkley | DDM | two of three |")
    print("|---|---|---|---|---|---|---|")
    for kind in KINDS:
        for rows in ROWS:
            runs = [simulate(kind, rows, SPANS, seed) for seed in range(options.runs)]
            means = [np.mean([count(getattr(one, name)) for one in runs]) for name in names]
            print(f"| {kind} | {rows:,} | " + " | ".join(f"{one:.1f}" for one in means) + " |")
    print(f"\nDelay in spans of a rise of the error from {ERROR}, median (of those found)\n")
    print("| rise | days | rows a span | monitor_model | ADWIN | two of three |")
    print("|---|---|---|---|---|---|")
    for step, ramp in STEPS:
        over = f" over {ramp} spans" if ramp > 1 else ""
        for kind in KINDS[:2]:
            for rows in ROWS:
                runs = [
                    simulate(kind, rows, CHANGE_AT + AFTER, 1_000 + seed, step, ramp)
                    for seed in range(options.runs)
                ]
                cells = []
                for name in ("rule", "adwin", "two_of_three"):
                    delays = [delay(getattr(one, name)) for one in runs]
                    found = [one for one in delays if one < AFTER]
                    some = f" ({len(found)} of {len(delays)})" if len(found) < len(delays) else ""
                    cells.append(f"{np.median(found):.0f}{some}" if found else "-")
                print(f"| {step:g}{over} | {kind} | {rows:,} | " + " | ".join(cells) + " |")
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
