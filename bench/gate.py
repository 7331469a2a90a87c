"""`python -m bench.gate`: how often the gate refuses equal models and catches worse ones, beside point thresholds.

Each trial draws new rows, a champion and a challenger whose scores are the same signal with noise of their own. Their
true AUC is known: the noise that makes a challenger worse by so many points is found on four million rows. The rows lie
in fifty slices of 2 % each.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from retrainer.components.evaluate_model.evidence.checks import Kind, judge_differences
from retrainer.components.evaluate_model.evidence.settings import (
    GateSettings,
    PromoteOn,
    Significance,
)
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE, build_eval_config
from retrainer.components.lib.evaluation.in_process import evaluate_in_process
from retrainer.components.lib.evaluation.metric_directions import HIGHER
from retrainer.components.lib.evaluation.paired.differences import paired_differences
from retrainer.components.lib.evaluation.paired.groups import assign_groups
from retrainer.components.lib.evaluation.scores import Scores

SLICES = 50
NOISE = 0.5
CALIBRATION_ROWS = 4_000_000
TFX = -1e-10
"""The change that TFX's own pipeline templates ask for: no worse at all, by the value."""
EQUAL_REFUSED, EQUAL_PROMOTED, WORSE_REFUSED = 0.05, 0.05, 0.95


def main() -> int:
    """Run the bench.

    Returns:
        The exit code: 1 if the gate at its defaults misses one of its bounds.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 50_000, 500_000])
    parser.add_argument("--trials", type=int, default=200)
    arguments = parser.parse_args()
    noises = {points: noise_for(points / 100) for points in (0.0, 0.5, 1.0, 2.0)}
    table = Table(title="share of challengers, AUC")
    for name in ("rows", "challenger", "refused", "promoted as better", "refused by value (TFX)"):
        table.add_column(name, justify="right")
    missed = []
    for rows in arguments.rows:
        for points, where in (*((p, "") for p in noises), *((p, "one slice") for p in (1.0, 2.0))):
            # A false alarm is rare, so it takes all trials to see how rare.
            trials = arguments.trials if not points else max(1, arguments.trials // 4)
            refused, promoted, by_value = rates(rows, noises[points], bool(where), trials)
            place = f" in {where}" if where else ""
            table.add_row(
                f"{rows:,}",
                f"worse by {points:g} points{place}" if points else "equal",
                *(f"{100 * share:.1f} %" for share in (refused, promoted, by_value)),
            )
            if not points and refused > EQUAL_REFUSED:
                missed.append(f"{refused:.1%} of equal models refused at {rows:,} rows")
            if not points and promoted > EQUAL_PROMOTED:
                missed.append(f"{promoted:.1%} of equal models promoted at {rows:,} rows")
            if points == 2 and not where and rows == 50_000 and refused < WORSE_REFUSED:
                missed.append(f"{refused:.1%} of models worse by 2 points refused at {rows:,} rows")
    Console(width=110).print(table)
    cost()
    for one in missed:
        print(f"missed: {one}")
    return int(bool(missed))


def rates(rows: int, noise: float, in_slice: bool, trials: int) -> tuple[float, float, float]:
    """Return the shares refused, promoted as better, and refused by their value, of some challengers."""
    config = _config()
    defaults = GateSettings(Significance())
    gain = GateSettings(replace(Significance(), promote_on=PromoteOn.GAIN))
    counts = np.zeros(3)
    for trial in range(trials):
        scores = draw(rows, noise, in_slice, seed=trial)
        group = assign_groups(rows, Significance().draws)
        found = paired_differences(config, scores, ["auc"], group)
        directions = {"auc": HIGHER}
        counts[0] += any(
            check.passed is False for check in judge_differences(found, directions, defaults, "it")
        )
        better = judge_differences(found, directions, gain, "it")
        counts[1] += all(check.passed for check in better if check.kind == Kind.GAIN)
        counts[2] += any(one.difference < TFX for one in found if not one.slice_key)
    return tuple((counts / trials).tolist())


def draw(rows: int, noise: float, in_slice: bool, seed: int) -> Scores:
    """Draw rows with the scores of two models; the challenger has `noise` everywhere, or in one slice."""
    random = np.random.default_rng(seed)
    signal = random.normal(size=rows)
    label = (random.random(rows) < 1 / (1 + np.exp(-2 * signal))).astype(np.int64)
    place = random.integers(SLICES, size=rows)
    of_challenger = np.where(place == 0, noise, NOISE) if in_slice else noise
    predictions = {
        name: (1 / (1 + np.exp(-2 * signal - spread * random.normal(size=rows)))).astype(np.float32)
        for name, spread in ((CANDIDATE, of_challenger), (BASELINE, NOISE))
    }
    return Scores(label, predictions, None, pa.table({"place": place}))


def noise_for(loss: float) -> float:
    """Find the noise that lowers the AUC by so much, on many rows."""
    random = np.random.default_rng(0)
    signal = random.normal(size=CALIBRATION_ROWS)
    label = random.random(CALIBRATION_ROWS) < 1 / (1 + np.exp(-2 * signal))
    normal = random.normal(size=CALIBRATION_ROWS)

    def auc(noise: float) -> float:
        ranks = np.empty(CALIBRATION_ROWS)
        ranks[np.argsort(2 * signal + noise * normal)] = np.arange(1, CALIBRATION_ROWS + 1)
        positives = int(label.sum())
        negatives = CALIBRATION_ROWS - positives
        return float(
            (ranks[label].sum() - positives * (positives + 1) / 2) / (positives * negatives)
        )

    if not loss:
        return NOISE
    wanted = auc(NOISE) - loss
    low, high = NOISE, 4.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if auc(middle) > wanted else (low, middle)
    return (low + high) / 2


def cost() -> None:
    """Print what 100 draws cost beside the evaluation without them."""
    scores = draw(1_000_000, NOISE, False, seed=0)
    config = _config()
    plain = _seconds(lambda: evaluate_in_process(config, scores))
    group = assign_groups(scores.rows, 100)
    paired = _seconds(lambda: paired_differences(config, scores, ["auc"], group))
    print(
        f"1,000,000 rows, {SLICES} slices, AUC: {plain:.1f} s without intervals, {plain + paired:.1f} s with those of "
        f"100 draws, {(plain + paired) / plain:.1f} times"
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _config() -> object:
    specs = [{"metrics": [{"class_name": "AUC"}]}]
    return build_eval_config(specs, [{}, {"feature_keys": ["place"]}], {}, "label", "", True)


if __name__ == "__main__":
    sys.exit(main())
