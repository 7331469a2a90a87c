"""The demo: four retrains on the flights that left New York in 2013, then weeks of serving and one more."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...components.lib.errors import RetrainerError
from ...components.lib.registry.registry import CHAMPION, Registry
from ...components.lib.store import Store
from ..examples.flights import data
from ..project.config import load_config
from ..project.starting import FIRST_MONTHS, init_project
from ..runs.records import RunRecord
from ..runs.run_words import duration, outcome
from ..site.page import write_site
from .demo_serving import SCENES, run_serving
from .progress import make_observer
from .run import run_locally
from .warm import warm_runner

MARKER = ".retrainer-demo"
NEW_MONTH, LAST_MONTH = FIRST_MONTHS + 1, FIRST_MONTHS + 2


@dataclass(frozen=True)
class Step:
    """One retrain of the demo.

    Attributes:
        run_id: Name of its run.
        title: What happens, short enough for a terminal of 80 columns.
        detail: What happens, in a sentence.
        prepare: Writes the data.
        expected: How its outcome may begin.
    """

    run_id: str
    title: str
    detail: str
    prepare: Callable[[], object]
    expected: tuple[str, ...]


def run_demo(folder: Path, verbose: bool = False) -> int:
    """Run the demo and show it.

    Args:
        folder: Where the project goes; an earlier demo there is removed.
        verbose: Whether to show the tasks' logs.

    Returns:
        0 if all ended as expected, else 1.

    Raises:
        RetrainerError: If the folder holds something else, or the flights are not installed.
    """
    console = Console(highlight=False)
    _clear(folder)
    observer = make_observer(verbose=verbose, summary=False)
    with warm_runner() as local:
        with console.status("reading the flights of 2013"):
            flights = data.read_flights()
            init_project(folder, "flights")
        (folder / MARKER).touch()
        files = folder / "data"
        console.print(
            f"{len(flights):,} flights of 2013, one span a month; January to October are there."
        )

        records = []
        steps = _steps(flights, files)
        for number, step in enumerate(steps, 1):
            console.print()
            console.rule(
                Text(f"{number} of {len(steps) + SCENES}  {step.title}", style="bold"), align="left"
            )
            console.print(Text(step.detail), soft_wrap=True)
            step.prepare()
            loaded = load_config(folder / "retrain.yaml")
            record = run_locally(local, loaded, observer, run_id=step.run_id)
            champion = Registry(Store(record.store).models_uri).resolve(CHAMPION)
            records.append((step, record, f"version {champion.version}" if champion else "none"))
        problems = [
            f"{step.run_id} ended unexpectedly; expected: {' or '.join(step.expected)}"
            for step, record, _ in records
            if not outcome(record).startswith(step.expected)
        ]
        # The join is right again.
        for month in range(FIRST_MONTHS, LAST_MONTH):
            data.write_month(flights, month, files)
        loaded = load_config(folder / "retrain.yaml")
        retrains, more = run_serving(local, loaded, folder, flights, console, lambda: observer)
        problems += more
        champion = Registry(Store(loaded.config.store).models_uri).resolve(CHAMPION)
        in_service = f"version {champion.version}" if champion else "none"
        shown = [(record, after) for _, record, after in records]
        shown += [(record, in_service) for record in retrains]
    write_site(loaded.config.store, loaded.config.name)
    _print_table(shown, console)
    _print_next_steps(folder, console)
    for problem in problems:
        console.print(Text(problem, style="red"), soft_wrap=True)
    return 1 if problems else 0


def _steps(flights: pd.DataFrame, files: Path) -> list[Step]:
    def fix_and_shuffle() -> None:
        data.write_month(flights, LAST_MONTH, files)
        for month in range(FIRST_MONTHS, LAST_MONTH):
            data.write_shuffled_month(flights, month, files)

    return [
        Step(
            "1-first-retrain",
            "The first retrain: there is no champion yet",
            "The value thresholds alone decide.",
            lambda: None,
            ("pushed as version 1",),
        ),
        Step(
            "2-new-month",
            "November arrives: only it is ingested",
            "The new model is compared with the champion on November's flights.",
            lambda: data.write_month(flights, NEW_MONTH, files),
            ("pushed", "refused"),
        ),
        Step(
            "3-broken-month",
            "December arrives broken",
            "The column dep_delay is missing, carriers are unknown, distances are negative.",
            lambda: data.write_broken_month(flights, LAST_MONTH, files),
            ("stopped at validate_examples",),
        ),
        Step(
            "4-worse-model",
            "December is fixed, but the labels are wrong",
            "A bad join has shuffled the labels of October and November, which train the model.",
            fix_and_shuffle,
            ("refused",),
        ),
    ]


def _clear(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise RetrainerError(
                f"'{folder}' exists and was not written by the demo. Name another folder with --dir."
            )
        shutil.rmtree(folder)


def _print_table(records: list[tuple[RunRecord, str]], console: Console) -> None:
    console.print()
    table = Table(box=None, pad_edge=False)
    table.add_column("run", no_wrap=True)
    table.add_column("outcome", overflow="fold")
    table.add_column("in service", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    for record, champion in records:
        # The numbers behind it stand above, where the run ended.
        ended = outcome(record).partition(":")[0]
        table.add_row(record.run_id, Text(ended), champion, duration(record.seconds))
    console.print(table)


def _print_next_steps(folder: Path, console: Console) -> None:
    # A newcomer has no `retrainer` on the path: `make demo` calls the environment's own.
    called = sys.argv[0]
    program = os.path.relpath(called) if os.path.basename(called) == "retrainer" else "retrainer"
    for text in (
        f"All of it:      {folder}/store/index.html, opens in a browser",
        f"Reports:        {folder}/store/runs/<run>/reports/*.html",
        f"The runs:       {program} runs list --file {folder}/retrain.yaml",
        f"One of them:    {program} runs show 2-new-month --file {folder}/retrain.yaml",
        f"The same again: {program} run {folder}/retrain.yaml",
        f"Your own data:  {program} init my-project, then docs/getting-started.md",
    ):
        console.print(Text(text), soft_wrap=True)
