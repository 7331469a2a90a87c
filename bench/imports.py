"""What a task's process pays to start: CPU time of each component's imports beside `import tensorflow`."""

import os
import resource
import subprocess
import sys

from rich.console import Console
from rich.table import Table

ROUNDS = 3
# What each may take, as a multiple of `import tensorflow`; the modules are those that do the work.
BOUNDS = {
    "check_serving.check": 0.1,
    "compute_statistics.compute": 1.4,
    "evaluate_model.evaluate": 1.5,
    "ingest_spans.ingest": 0.2,
    "notify_outcome.notify": 0.1,
    "push_model.push": 0.1,
    "resolve_champion.resolve": 0.1,
    "train_model.train": 1.15,
    "transform_features.transform": 1.5,
    "validate_examples.validate": 1.4,
}


def measure_imports() -> dict[str, float]:
    """Measure every component in turn, each several times, and keep the least.

    Returns:
        CPU seconds by the module's name, and those of `import tensorflow`.
    """
    least: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name in ("tensorflow", *BOUNDS):
            module = name if name == "tensorflow" else f"retrainer.components.{name}"
            seconds = _cpu_seconds(f"import {module}")
            least[name] = min(seconds, least.get(name, seconds))
    return least


def show_imports(seconds: dict[str, float]) -> None:
    """Print the table."""
    table = Table(title=f"CPU time of imports (import tensorflow: {seconds['tensorflow']:.2f} s)")
    for heading in ("component", "seconds", "ratio", "bound"):
        table.add_column(heading, justify="left" if heading == "component" else "right")
    for name, bound in BOUNDS.items():
        ratio = seconds[name] / seconds["tensorflow"]
        style = "red" if ratio > bound else ""
        component = name.partition(".")[0]
        table.add_row(component, f"{seconds[name]:.2f}", f"{ratio:.2f}", f"{bound}", style=style)
    Console(width=None if sys.stdout.isatty() else 100).print(table)


def _cpu_seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "_KFP_RUNTIME": "true", "TF_CPP_MIN_LOG_LEVEL": "3"},
        stderr=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    show_imports(measure_imports())
