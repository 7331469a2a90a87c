"""`python bench/evaluation_scale.py`: evaluation by rows and slices, paired intervals, many slices, and whole tasks.

Each line is measured in a process of its own, whose clock starts when its libraries are imported and its rows are made:

- metrics of two models (AUC, accuracy, count, calibration plot) of up to ten million rows in up to fifty slices;
- the same with the paired intervals of 100 draws behind the gate's `require_significance`;
- the whole of `evaluate_model` in a hundred thousand slices;
- the same on ten million flights in Parquet files: reading, the predictions of two SavedModels,
  metrics, the gate's evidence, result files and report.

Exits with 1 if a bound does not hold.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluation import TASKS, cpu_seconds
from measure import measure

OUT = Path(__file__).parent / "out" / "evaluation_scale"
MODELS = Path(__file__).parent / "out" / "flights_models"
SIZES = (1_000_000, 3_000_000, 10_000_000)
# By how many slices: columns to slice by, and how many values each has. All rows together are a slice, too.
SLICES = {
    5: {"weekday": 4},
    20: {"weekday": 4, "region": 15},
    50: {"weekday": 4, "region": 15, "product": 30},
}
MANY = 100_000
DRAWS = 100
# Time per row may rise so much from the smallest size to the largest, and per row and slice from few slices to many.
MOST_GROWTH = 1.3
MOST_WITH_DRAWS = 5.0
MOST_GB = 8.0


def main() -> int:
    """Run all and print the tables.

    Returns:
        The exit code: 1 if a bound does not hold.
    """
    parser = argparse.ArgumentParser(description="Evaluation at several sizes.")
    parser.add_argument("work", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="numbers of rows")
    parser.add_argument(
        "--only", choices=["sizes", "draws", "slices", "task"], nargs="+", help="some of the parts"
    )
    arguments = parser.parse_args()
    if arguments.work:
        work, rows, slices = arguments.work
        run_work(work, int(rows), int(slices))
        return 0
    sizes = sorted(arguments.rows)
    parts = {
        "sizes": lambda: by_size(sizes),
        "draws": lambda: with_draws(sizes),
        "slices": many_slices,
        "task": lambda: whole_task(sizes[-1]),
    }
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    missed: list[str] = []
    for name, part in parts.items():
        if not arguments.only or name in arguments.only:
            missed += part()
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    for line in missed:
        print(f"missed: {line}")
    return int(bool(missed))


def by_size(sizes: list[int]) -> list[str]:
    """Measure the metrics by rows and slices."""
    print("| rows | slices | seconds | CPU seconds | ns a row and slice | peak memory |")
    print("|---|---|---|---|---|---|")
    cpu: dict[tuple[int, int], float] = {}
    for rows in sizes:
        for slices in SLICES:
            found = run("metrics", rows, slices)
            cpu[rows, slices] = found["cpu"]
            print(
                f"| {rows:,} | {slices} | {found['seconds']:.2f} | {found['cpu']:.2f} | "
                f"{found['seconds'] / rows / slices * 1e9:.1f} | {found['gigabytes']:.2f} GB |",
                flush=True,
            )
    missed = []
    small, large, few, many = sizes[0], sizes[-1], min(SLICES), max(SLICES)
    for slices in SLICES:
        growth = cpu[large, slices] / cpu[small, slices] / (large / small)
        if growth > MOST_GROWTH:
            missed.append(f"{slices} slices: {growth:.2f} times the time a row from {small:,} rows")
    for rows in sizes:
        growth = cpu[rows, many] / cpu[rows, few] / (many / few)
        if growth > MOST_GROWTH:
            missed.append(f"{rows:,} rows: {growth:.2f} times the time a slice from {few} slices")
    return missed


def with_draws(sizes: list[int]) -> list[str]:
    """Measure what the paired intervals add."""
    print("| rows | slices | metrics | with paired intervals | | peak memory |")
    print("|---|---|---|---|---|---|")
    missed = []
    for rows in sizes:
        found = run("draws", rows, 20)
        ratio = found["with_draws"] / found["seconds"]
        print(
            f"| {rows:,} | 20 | {found['seconds']:.2f} s | {found['with_draws']:.2f} s | {ratio:.1f} times | "
            f"{found['gigabytes']:.2f} GB |",
            flush=True,
        )
        if ratio > MOST_WITH_DRAWS:
            missed.append(f"{rows:,} rows: {ratio:.1f} times the time with {DRAWS} draws")
    return missed


def many_slices() -> list[str]:
    """Measure the whole of evaluate_model with a slice for each of many customers."""
    run("flights", SIZES[0], MANY)
    found = run("many", SIZES[0], MANY)
    print(
        f"evaluate_model, {SIZES[0]:,} rows in {MANY:,} slices: {found['seconds']:.0f} s, {found['cpu']:.0f} s of CPU, "
        f"{found['gigabytes']:.2f} GB; {found['verdict']}",
        flush=True,
    )
    return []


def whole_task(rows: int) -> list[str]:
    """Measure the whole of evaluate_model."""
    run("flights", rows, 20)
    print("| evaluate_model | rows | seconds | CPU seconds | peak memory | |")
    print("|---|---|---|---|---|---|")
    missed = []
    for work, title in (("task", "thresholds"), ("gated", "with require_significance")):
        found = run(work, rows, 20)
        print(
            f"| {title} | {rows:,} | {found['seconds']:.1f} | {found['cpu']:.1f} | {found['gigabytes']:.2f} GB | "
            f"{found['verdict']} |",
            flush=True,
        )
        if found["gigabytes"] > MOST_GB:
            missed.append(f"{title}: {found['gigabytes']:.1f} GB, more than {MOST_GB:.0f}")
    return missed


def run(work: str, rows: int, slices: int) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    log = OUT / f"{work}.log"
    # As in a pipeline, where kfp sets it.
    environment = {"_KFP_RUNTIME": "true", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, work, str(rows), str(slices)]
    measured = measure(command, log, environment)
    if measured.exit_code:
        raise SystemExit(f"{work} failed: {log.read_text()[-3000:]}")
    figures: dict[str, Any] = json.loads((OUT / f"{work}.json").read_text())
    return {**figures, "gigabytes": measured.peak_bytes / 1e9}


def run_work(work: str, rows: int, slices: int) -> None:
    """Do one measurement, and write what it took."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    WORKS[work](work, rows, slices)


def compute_metrics(work: str, rows: int, slices: int) -> None:
    """Compute the metrics of made-up rows; of `draws`, also the paired differences."""
    from scored_rows import draw_scores

    from retrainer.components.lib.evaluation.eval_config import build_eval_config
    from retrainer.components.lib.evaluation.in_process import evaluate_in_process
    from retrainer.components.lib.evaluation.paired.differences import paired_differences
    from retrainer.components.lib.evaluation.paired.groups import assign_groups

    columns = SLICES[slices]
    specs = TASKS["binary"].metrics_specs
    slicing_specs = [{}, *({"feature_keys": [name]} for name in columns)]
    config = build_eval_config(specs, slicing_specs, {}, "label", "", True)
    scores = draw_scores(rows, columns)
    started, cpu = time.monotonic(), cpu_seconds()
    evaluate_in_process(config, scores)
    figures = {"seconds": time.monotonic() - started, "cpu": cpu_seconds() - cpu}
    if work == "draws":
        paired_differences(config, scores, ["auc"], assign_groups(rows, DRAWS))
        figures["with_draws"] = time.monotonic() - started
    (OUT / f"{work}.json").write_text(json.dumps(figures))


def evaluate_flights(work: str, rows: int, slices: int) -> None:
    """Evaluate as the component does; with the gate's evidence, but for `task`."""
    from flights_models import CUSTOMER, SLICING_SPECS, train_models

    from retrainer.components.evaluate_model.evaluate import evaluate
    from retrainer.components.lib.verdicts import Champion

    challenger, champion = train_models(MODELS, [1, 2])
    folder = OUT / "task"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    Champion(1, str(champion), "0" * 64).write(str(folder / "champion"))
    threshold = {"value_threshold": {"lower_bound": {"value": 0.8}}}
    on_all = {"slicing_specs": [{}], "threshold": threshold}
    metrics = [dict(one) for one in TASKS["binary"].metrics_specs[0]["metrics"]]
    metrics[0]["per_slice_thresholds"] = [on_all]
    # A plot of each of so many slices would be looked at by nobody.
    metrics = metrics[:3] if work == "many" else metrics
    by_customer = [{}, {"feature_keys": [CUSTOMER]}]
    started, cpu = time.monotonic(), cpu_seconds()
    verdict = evaluate(
        str(flights_folder(rows, slices) / "examples"),
        str(challenger),
        str(folder / "champion"),
        str(folder / "evaluation"),
        str(folder / "blessing"),
        str(folder / "report.html"),
        [{"metrics": metrics}],
        by_customer if work == "many" else SLICING_SPECS,
        gate=None if work == "task" else {"require_significance": True},
    )
    figures = {
        "seconds": time.monotonic() - started,
        "cpu": cpu_seconds() - cpu,
        "verdict": verdict,
    }
    (OUT / f"{work}.json").write_text(json.dumps(figures))


def write_flights(work: str, rows: int, slices: int) -> None:
    """Write flights to evaluate on, and train the two models."""
    from flights_models import (
        CUSTOMER,
        LABEL,
        ROWS_PER_FILE,
        draw_customers,
        flights_of,
        repeat_flights,
        train_models,
        write_span,
    )

    from retrainer.components.lib.examples import EVAL, TRAIN, Examples

    train_models(MODELS, [1, 2])
    (OUT / f"{work}.json").write_text("{}")
    folder = flights_folder(rows, slices)
    if (folder / "complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    flights = flights_of(range(3, 13))
    for start in range(0, rows, ROWS_PER_FILE):
        drawn = repeat_flights(flights, min(ROWS_PER_FILE, rows - start), seed=start)
        if slices == MANY:
            drawn[CUSTOMER] = draw_customers(len(drawn), slices - 1, seed=start)
        part = write_span(folder, "2013-03", drawn)
    Examples(LABEL, {TRAIN: (), EVAL: (part,)}, (part.span,)).write(folder / "examples")
    (folder / "complete").touch()


def flights_folder(rows: int, slices: int) -> Path:
    """Return where flights to evaluate on lie."""
    return OUT / f"flights-{rows}{'-customers' if slices == MANY else ''}"


WORKS: dict[str, Callable[[str, int, int], None]] = {
    "metrics": compute_metrics,
    "draws": compute_metrics,
    "many": evaluate_flights,
    "flights": write_flights,
    "task": evaluate_flights,
    "gated": evaluate_flights,
}

if __name__ == "__main__":
    sys.exit(main())
