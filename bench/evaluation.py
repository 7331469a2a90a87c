"""`python bench/evaluation.py`: evaluation over arrays beside TFMA on Beam's DirectRunner.

The same made-up rows with the scores of two models, in 20 slices, go through both, from scores in memory to TFMA's
result files; each runs in a process of its own, whose clock starts when its libraries are imported. retrainer gets all
rows. TFMA takes many minutes for them, so it gets three smaller numbers of them: the line through the first and the
last gives its time for all, and the one between shows whether it is a line. `--whole` runs TFMA on all rows as well. On
the smaller numbers both run, and every value has to be the same.
Exits with 1 if a bound does not hold.
"""

import argparse
import json
import logging
import os
import resource
import shutil
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import measure

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2


OUT = Path(__file__).parent / "out" / "evaluation"
ROWS = 336_776
# With all rows together 20 slices.
SLICES = {"carrier": 16, "origin": 3}
SAME = 1e-9


@dataclass(frozen=True)
class Task:
    """What is evaluated.

    Attributes:
        title: What the table calls it.
        classes: Of the label.
        metrics_specs: The metrics.
        peer_rows: The numbers of rows that TFMA gets.
        faster: How many times faster than TFMA retrainer has to be.
    """

    title: str
    classes: int
    metrics_specs: list[dict[str, Any]]
    peer_rows: tuple[int, int, int]
    faster: float


TASKS = {
    "binary": Task(
        "two labels: AUC, accuracy, count, calibration plot",
        2,
        [
            {
                "metrics": [
                    {"class_name": "AUC"},
                    {"class_name": "BinaryAccuracy"},
                    {"class_name": "ExampleCount"},
                    {"class_name": "CalibrationPlot"},
                ]
            }
        ],
        (4_000, 8_000, 16_000),
        60.0,
    ),
    "classes": Task(
        "ten classes: accuracy, count; AUC, precision, recall by class",
        10,
        [
            {
                "metrics": [
                    {"class_name": "SparseCategoricalAccuracy"},
                    {"class_name": "ExampleCount"},
                ]
            },
            {
                "binarize": {"class_ids": {"values": list(range(10))}},
                "metrics": [
                    {"class_name": "AUC"},
                    {"class_name": "Precision"},
                    {"class_name": "Recall"},
                ],
            },
        ],
        (500, 1_000, 2_000),
        30.0,
    ),
}


def main() -> int:
    """Run all and print the table.

    Returns:
        The exit code: 1 if a bound does not hold.
    """
    parser = argparse.ArgumentParser(description="Evaluation beside TFMA on the DirectRunner.")
    parser.add_argument("work", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows that retrainer evaluates")
    parser.add_argument("--only", choices=list(TASKS), help="one of the two evaluations")
    parser.add_argument("--whole", action="store_true", help="give TFMA all rows, too")
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if arguments.work:
        side, task, rows, folder = arguments.work
        run_side(side, TASKS[task], int(rows), Path(folder))
        return 0
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    print("| evaluation | | rows | seconds | CPU seconds | peak memory | |")
    print("|---|---|---|---|---|---|---|")
    missed = []
    for name in [arguments.only] if arguments.only else TASKS:
        missed += compare(name, arguments.rows, arguments.whole)
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    for line in missed:
        print(f"missed: {line}")
    return int(bool(missed))


def compare(name: str, rows: int, whole: bool) -> list[str]:
    """Measure both sides of one evaluation.

    Returns:
        The bounds that do not hold.
    """
    task, missed = TASKS[name], []
    ours = run("retrainer", name, rows)
    theirs = {count: run("TFMA", name, count) for count in task.peer_rows}
    for count in task.peer_rows:
        run("retrainer", name, count)
        if differing := differences(name, count):
            missed.append(f"{task.title}, {count:,} rows: {differing} values differ from TFMA's")
    small, middle, large = task.peer_rows
    expected = {}
    for clock in ("seconds", "cpu"):
        taken = {count: figures[clock] for count, figures in theirs.items()}
        slope = (taken[large] - taken[small]) / (large - small)
        off = taken[middle] / (taken[small] + slope * (middle - small)) - 1
        expected[clock] = taken[small] + slope * (rows - small)
        print(
            f"| {task.title} | TFMA by the line, {clock} | {rows:,} | {expected[clock]:.0f} | | | "
            f"{slope * 1e3:.2f} ms a row more; {middle:,} rows are {100 * off:+.0f} % off |"
        )
    if whole:
        expected = run("TFMA", name, rows)
    ratio, by_cpu = (expected[clock] / ours[clock] for clock in ("seconds", "cpu"))
    print(
        f"| {task.title} | **{ratio:,.0f} times faster** | {rows:,} | | | | {by_cpu:,.0f} times by CPU seconds |",
        flush=True,
    )
    if ratio < task.faster:
        missed.append(
            f"{task.title}: {ratio:,.0f} times faster than TFMA, less than {task.faster:.0f}"
        )
    return missed


def run(side: str, name: str, rows: int) -> dict[str, float]:
    """Run one side in a process of its own, and print its row of the table."""
    folder = place(side, name, rows)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, __file__, side, name, str(rows), str(folder)]
    # As in a pipeline, where kfp sets it.
    environment = {"_KFP_RUNTIME": "true", "TF_CPP_MIN_LOG_LEVEL": "3"}
    measured = measure(command, folder / "log", environment)
    if measured.exit_code:
        raise SystemExit(f"{side} failed: {(folder / 'log').read_text()[-3000:]}")
    figures: dict[str, float] = json.loads((folder / "figures.json").read_text())
    print(
        f"| {TASKS[name].title} | {side} | {rows:,} | {figures['seconds']:.2f} | {figures['cpu']:.2f} | "
        f"{measured.peak_bytes / 1e9:.2f} GB | |",
        flush=True,
    )
    return figures


def place(side: str, name: str, rows: int) -> Path:
    """Return where one side's results lie."""
    return OUT / f"{name}-{rows}-{side}"


def run_side(side: str, task: Task, rows: int, folder: Path) -> None:
    """Evaluate, and write what it took."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    from scored_rows import draw_scores

    from retrainer.components.evaluate_model.on_beam import evaluate_scores_on_beam
    from retrainer.components.lib.evaluation.in_process import evaluate_in_process, write_results

    config = config_of(task)
    scores = draw_scores(rows, SLICES, task.classes)
    started, cpu = time.monotonic(), cpu_seconds()
    if side == "TFMA":
        evaluate_scores_on_beam(config, scores, str(folder), rubber_stamp=False)
    else:
        names = {spec.name: spec.name for spec in config.model_specs}
        write_results(
            evaluate_in_process(config, scores), config, str(folder), False, "made up", names
        )
    figures = {"seconds": time.monotonic() - started, "cpu": cpu_seconds() - cpu}
    (folder / "figures.json").write_text(json.dumps(figures))


def config_of(task: Task) -> "config_pb2.EvalConfig":
    """Build the config of an evaluation in 20 slices."""
    from retrainer.components.lib.evaluation.eval_config import build_eval_config

    slicing_specs = [{}, *({"feature_keys": [name]} for name in SLICES)]
    return build_eval_config(task.metrics_specs, slicing_specs, {}, "label", "", True)


def differences(name: str, rows: int) -> int:
    """Count the values of both sides that are not the same, in files that both have written."""
    from retrainer.components.evaluate_model.tfma_results import read_evaluation

    config = config_of(TASKS[name])
    ours, theirs = (
        {
            (result.name, side, metric): value.value
            for result in read_evaluation(str(place(who, name, rows)), config).slices
            for side in ("challenger", "champion", "change")
            for metric, value in getattr(result, side).items()
        }
        for who in ("retrainer", "TFMA")
    )
    if not ours or ours.keys() != theirs.keys():
        return max(len(ours.keys() ^ theirs.keys()), 1)
    return sum(not _same(ours[key], theirs[key]) for key in ours)


def _same(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= SAME or (one != one and other != other)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those that it has waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


if __name__ == "__main__":
    sys.exit(main())
