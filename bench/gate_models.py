"""`python bench/gate_models.py`: the gate on real models of the flights that differ by their training seed alone.

The example's model learns January and February once for each seed. Pairs of these models are judged on the flights of
March as challenger and champion, with `gate.require_significance` at its defaults and by value alone. Equal training
makes no equal models: what the models are really worth shows on the flights from April on, which the gate does not see.
"""

import argparse
import itertools
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

# Before TensorFlow is imported, here and in the processes that this one starts.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import pyarrow as pa
from flights_models import LABEL, flights_of, train_models
from gate import auc_of, be_quiet, judge

from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE
from retrainer.components.lib.evaluation.scores import Scores
from retrainer.components.lib.saved_models.saved_model import load_model

MODELS = Path(__file__).parent / "out" / "flights_models"
SLICE_COLUMNS = ("carrier", "origin")
GATE_MONTHS, LATER_MONTHS = (3,), range(4, 13)
MARGIN = 0.01


def main() -> int:
    """Run the bench.

    Returns:
        The exit code: 1 if more than 5 % of the models are refused that are within the margin on the later flights.
    """
    parser = argparse.ArgumentParser(description="The gate on models that differ by their seed.")
    parser.add_argument("--models", type=int, default=24, help="how many models")
    parser.add_argument("--pairs", type=int, default=200, help="how many pairs of them")
    arguments = parser.parse_args()
    be_quiet()
    started = time.monotonic()
    models = train_models(MODELS, range(1, arguments.models + 1))
    gate, later = (_rows(months) for months in (GATE_MONTHS, LATER_MONTHS))
    on_gate = [predict(model, gate) for model in models]
    on_later = [predict(model, later) for model in models]
    label = later.column(LABEL).to_numpy().astype(bool)
    worth = np.array([auc_of(label, values) for values in on_later])
    print(
        f"{len(models)} models, trained and asked in {time.monotonic() - started:.0f} s; AUC on {len(label):,} later "
        f"flights {worth.min():.4f} to {worth.max():.4f}, standard deviation {worth.std(ddof=1):.4f}"
    )
    pairs = list(itertools.permutations(range(len(models)), 2))
    chosen = np.random.default_rng(0).permutation(len(pairs))[: arguments.pairs]
    pairs = [pairs[number] for number in chosen]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=be_quiet) as pool:
        ask = partial(judge_pair, gate)
        found = np.array(
            list(pool.map(ask, [(on_gate[i], on_gate[j]) for i, j in pairs], chunksize=4))
        )
    change = np.array([worth[i] - worth[j] for i, j in pairs])
    refused, promoted, by_value = found.T
    print(
        f"{len(pairs)} pairs on {gate.num_rows:,} flights, {time.monotonic() - started:.0f} s in all"
    )
    print("| | pairs | refused | promoted as better | refused by value |")
    print("|---|---|---|---|---|")
    for name, which in (
        ("all", np.ones(len(pairs), bool)),
        ("worse by more than 0.0005 on later flights", change < -0.0005),
        ("equal to 0.0005", np.abs(change) <= 0.0005),
        ("better by more than 0.0005", change > 0.0005),
    ):
        shares = (f"{100 * one[which].mean():.1f} %" for one in (refused, promoted, by_value))
        print(f"| {name} | {which.sum()} | {' | '.join(shares) if which.any() else ''} |")
    wrong = int((refused & (change > -MARGIN)).sum())
    print(f"refused though within the margin of {MARGIN} on later flights: {wrong} of {len(pairs)}")
    print(
        f"promoted as better: {promoted.sum()}, of which {int((promoted & (change > 0)).sum())} are better on later "
        "flights"
    )
    return int(wrong > 0.05 * len(pairs))


def _rows(months: tuple[int, ...] | range) -> pa.RecordBatch:
    table = pa.Table.from_pandas(flights_of(months), preserve_index=False)
    (batch,) = table.combine_chunks().to_batches()
    return batch


def predict(model: Path, rows: pa.RecordBatch) -> np.ndarray:
    """Score rows with a SavedModel."""
    return load_model(str(model), "model").predict(rows)


def judge_pair(
    rows: pa.RecordBatch, predictions: tuple[np.ndarray, np.ndarray]
) -> tuple[bool, bool, bool]:
    """Judge a challenger; see `gate.judge`."""
    challenger, champion = predictions
    scores = Scores(
        rows.column(LABEL).to_numpy(),
        {CANDIDATE: challenger, BASELINE: champion},
        None,
        pa.table({name: rows.column(name) for name in SLICE_COLUMNS}),
    )
    return judge(scores, SLICE_COLUMNS)


if __name__ == "__main__":
    sys.exit(main())
