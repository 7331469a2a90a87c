"""What the tasks of a run took, from its record in the store."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# The part of a retrain that a new span costs alone. Training and evaluation are the same for a window that moves on.
DATA_TASKS = ("ingest-spans", "compute-statistics", "transform-features")
# A run for one new span of twelve takes at most this share of the first run's time for them, from so many rows on:
# below, what does not grow with the rows counts most.
MOST_SHARE = 1 / 3
LEAST_ROWS = 1_000_000
Tasks = Mapping[str, tuple[float, int]]


def read_tasks(store: Path) -> dict[str, tuple[float, int]]:
    """Read each task's seconds, from its process's start, and peak memory from the newest run's record."""
    records = sorted(store.glob("runs/*/run.json"), key=lambda path: path.stat().st_mtime)
    tasks: dict[str, Any] = json.loads(records[-1].read_text())["tasks"] if records else {}
    return {
        name: (task["seconds"] - (task["start_seconds"] or 0.0), task["peak_memory"] or 0)
        for name, task in tasks.items()
        if task["seconds"] is not None
    }


def data_seconds(tasks: Tasks) -> float:
    """Return the seconds of ingestion, statistics and the transform's analysis."""
    return sum(tasks[name][0] for name in DATA_TASKS)


def describe_share(first: Tasks, newer: Tasks) -> str:
    """Describe what a new span takes before training, beside a first run."""
    taken, whole = data_seconds(newer), data_seconds(first)
    return f"ingestion, statistics and analysis: {taken:.1f} of {whole:.1f} s, {taken / whole:.2f}"
