"""Simulated rollouts: how many of equal models are aborted, and how soon worse models are.

Every rollout is looked at many times in each step, with the default steps and the test of `error_rate`. Run
`python bench/rollout.py`; it prints tables in Markdown.
"""

import argparse
import time

import numpy as np

from retrainer.components.lib.sequential_test import Comparison, Values, block_ends
from retrainer.pipelines.project.sections.rollout import RolloutConfig

CASES = (
    (0.1, 0.1),
    (0.01, 0.01),
    (0.001, 0.001),
    (0.1, 0.11),
    (0.1, 0.12),
    (0.1, 0.2),
    (0.01, 0.011),
    (0.01, 0.02),
    (0.01, 0.11),
)
ALPHA = 0.05
HALF = 50


def simulate(
    before: float,
    after: float,
    guards: int,
    looks: int,
    rollouts: int,
    requests: int | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate rollouts side by side.

    Args:
        before: Error rate of the version that serves.
        after: Error rate of the new version.
        guards: Number of guards that share alpha.
        looks: Looks in each step.
        rollouts: How many rollouts.
        requests: Requests of the new version in each step; the defaults if None.
        seed: Seed of the draws.

    Returns:
        For each rollout the percent of the step in which it was aborted (0: it was not), and how many requests of the
        new version it had until then.
    """
    draw = np.random.default_rng(seed)
    state = Comparison.start(0.0, (rollouts,))
    aborted, spent = np.zeros(rollouts, int), np.zeros(rollouts)
    seen = 0
    for step in RolloutConfig(observations="x").steps:
        canary = (requests or step.min_requests) // looks
        baseline = canary * (100 - step.percent) // step.percent
        for _ in range(looks):
            start = 0
            for end in block_ends(seen, canary + baseline):
                share = (end - start) / (canary + baseline)
                of_canary, of_baseline = round(canary * share), round(baseline * share)
                start = end
                state = state.plus(
                    _block(draw, before, of_baseline, rollouts),
                    _block(draw, after, of_canary, rollouts),
                )
            seen += canary + baseline
            spent[aborted == 0] += canary
            fires = state.log_evidence >= np.log(guards / ALPHA)
            aborted[fires & (aborted == 0)] = step.percent
    return aborted, spent


def _block(draw: np.random.Generator, rate: float, rows: int, rollouts: int) -> Values:
    return Values.of_shares(
        draw.binomial(rows, rate, rollouts).astype(np.float64), np.full(rollouts, float(rows))
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=10_000)
    parser.add_argument("--looks", type=int, default=50, help="looks in each step")
    options = parser.parse_args()
    began = time.monotonic()
    print(f"{options.rollouts:,} rollouts a line, {options.looks} looks in each step\n")
    print(
        "| error rate | new | guards | aborted | before the step of 50 % | requests of the new version, median |"
    )
    print("|---|---|---|---|---|---|")
    for before, after in CASES:
        for guards in (1, 4):
            aborted, spent = simulate(
                before, after, guards, options.looks, options.rollouts, None, seed=guards
            )
            early = ((aborted > 0) & (aborted < HALF)).mean()
            median = f"{np.median(spent[aborted > 0]):,.0f}" if (aborted > 0).mean() > 0.5 else "-"
            print(
                f"| {before:g} | {after:g} | {guards} | {(aborted > 0).mean():.2%} | {early:.2%} | {median} |"
            )
    print("\n| error rate | new | `min_requests` of each step for 95 % before the step of 50 % |")
    print("|---|---|---|")
    for before, after in CASES[3:]:
        print(f"| {before:g} | {after:g} | {_needed(before, after, options.looks)} |")
    print(f"\n{time.monotonic() - began:.0f} s")


def _needed(before: float, after: float, looks: int) -> str:
    for requests in (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000):
        aborted, _ = simulate(before, after, 1, min(looks, 20), 1_000, requests, seed=9)
        if ((aborted > 0) & (aborted < HALF)).mean() >= 0.95:
            return f"{requests:,}"
    return "more than 200,000"


if __name__ == "__main__":
    main()
