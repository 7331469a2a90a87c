"""`python bench/transform.py`: the transform's analysis in process beside TFT on Beam's DirectRunner.

The flights' preprocessing_fn over twelve spans, at several numbers of rows: TFT's own AnalyzeDataset, fed by the same
readers of Parquet; `transform_features` with nothing kept; with the accumulators of eleven spans kept, so that one span
is new; and with all of them kept, which leaves tracing and TFT's SavedModel, whatever the rows. What a new span adds to
that is bounded where it can be measured. Each runs in a fresh process, whose clock starts when its libraries are
imported, and includes tracing and writing the graph. Exits with 1 if a bound does not hold, or if the vocabularies are
not TFT's.
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
from pathlib import Path
from typing import Any

from measure import measure

OUT = Path(__file__).parent / "out" / "transform"
ROWS = (336_776, 10_000_000)
SPANS = 12
ROWS_PER_FILE = 1_048_576
# How many times faster than TFT, by rows; gigabytes; and, from so many rows on, what one new span of twelve adds to the
# fixed part as a share of what all twelve add.
FASTER = {336_776: 4.0, 10_000_000: 10.0}
MOST_GB = 2.0
MOST_ADDED = 1 / 3
LEAST_ROWS = 1_000_000
# The columns of the flights that the bench writes, with their types in the schema.
COLUMNS = {
    "carrier": "BYTES",
    "origin": "BYTES",
    "dest": "BYTES",
    "dep_delay": "FLOAT",
    "distance": "INT",
    "hour": "INT",
    "flight": "INT",
}


def main() -> int:
    """Prepare, run all, and print the table; the exit code says whether the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", nargs="?", choices=["tft", "ours"], help=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, nargs="*", default=list(ROWS), help="numbers of rows")
    parser.add_argument("--no-peer", action="store_true", help="measure retrainer alone")
    arguments = parser.parse_args()
    if arguments.work:
        run_task(arguments.work, Path(arguments.folder))
        return 0
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    print("| rows | work | seconds | CPU seconds | peak memory | |")
    print("|---|---|---|---|---|---|")
    held = [compare(rows, peer=not arguments.no_peer) for rows in arguments.rows]
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    return 0 if all(held) else 1


def compare(rows: int, peer: bool) -> bool:
    """Measure all at one number of rows.

    Returns:
        Whether the bounds hold.
    """
    folder = OUT / str(rows)
    write_rows(folder, rows)
    theirs = show(rows, "TFT, DirectRunner", run("tft", folder)) if peer else None
    forget(folder)
    first = show(rows, "in process", run("ours", folder), theirs)
    made = vocabularies(folder / "ours")
    forget(folder, f"{SPANS - 1:02d}")
    newer = show(rows, "in process, one new span of twelve", run("ours", folder), theirs)
    fixed = show(rows, "in process, no new span", run("ours", folder), theirs)
    added = (newer["cpu"] - fixed["cpu"]) / max(first["cpu"] - fixed["cpu"], 1e-9)
    print(f"| {rows:,} | a new span's part of what all spans add | | {added:.2f} | | |", flush=True)
    held = first["gigabytes"] <= MOST_GB and (rows < LEAST_ROWS or added <= MOST_ADDED)
    if theirs:
        held &= theirs["seconds"] / first["seconds"] >= FASTER.get(rows, 1.0)
        held &= vocabularies(folder / "tft") == made
    return held


def show(
    rows: int, name: str, figures: dict[str, Any], beside: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Print a row of the table and return its figures."""
    ratio = f"{beside['seconds'] / figures['seconds']:.1f} times faster" if beside else ""
    print(
        f"| {rows:,} | {name} | {figures['seconds']:.2f} | {figures['cpu']:.2f} | "
        f"{figures['gigabytes']:.2f} GB | {ratio} |",
        flush=True,
    )
    return figures


def run(work: str, folder: Path) -> dict[str, Any]:
    """Run one in a process of its own."""
    log = folder / f"{work}.log"
    # As in a pipeline, where kfp sets it.
    environment = {"_KFP_RUNTIME": "true", "TF_CPP_MIN_LOG_LEVEL": "3"}
    measured = measure([sys.executable, __file__, work, str(folder)], log, environment)
    if measured.exit_code:
        raise SystemExit(f"{work} failed: {log.read_text()[-3000:]}")
    figures: dict[str, Any] = json.loads((folder / f"{work}.json").read_text())
    return {**figures, "gigabytes": measured.peak_bytes / 1e9}


def run_task(work: str, folder: Path) -> None:
    """Analyse, and write what it took."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    import keras  # noqa: F401  (the user's module imports it)

    import retrainer.components.transform_features.transform  # noqa: F401

    output = folder / work
    shutil.rmtree(output, ignore_errors=True)
    started, cpu = time.monotonic(), cpu_seconds()
    if work == "tft":
        analyse_with_tft(folder, output)
    else:
        analyse_in_process(folder, output)
    figures = {"seconds": time.monotonic() - started, "cpu": cpu_seconds() - cpu}
    (folder / f"{work}.json").write_text(json.dumps(figures))


def analyse_in_process(folder: Path, output: Path) -> None:
    """Analyse as the component does."""
    from retrainer.components.transform_features.transform import transform

    transform(str(folder / "examples"), str(folder / "schema"), str(output), "", source())


def analyse_with_tft(folder: Path, output: Path) -> None:
    """Analyse as users of TFT do, on Beam's DirectRunner; the readers are retrainer's."""
    import apache_beam as beam
    import tensorflow_transform.beam as tft_beam

    from retrainer.components.lib.examples import Examples
    from retrainer.components.lib.user_code.user_module import load_module
    from retrainer.components.transform_features.on_beam import (
        read_list_batches,
        tensor_adapter_config,
    )

    kinds = {name: _kind(name) for name in sorted(COLUMNS) if name != "flight"}
    parts = Examples.read(str(folder / "examples")).splits["train"]
    # The engine of the DirectRunner by its own name: newer releases hand that runner's pipelines to Prism, which they
    # download.
    runner = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
    with (
        tft_beam.Context(temp_dir=str(folder / "temporary")),
        beam.Pipeline(runner=runner) as pipeline,
    ):
        batches = (
            pipeline
            | beam.Create([file for part in parts for file in part.one_by_one()])
            | beam.FlatMap(read_list_batches, kinds)
        )
        analysed = (batches, tensor_adapter_config(kinds)) | tft_beam.AnalyzeDataset(
            load_module("", source()).preprocessing_fn
        )
        _ = analysed | tft_beam.WriteTransformFn(str(output))


def _kind(column: str) -> str:
    return {"BYTES": "string", "FLOAT": "float32", "INT": "int64"}[COLUMNS[column]]


def source() -> str:
    """Return the text of the flights example's model.py."""
    from retrainer.pipelines.examples.flights import data as flights_data

    return (Path(flights_data.__file__).parent / "model.py").read_text()


def write_rows(folder: Path, rows: int) -> None:
    """Write twelve spans of flights, drawn again where there are more rows than flights, with manifest and schema."""
    import numpy as np
    import pandas as pd

    from retrainer.components.lib.examples import Examples, SpanPart
    from retrainer.pipelines.examples.flights import data as flights_data

    if (folder / "complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    flights = flights_data.read_flights()[list(COLUMNS)].reset_index(drop=True)
    parts = []
    for span in range(SPANS):
        start, end = span * rows // SPANS, (span + 1) * rows // SPANS
        random = np.random.default_rng(span)
        drawn = (
            flights.iloc[start:end]
            if rows <= len(flights)
            else flights.iloc[random.integers(0, len(flights), end - start)]
        ).reset_index(drop=True)
        drawn["distance"] += random.integers(-20, 21, len(drawn))
        place = folder / "spans" / f"{span:02d}"
        place.mkdir(parents=True)
        names = []
        for first in range(0, len(drawn), ROWS_PER_FILE):
            names.append(f"all-{first:08d}.parquet")
            of_file: pd.DataFrame = drawn.iloc[first : first + ROWS_PER_FILE]
            of_file.to_parquet(place / names[-1], index=False, row_group_size=65_536)
        parts.append(SpanPart(f"{span:02d}", str(place), "all", len(drawn), tuple(names)))
    Examples("late", {"train": tuple(parts), "eval": ()}, tuple(part.span for part in parts)).write(
        folder / "examples"
    )
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(
        "\n".join(
            f'feature {{ name: "{name}" type: {kind} presence {{ min_fraction: 1.0 }} }}'
            for name, kind in COLUMNS.items()
        )
    )
    (folder / "complete").touch()


def forget(folder: Path, span: str = "*") -> None:
    """Delete the accumulators of a span, or of all."""
    for file in folder.glob(f"spans/{span}/transform-*"):
        file.unlink()


def vocabularies(graph: Path) -> dict[str, bytes]:
    """Read the vocabularies of a transform graph."""
    return {file.name: file.read_bytes() for file in (graph / "transform_fn" / "assets").glob("*")}


def cpu_seconds() -> float:
    """Return the CPU time of this process."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    sys.exit(main())
