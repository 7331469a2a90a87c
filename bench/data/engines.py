"""The whole pipeline in process and on Beam's engines with workers in processes of their own: fixed cost and slope.

    python bench/data/engines.py
    python bench/data/engines.py --rows 3000 30000 --tasks evaluate-model
    python bench/data/engines.py --rows 336776 3000000 10000000 --engines "in process" "two pools"

The flights of 2013 are repeated to several numbers of rows, in twelve spans of which the newest evaluates. Each case is
`retrainer run` from no store, with data and store on S3 (a server on loopback) for all of them. Engines:

- `prism`: Prism, Beam's portable runner in Go, which starts one worker for each environment of a job, and a job has one
  (`RunPipeline` in sdks/v2/go/pkg/beam/runners/prism/internal/execute.go);
- `two pools`: Beam's own job service in Python, with a worker in each of two pools for a job.

Prints seconds of each task that runs on Beam, CPU seconds of everything, how many workers each pool started, and a
line through the sizes: the seconds that a task takes whatever the size, and those of a million rows more.
`evaluate_model` is left out unless it is named: TFMA on Beam reads row by row, and takes minutes for a few thousand
rows. Needs Go; 10 GB of disk at ten million rows.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np
import yaml
from flights_files import BYTES_PER_ROW, YEAR_ROWS, write_flights
from servers.beam_engine import JobService, Prism, WorkerPool, beam_args
from servers.s3 import S3Server  # type: ignore[attr-defined]  # A folder has the same name.

from retrainer.pipelines.examples.flights import data as flights_data

OUT = Path(__file__).resolve().parents[1] / "out" / "engines"
SIZES = (YEAR_ROWS, 3_000_000)
POOLS = {"in process": 0, "prism": 1, "two pools": 2}
"""How many worker pools an engine has."""
TASKS = ("compute-statistics", "transform-features", "evaluate-model")
SPANS = 12


def main() -> int:
    """Run the bench, and print the tables."""
    parser = argparse.ArgumentParser(description="The pipeline in process and on Beam's engines.")
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="how many rows")
    parser.add_argument("--engines", nargs="+", default=list(POOLS), choices=POOLS)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS[:2]), choices=TASKS)
    parser.add_argument("--work", type=Path, default=OUT, help="folder for large files")
    arguments = parser.parse_args()
    tasks: list[str] = arguments.tasks
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    print(
        f"| rows | engine | run | {' | '.join(tasks)} | CPU | workers |\n|{'---|' * (len(tasks) + 5)}"
    )
    taken: dict[tuple[str, str], list[tuple[int, float]]] = {}
    try:
        for rows in sorted(arguments.rows):
            check_disk(arguments.work, rows)
            for engine in arguments.engines:
                folder = arguments.work / f"{rows}-{engine.replace(' ', '-')}"
                shutil.rmtree(folder, ignore_errors=True)
                seconds, cpu, workers = run(folder, rows, engine, tasks)
                shutil.rmtree(folder)
                for task in tasks:
                    taken.setdefault((task, engine), []).append((rows, seconds[task]))
                of_tasks = " | ".join(f"{seconds[task]:.1f} s" for task in tasks)
                print(
                    f"| {rows:,} | {engine} | {seconds['run']:.1f} s | {of_tasks} | {cpu:.0f} s | {workers} |",
                    flush=True,
                )
    finally:
        shutil.rmtree(arguments.work, ignore_errors=True)
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    if len(arguments.rows) > 1:
        print("\n| task | engine | fixed | a million rows |\n|---|---|---|---|")
        for task, engine in sorted(taken, key=lambda of: tasks.index(of[0])):
            points = taken[task, engine]
            slope, fixed = np.polyfit(
                [rows for rows, _ in points], [spent for _, spent in points], 1
            )
            print(f"| {task} | {engine} | {fixed:.1f} s | {slope * 1e6:.1f} s |")
    return 0


def run(
    folder: Path, rows: int, engine: str, tasks: Sequence[str]
) -> tuple[dict[str, float], float, str]:
    """Run the pipeline once.

    Args:
        folder: Where everything is written.
        rows: How many rows the window has.
        engine: One of `POOLS`.
        tasks: The tasks that run on it.

    Returns:
        Seconds of the run and of each task by its name, CPU seconds of all processes but the store's, and how many
        workers each pool started.
    """
    with S3Server(folder / "s3") as s3:
        files = write_flights(folder / "flights", rows)
        months = sorted(Path(files.months).parent.iterdir())[:SPANS]
        (s3.bucket / "data").mkdir()
        for month in months:
            shutil.move(month, s3.bucket / "data" / month.name)
        shutil.rmtree(folder / "flights")
        before = cpu_seconds()
        with serve(folder, engine, s3) as options:
            project = write_project(folder / "project", options, tasks)
            began = time.monotonic()
            done = subprocess.run(
                [str(Path(sys.executable).with_name("retrainer")), "run", str(project), "--json"],
                env={**os.environ, **s3.environment},
                capture_output=True,
                text=True,
            )
            seconds = time.monotonic() - began
        # Those of the engine's processes count once they have ended.
        cpu = cpu_seconds() - before
    if done.returncode:
        raise SystemExit(f"{engine}, {rows:,} rows: {done.stdout[-1000:]}{done.stderr[-3000:]}")
    record: dict[str, Any] = json.loads(done.stdout)
    taken = {name: float(task["seconds"]) for name, task in record["tasks"].items()}
    logs = [(folder / f"pool-{number}" / "log").read_text() for number in range(POOLS[engine])]
    workers = " and ".join(str(log.count("Starting worker with")) for log in logs)
    return {"run": seconds, **taken}, cpu, workers


@contextlib.contextmanager
def serve(folder: Path, engine: str, s3: S3Server) -> Iterator[list[str]]:
    """Start an engine; yields Beam's options for it, none for this process."""
    with contextlib.ExitStack() as stack:
        addresses = []
        for number in range(POOLS[engine]):
            place = folder / f"pool-{number}"
            place.mkdir()
            pool = WorkerPool(place, {**s3.environment, "TF_CPP_MIN_LOG_LEVEL": "3"})
            addresses.append(stack.enter_context(pool).address)
        if not addresses:
            yield []
        elif engine == "prism":
            prism = stack.enter_context(Prism(folder / "prism.log"))
            yield beam_args(prism.address, addresses[0])
        else:
            jobs = stack.enter_context(JobService(folder / "jobs.log", addresses))
            yield beam_args(jobs.address, jobs.pools)


def write_project(folder: Path, options: list[str], tasks: Sequence[str]) -> Path:
    """Write the flights' project, with data and store on S3 and some tasks on an engine; its retrain.yaml."""
    folder.mkdir()
    example = Path(flights_data.__file__).parent
    shutil.copy(example / "model.py", folder)
    settings = yaml.safe_load((example / "retrain.yaml").read_text())
    settings["data"] |= {
        "pattern": "s3://acme/data/flights-{span:%Y-%m}.csv",
        "window": SPANS,
        "split": {"eval_spans": 1},
    }
    settings["model"] |= {"steps": 430}
    settings |= {"store": "s3://acme/store", "pipeline_root": str(folder / "root")}
    if options:
        named = dict(option.removeprefix("--").split("=", 1) for option in options[1:])
        components = [task.replace("-", "_") for task in tasks]
        settings["engine"] = {"runner": "portable", "options": named, "components": components}
    file = folder / "retrain.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    return file


def check_disk(folder: Path, rows: int) -> None:
    """End the bench if there is no room for the data, as the service, the store and the artifacts have them."""
    folder.mkdir(parents=True, exist_ok=True)
    needed = 6 * rows * BYTES_PER_ROW
    free = shutil.disk_usage(folder).free
    if free < needed:
        sys.exit(
            f"{rows:,} rows need {needed / 1e9:.0f} GB in {folder}, where {free / 1e9:.0f} GB are free. Name another "
            "folder with --work, or fewer rows with --rows."
        )


def cpu_seconds() -> float:
    """Return the CPU time of all processes that this one has waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    sys.exit(main())
