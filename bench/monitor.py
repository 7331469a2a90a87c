"""How long `monitor_model` takes for a day of a million labelled requests, beside a champion of ten million rows.

Run `python bench/monitor.py`; it makes the rows, judges days one after the other, each in a process of its own, and
prints a table in Markdown. `--rows` and `--reference` make it smaller.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retrainer.components.join_labels.join import join_labels
from retrainer.components.join_labels.settings import LabelSettings
from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.predictions.prediction_sets import RECORD_FILE
from retrainer.components.lib.predictions.prediction_table import make_rows, table_schema
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_atomic, write_json
from retrainer.pipelines.project.sections.monitoring.monitoring import MonitoringConfig

FLOATS, TEXTS = 6, {"carrier": 16, "origin": 3, "plane": 4_000}
LABEL, VERSION, SPANS = "late", "a" * 16, 10
FIRST = datetime(2026, 10, 1, tzinfo=UTC)
EARLIER_ROWS = 20_000


def make_features(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Draw the columns that the model is sent."""
    random = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {"hour": random.integers(0, 24, rows)}
    for number in range(FLOATS):
        found[f"x{number}"] = random.normal(0, 1 + number, rows).astype(np.float32)
    for name, values in TEXTS.items():
        words = np.array([f"{name}-{number}" for number in range(values)])
        found[name] = words[np.minimum(random.geometric(min(0.5, 8 / values), rows), values) - 1]
    return found


def score(features: dict[str, np.ndarray]) -> np.ndarray:
    """Return what the model answers."""
    return np.asarray(1 / (1 + np.exp(-features["x0"])), np.float32)


def write_training_span(store: str, name: str, rows: int, seed: int) -> None:
    """Write a span as `ingest_spans` leaves it."""
    features = make_features(rows, seed)
    late = np.random.default_rng(seed + 1_000).uniform(size=rows) < score(features)
    folder = Path(Store(store).version_uri(name, VERSION))
    folder.mkdir(parents=True)
    pq.write_table(pa.table({**features, LABEL: late.astype(np.int64)}), folder / "all-0.parquet")
    record = {
        "span": name,
        "version": VERSION,
        "parts": {"all": {"rows": rows, "files": ["all-0.parquet"]}},
        "counts": {"kept": rows},
        "source_columns": [*features, LABEL],
    }
    write_json(str(folder / "span.json"), record)


def push_champion(store: str, folder: Path, spans: list[str]) -> None:
    """Push a model that was trained on all spans but the last, and evaluated on that."""
    import tensorflow as tf

    features = make_features(1, 0)
    kinds = {
        name: tf.string if values.dtype.kind == "U" else values.dtype
        for name, values in features.items()
    }
    module = tf.Module()
    module.function = tf.function(
        lambda **columns: {"predictions": tf.sigmoid(tf.cast(columns["x0"], tf.float32))[:, None]}
    )
    specs = {name: tf.TensorSpec([None], kind, name=name) for name, kind in kinds.items()}
    signature = module.function.get_concrete_function(**specs)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": signature})
    info = {
        "train_spans": spans[:-1],
        "eval_spans": spans[-1:],
        "span_versions": dict.fromkeys(spans, VERSION),
    }
    registry = Registry(Store(store).models_uri)
    made = registry.add(str(folder), digest_folder(str(folder)), info).version
    schema = "".join(
        f'feature {{ name: "{name}" type: {kind} presence {{ min_fraction: 1.0 min_count: 1 }} }}\n'
        for name, kind in [
            (name, {"U": "BYTES", "f": "FLOAT"}.get(values.dtype.kind, "INT"))
            for name, values in features.items()
        ]
    )
    write_atomic(f"{registry.version_uri(made)}/schema.pbtxt", schema)
    registry.move_alias(CHAMPION, made, None, {"at": FIRST.isoformat(), "action": "push"})


def write_day(store: str, day: datetime, rows: int, seed: int) -> None:
    """Write a day of predictions as `ingest_predictions` leaves it."""
    features = make_features(rows, seed)
    inputs = pa.table(features)
    times = np.datetime64(day.replace(tzinfo=None), "us") + np.arange(rows) * (
        86_400_000_000 // rows
    )
    table = make_rows(
        table_schema(inputs.schema, 1, list(features)),
        inputs,
        score(features),
        request_id=f"{day:%Y-%m-%d}",
        rows=np.arange(rows),
        model_version=1,
        variant="stable",
        occurred_at=pa.array(times, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
        latency_ms=3.0,
    )
    folder = Path(Store(store).predictions_of_span_uri(f"{day:%Y-%m-%d}")) / "v1"
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "part-00000.parquet", row_group_size=131_072)
    record = {
        "format": 1,
        "span": f"{day:%Y-%m-%d}",
        "version": "v1",
        "files": ["part-00000.parquet"],
        "rows": rows,
        "errors": 0,
        "model_version": 1,
        "model_digest": "",
        "scored": (day + timedelta(days=1)).isoformat(timespec="milliseconds"),
    }
    write_json(str(folder / RECORD_FILE), record)
    late = np.random.default_rng(seed + 1_000).uniform(size=rows) < score(features)
    labels = {"request_id": table["request_id"], "row": table["row"], LABEL: late.astype(np.int64)}
    place = Path(store) / "labels"
    place.mkdir(exist_ok=True)
    pq.write_table(pa.table(labels), place / f"{day:%Y-%m-%d}.parquet")


def join(store: str, now: datetime) -> None:
    """Join the labels that are there, as the task before `monitor_model` does."""
    settings = LabelSettings(f"{store}/labels/{{span:%Y-%m-%d}}.parquet", LABEL)
    join_labels(store, settings, now=now)


def look(store: str, now: str) -> None:
    """Judge what is new, in this process, and print what it took."""
    from retrainer.components.monitor_model.monitor import monitor

    began = time.monotonic()
    section = {
        "window": {"catch_up": 100},
        "labels": {"pattern": f"{store}/labels/{{span}}.parquet"},
    }
    settings = MonitoringConfig.model_validate(section).values()
    found = monitor(
        store,
        settings,
        label=LABEL,
        evaluation={"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}], "slicing_specs": [{}]},
        report_path=f"{store}/report.html",
        clock=lambda: datetime.fromisoformat(now),
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "seconds": time.monotonic() - began,
                "cpu": used.ru_utime + used.ru_stime,
                "bytes": used.ru_maxrss * 1024,
                "verdict": found.verdict,
            }
        )
    )


def run_look(store: str, now: datetime) -> dict[str, float | str]:
    """Judge in a process of its own: seconds from start to exit, CPU seconds, peak memory, the verdict."""
    began = time.monotonic()
    command = [sys.executable, "-W", "ignore", __file__, "--look", store, now.isoformat()]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=quiet)
    found: dict[str, float | str] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**found, "whole": time.monotonic() - began}


def main() -> None:
    """Make the rows, judge, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of a day")
    parser.add_argument(
        "--reference", type=int, default=10_000_000, help="rows of the champion's spans"
    )
    parser.add_argument("--days", type=int, default=21, help="smaller days before")
    parser.add_argument("--look", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.look:
        look(*given.look)
        return
    root = Path(tempfile.mkdtemp(prefix="retrainer-bench-"))
    try:
        store = str(root / "store")
        spans = [f"2025-{number:02d}" for number in range(1, SPANS + 1)]
        for number, name in enumerate(spans):
            write_training_span(store, name, given.reference // SPANS, number)
        push_champion(store, root / "model", spans)
        for number in range(given.days):
            write_day(store, FIRST + timedelta(days=number), EARLIER_ROWS, 100 + number)
        rows = [
            (
                "the first look: makes sketches and reference",
                FIRST + timedelta(days=given.days, hours=1),
            )
        ]
        for number in range(given.days, given.days + 2):
            write_day(store, FIRST + timedelta(days=number), given.rows, 100 + number)
            rows.append(
                (f"a day of {given.rows:,} rows", FIRST + timedelta(days=number + 1, hours=1))
            )
        print(
            "| | from start to exit | of that judging | CPU time | peak memory |\n|---|---|---|---|---|"
        )
        for what, now in rows:
            join(store, now)
            found = run_look(store, now)
            print(
                f"| {what} | {found['whole']:.1f} s | {found['seconds']:.1f} s | {found['cpu']:.1f} s | "
                f"{float(found['bytes']) / 1e9:.2f} GB |",
                flush=True,
            )
            print(f"  {found['verdict']}", file=sys.stderr)
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
