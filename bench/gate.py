"""`python bench/gate.py`: how often the gate refuses equal models and catches worse ones, beside point thresholds.

Each trial draws new rows, a champion and a challenger whose scores are the same signal with noise of their own. Their
true AUC is known: the noise that makes a challenger worse by so many points is found on four million rows. The rows lie
in fifty slices of 2 % each.
"""

import argparse
import logging
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

# Before TensorFlow is imported, here and in the processes that this one starts.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

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
from retrainer.components.lib.evaluation.metric_directions import HIGHER
from retrainer.components.lib.evaluation.paired.differences import paired_differences
from retrainer.components.lib.evaluation.paired.groups import assign_groups
from retrainer.components.lib.evaluation.scores import Scores

SLICES = 50
NOISE = 0.5
CALIBRATION_ROWS = 4_000_000
POINTS = (0.0, 0.5, 1.0, 2.0)
KINDS = (*((points, False) for points in POINTS), *((points, True) for points in POINTS[1:]))
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
    parser.add_argument("--trials", type=int, default=200, help="equal challengers")
    parser.add_argument("--worse", type=int, default=40, help="challengers of each worse kind")
    arguments = parser.parse_args()
    table = Table(title="share of challengers, AUC")
    for name in ("rows", "challenger", "refused", "promoted as better", "refused by value (TFX)"):
        table.add_column(name, justify="right")
    missed = []
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=be_quiet) as pool:
        noises = dict(zip(POINTS, pool.map(noise_for, POINTS), strict=True))
        for rows in arguments.rows:
            for points, in_slice in KINDS:
                # A false alarm is rare, so it takes many trials to see how rare.
                trials = arguments.trials if not points else arguments.worse
                found = pool.map(
                    partial(judge_trial, rows, noises[points], in_slice), range(trials), chunksize=4
                )
                refused, promoted, by_value = np.mean(list(found), axis=0).tolist()
                place = " in one slice of 2 %" if in_slice else ""
                table.add_row(
                    f"{rows:,}",
                    f"{trials} worse by {points:g} points{place}" if points else f"{trials} equal",
                    *(f"{100 * share:.1f} %" for share in (refused, promoted, by_value)),
                )
                if not points and refused > EQUAL_REFUSED:
                    missed.append(f"{refused:.1%} of equal models refused at {rows:,} rows")
                if not points and promoted > EQUAL_PROMOTED:
                    missed.append(f"{promoted:.1%} of equal models promoted at {rows:,} rows")
                if (points, in_slice, rows) == (2, False, 50_000) and refused < WORSE_REFUSED:
                    missed.append(f"{refused:.1%} of models worse by 2 points refused")
            print(f"{rows:,} rows: {time.monotonic() - started:.0f} s", flush=True)
    Console(width=110).print(table)
    for one in missed:
        print(f"missed: {one}")
    return int(bool(missed))


def judge_trial(rows: int, noise: float, in_slice: bool, seed: int) -> tuple[bool, bool, bool]:
    """Draw rows with one challenger and its champion, and judge it.

    Returns:
        Whether it is refused, promoted as better, and refused by its value alone.
    """
    return judge(draw(rows, noise, in_slice, seed), ["place"])


def judge(scores: Scores, columns: Sequence[str]) -> tuple[bool, bool, bool]:
    """Judge a challenger's AUC against the champion's on all rows and on slices.

    Returns:
        Whether it is refused, promoted as better, and refused by its value alone.
    """
    defaults = GateSettings(Significance())
    gain = GateSettings(replace(Significance(), promote_on=PromoteOn.GAIN))
    slicing_specs = [{}, *({"feature_keys": [name]} for name in columns)]
    specs = [{"metrics": [{"class_name": "AUC"}]}]
    config = build_eval_config(specs, slicing_specs, {}, "label", "", True)
    group = assign_groups(scores.rows, Significance().draws)
    found = paired_differences(config, scores, ["auc"], group)
    directions = {"auc": HIGHER}
    better = judge_differences(found, directions, gain, "it")
    return (
        any(
            check.passed is False for check in judge_differences(found, directions, defaults, "it")
        ),
        all(check.passed for check in better if check.kind == Kind.GAIN),
        any(one.difference < TFX for one in found if not one.slice_key),
    )


def be_quiet() -> None:
    """Keep warnings and logs off the table."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


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


def noise_for(points: float) -> float:
    """Find the noise that lowers the AUC by so many points, on many rows."""
    random = np.random.default_rng(0)
    signal = random.normal(size=CALIBRATION_ROWS)
    label = random.random(CALIBRATION_ROWS) < 1 / (1 + np.exp(-2 * signal))
    normal = random.normal(size=CALIBRATION_ROWS)

    def auc(noise: float) -> float:
        return auc_of(label, 2 * signal + noise * normal)

    if not points:
        return NOISE
    wanted = auc(NOISE) - points / 100
    low, high = NOISE, 4.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if auc(middle) > wanted else (low, middle)
    return (low + high) / 2


def auc_of(label: np.ndarray, score: np.ndarray) -> float:
    """Compute the area under the ROC curve from ranks, for scores that all differ."""
    ranks = np.empty(len(score))
    ranks[np.argsort(score)] = np.arange(1, len(score) + 1)
    positives = int(label.sum())
    negatives = len(label) - positives
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


if __name__ == "__main__":
    sys.exit(main())
