"""Batch prediction on millions of flights, beside Beam's RunInference: rows a second from start to exit, and memory.

`python bench/predict.py` prepares both and runs one after the other. RunInference gets the same model, reads and writes
Parquet, and stacks named columns into arrays batch by batch, as its users do for a model with several inputs.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from measure import Measured, measure

OUT = Path(__file__).parent / "out" / "predict"
ROWS, BEAM_ROWS = 10_000_000, 1_000_000
ROWS_PER_FILE = 1_000_000
PYTHON = sys.executable


def main() -> int:
    """Prepare, run both, and print the table; the exit code says whether the bound holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", nargs="?", choices=["ours", "beam"], help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows that retrainer scores")
    parser.add_argument("--beam-rows", type=int, default=BEAM_ROWS, help="rows for RunInference")
    arguments = parser.parse_args()
    if arguments.work == "ours":
        score_ours(OUT / "ours")
        return 0
    if arguments.work == "beam":
        score_on_beam(OUT / "beam", OUT / "scored")
        return 0
    prepare(arguments.rows, arguments.beam_rows)
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    print("| | rows | seconds | rows a second | CPU seconds | rows a CPU second | peak memory |")
    print("|---|---|---|---|---|---|---|")
    speed, cpu_speed = [], []
    for name, work, rows in (
        ("predict_batch", "ours", arguments.rows),
        ("Beam's RunInference", "beam", arguments.beam_rows),
    ):
        before = cpu_seconds()
        measured = run(work)
        cpu = cpu_seconds() - before
        speed.append(rows / measured.seconds)
        cpu_speed.append(rows / cpu)
        print(
            f"| {name} | {rows:,} | {measured.seconds:.1f} | {speed[-1]:,.0f} | {cpu:.1f} | {cpu_speed[-1]:,.0f} | "
            f"{measured.total_bytes / 1e9:.2f} GB |",
            flush=True,
        )
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    print(
        f"{speed[0] / speed[1]:.1f} times as many rows a second, {cpu_speed[0] / cpu_speed[1]:.1f} times as many a CPU "
        "second; the bound is 20."
    )
    return 0 if speed[0] >= 20 * speed[1] else 1


def cpu_seconds() -> float:
    """Return the CPU time of all processes that this one has waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def run(work: str) -> Measured:
    """Run one of the two in a process of its own: `predict_batch` as in a pipeline, where kfp sets a variable."""
    environment = {"_KFP_RUNTIME": "true"} if work == "ours" else {}
    measured = measure([PYTHON, __file__, work], OUT / f"{work}.log", environment)
    if measured.exit_code:
        raise SystemExit(f"{work} failed: {(OUT / f'{work}.log').read_text()[-3000:]}")
    return measured


def prepare(rows: int, beam_rows: int) -> None:
    """Train the flights' model once, and write flights to score: repeated, delays and distances perturbed."""
    project = OUT / "project"
    if not (project / "store" / "models" / "aliases").exists():
        shutil.rmtree(project, ignore_errors=True)
        command = [str(Path(PYTHON).with_name("retrainer"))]
        subprocess.run([*command, "init", str(project), "--example", "flights"], check=True)
        subprocess.run([*command, "run", str(project / "retrain.yaml")], check=True)
    for folder in ("ours", "beam", "scored", "predictions"):
        shutil.rmtree(OUT / folder, ignore_errors=True)
    write_flights(OUT / "ours", rows)
    write_flights(OUT / "beam", beam_rows)


def write_flights(folder: Path, rows: int) -> None:
    """Write Parquet files of at most a million rows."""
    import numpy as np
    import pandas as pd

    sources = sorted((OUT / "project" / "data").glob("*"))
    flights = pd.concat([pd.read_csv(source) for source in sources], ignore_index=True)
    folder.mkdir(parents=True)
    for start in range(0, rows, ROWS_PER_FILE):
        random = np.random.default_rng(start)
        count = min(ROWS_PER_FILE, rows - start)
        part = flights.iloc[random.integers(0, len(flights), count)].reset_index(drop=True)
        part["dep_delay"] += random.integers(-5, 6, count)
        part["distance"] += random.integers(-20, 21, count)
        part["id"] = np.arange(start, start + count)
        part.to_parquet(folder / f"2013-{start // ROWS_PER_FILE:05d}.parquet", index=False)


def score_ours(folder: Path) -> None:
    """Score with `predict_batch`, as its component does."""
    from retrainer.components.lib.source_rows.settings import IngestSettings
    from retrainer.components.predict_batch.predict import predict
    from retrainer.components.predict_batch.settings import PredictSettings
    from retrainer.pipelines.project.config import load_config

    config = load_config(OUT / "project" / "retrain.yaml").config
    settings = PredictSettings(IngestSettings(label="", key=("id",), columns=config.data.columns))
    predicted = predict(
        str(folder / "{span}-*.parquet"),
        config.store,
        settings,
        output=str(OUT / "predictions"),
    )
    print(predicted.verdict)


def score_on_beam(folder: Path, output: Path) -> None:
    """Score with Beam's RunInference on its in-process runner."""
    import apache_beam as beam
    import numpy as np
    import pyarrow as pa
    import tensorflow as tf
    from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference

    from retrainer.components.lib.engine.pipelines import pipeline_options
    from retrainer.components.lib.registry.registry import CHAMPION, Registry
    from retrainer.components.lib.saved_models.saved_model import load_model

    version = Registry(str(OUT / "project" / "store" / "models")).resolve(CHAMPION)
    if version is None:
        raise SystemExit("no champion")
    uri, kinds = version.uri, load_model(version.uri, "model").kinds

    class Handler(ModelHandler[dict[str, Any], PredictionResult, Any]):
        """A SavedModel with named inputs."""

        def load_model(self) -> Any:
            return tf.saved_model.load(uri)

        def run_inference(
            self, batch: Sequence[dict[str, Any]], model: Any, inference_args: Any = None
        ) -> Iterable[PredictionResult]:
            def column(name: str) -> Any:
                cells = [row[name] for row in batch]
                if kinds[name] == "string":
                    return tf.constant([cell or "" for cell in cells])
                return tf.constant(np.array(cells, float).astype(kinds[name]))

            outputs = model.signatures["serving_default"](**{name: column(name) for name in kinds})
            values = next(iter(outputs.values())).numpy().reshape(-1)
            return [
                PredictionResult(row, float(value))
                for row, value in zip(batch, values, strict=True)
            ]

    schema = pa.schema([("id", pa.int64()), ("prediction", pa.float32())])
    with beam.Pipeline(options=pipeline_options()) as pipeline:
        (
            pipeline
            | beam.io.ReadFromParquet(str(folder / "*.parquet"), columns=["id", *kinds])
            | RunInference(Handler())
            | beam.Map(lambda one: {"id": one.example["id"], "prediction": one.inference})
            | beam.io.WriteToParquet(str(output / "part"), schema)
        )


if __name__ == "__main__":
    sys.exit(main())
