"""Ingestion of logs: rows a second and memory, by format.

Usage: python bench/ingest_predictions.py [ROWS] [FORMAT ...]
"""

import gzip
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.log_project import Project, line
from tensorflow.core.framework import types_pb2

from retrainer.components.lib.garbage_collection import collect_seldom

NUMBERS, WORDS = 12, 4
INPUTS = {
    **{f"number_{n}": types_pb2.DT_FLOAT for n in range(NUMBERS)},
    **{f"word_{n}": types_pb2.DT_STRING for n in range(WORDS)},
}
PER_REQUEST = 4
PER_FILE = 50_000


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Make rows as requests have them."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=(1_000, NUMBERS)).round(6).tolist()
    for index in range(count):
        cells = numbers[index % 1_000]
        yield {
            **{f"number_{n}": cells[n] for n in range(NUMBERS)},
            **{f"word_{n}": f"w{(index * 7 + n) % 50}" for n in range(WORDS)},
        }


def serve_log(project: Project, count: int, per_request: int = 1) -> None:
    """Write lines of serve-log."""
    asked = rows(count)
    for number in range(-(-count // PER_FILE)):
        with gzip.open(project.logs / f"{number:05d}.jsonl.gz", "wt", compresslevel=1) as file:
            left = min(PER_FILE, count - number * PER_FILE)
            for place in range(0, left, per_request):
                some = list(islice(asked, per_request))
                record = line(f"{number}-{place}", some, [[0.5]] * len(some))
                file.write(json.dumps(record) + "\n")


def json_lines(project: Project, count: int) -> None:
    """Write a line for each row."""
    moment = "2026-11-02T12:00:00Z"
    with open(project.logs / "all.jsonl", "w", encoding="utf-8") as file:
        for number, cells in enumerate(rows(count)):
            own = {"request_id": f"r{number}", "occurred_at": moment, "prediction": 0.5}
            file.write(json.dumps({**own, **cells}) + "\n")


def parquet(project: Project, count: int) -> None:
    """Write a row for each row."""
    moment = datetime(2026, 11, 2, 12, tzinfo=UTC)
    asked = rows(count)
    writer = None
    done = 0
    while some := list(islice(asked, PER_FILE)):
        table = pa.Table.from_pylist(
            [
                {"request_id": f"r{done + n}", "occurred_at": moment, "prediction": 0.5, **one}
                for n, one in enumerate(some)
            ]
        )
        done += len(some)
        writer = writer or pq.ParquetWriter(str(project.logs / "all.parquet"), table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


FORMATS: dict[str, tuple[str, Callable[[Project, int], None]]] = {
    "serve_log": ("serve_log", serve_log),
    f"serve_log, {PER_REQUEST} rows a request": (
        "serve_log",
        lambda project, count: serve_log(project, count, PER_REQUEST),
    ),
    "json_lines": ("json_lines", json_lines),
    "parquet": ("parquet", parquet),
}


def main() -> None:
    """Print a line for each format."""
    collect_seldom()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for title in sys.argv[2:] or FORMATS:
        name, write = FORMATS[title]
        with tempfile.TemporaryDirectory(prefix="retrainer-bench-") as folder:
            project = Project(Path(folder))
            project.push(INPUTS)
            write(project, count)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            started, worked = time.monotonic(), time.process_time()
            ingested = project.ingest(format=name, now=datetime.now(UTC))
            seconds, cpu = time.monotonic() - started, time.process_time() - worked
            assert ingested.rows == count
            again = time.monotonic()
            project.ingest(format=name, now=datetime.now(UTC))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(
                f"{title}: {count:,} rows of {len(INPUTS)} columns in {seconds:.1f} s ({cpu:.1f} s of CPU), "
                f"{count / seconds:,.0f} rows/s; peak {peak / 1024:,.0f} MB ({before / 1024:,.0f} MB before); "
                f"unchanged: {time.monotonic() - again:.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
