"""One measured thing, in a process of its own: `python task.py <task> <its arguments as JSON> <file of the figures>`.

The clock starts when the libraries are imported, as they are in a task that a runner forks.
"""

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Work = Callable[[], dict[str, Any]]
# Columns are equal if their counts are, and their moments to so many digits: sums run in another order.
RELATIVE_ERROR = 1e-9


def main() -> None:
    """Import what the task needs, do it, and write what it took."""
    name, arguments, target = sys.argv[1:]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    started = time.monotonic()
    work = TASKS[name](**json.loads(arguments))
    imported = time.monotonic()
    cpu = _cpu_seconds()
    found = work()
    figures = {
        "import_seconds": imported - started,
        "seconds": time.monotonic() - imported,
        "cpu_seconds": _cpu_seconds() - cpu,
        **found,
    }
    Path(target).write_text(json.dumps(figures))


def ingest(pattern: str, store: str, output: str, span: str, window: int, split: str) -> Work:
    """Put a window of spans into a store, as `ingest_spans` does.

    Args:
        pattern: Where the spans are.
        store: The store.
        output: Folder of the manifest.
        span: The window's newest span.
        window: How many spans.
        split: `newest_spans` or `hash`.

    Returns:
        The work; it finds the verdict.
    """
    from retrainer.components.ingest_spans.ingest import ingest as ingest_window
    from retrainer.components.lib.source_rows.settings import IngestSettings

    settings = IngestSettings(label="late", split=split)

    def work() -> dict[str, Any]:
        done = ingest_window(pattern, store, settings, output, span=span, window=window)
        return {"verdict": done.verdict}

    return work


def statistics(examples: str, output: str, report: str) -> Work:
    """Compute the statistics of a window with its report, as `compute_statistics` does.

    Args:
        examples: Folder of the manifest.
        output: Folder for the statistics.
        report: File for the report.

    Returns:
        The work; it finds the verdict.
    """
    from retrainer.components.compute_statistics.compute import compute

    return lambda: {"verdict": compute(examples, output, report)}


def tfdv(csv: str, output: str) -> Work:
    """Compute the statistics of a CSV file with TFDV, on Beam's DirectRunner.

    Args:
        csv: The file.
        output: File for the statistics.

    Returns:
        The work.
    """
    import tensorflow_data_validation as tfdv
    from apache_beam.options.pipeline_options import PipelineOptions

    # Newer releases of Beam may hand the pipeline to Prism, which downloads a program.
    options = PipelineOptions(["--runner=DirectRunner", "--direct_running_mode=in_memory"])

    def work() -> dict[str, Any]:
        tfdv.generate_statistics_from_csv(csv, output_path=output, pipeline_options=options)
        return {"verdict": f"TFDV {tfdv.__version__}"}

    return work


def compare(ours: str, theirs: str, rows: int) -> Work:
    """Compare statistics of the same rows: that the same work was done shows in the same numbers.

    Args:
        ours: A span's `FeatureStats.pb`, from retrainer.
        theirs: TFDV's output.
        rows: How many the data have.

    Returns:
        The work; it finds what differs, in sentences.
    """
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

    def work() -> dict[str, Any]:
        one = DatasetFeatureStatisticsList.FromString(Path(ours).read_bytes())
        other = tfdv.load_statistics(theirs)
        differences = _differences(_numbers(one), _numbers(other))
        for name, statistics in (("retrainer", one), ("TFDV", other)):
            counted = statistics.datasets[0].num_examples
            if counted != rows:
                differences.append(f"{name} counted {counted:,} of {rows:,} rows")
        return {"differences": differences}

    return work


def _numbers(statistics: Any) -> dict[str, dict[str, float]]:
    (dataset,) = statistics.datasets
    found: dict[str, dict[str, float]] = {}
    for feature in dataset.features:
        kind = feature.WhichOneof("stats")
        of_column = getattr(feature, kind)
        numbers = {
            "present": of_column.common_stats.num_non_missing,
            "missing": of_column.common_stats.num_missing,
        }
        names = ("mean", "std_dev", "min", "max", "num_zeros") if kind == "num_stats" else ()
        numbers |= {name: getattr(of_column, name) for name in names}
        if kind == "string_stats":
            numbers["unique"] = of_column.unique
        found[".".join(feature.path.step)] = numbers
    return found


def _differences(one: dict[str, dict[str, float]], other: dict[str, dict[str, float]]) -> list[str]:
    found = [f"only one has the column {name}" for name in sorted(one.keys() ^ other.keys())]
    for name in sorted(one.keys() & other.keys()):
        for number in sorted(one[name].keys() | other[name].keys()):
            mine, yours = one[name].get(number), other[name].get(number)
            near = (
                mine is not None
                and yours is not None
                and abs(mine - yours) <= RELATIVE_ERROR * max(abs(mine), abs(yours))
            )
            if not near:
                found.append(f"{name}: {number} is {mine}, and {yours} in TFDV's own pass")
    return found


def _cpu_seconds() -> float:
    # Children count once they have ended.
    return sum(os.times()[:4])


TASKS: dict[str, Callable[..., Work]] = {
    "ingest": ingest,
    "statistics": statistics,
    "tfdv": tfdv,
    "compare": compare,
}

if __name__ == "__main__":
    main()
