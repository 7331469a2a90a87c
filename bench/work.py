"""The bench's work: a year of flights in one window, a hash split, 430 steps of 512 rows."""

import shutil
from pathlib import Path

import yaml

from retrainer.pipelines.examples.flights import data as flights_data

EXAMPLE = Path(flights_data.__file__).parent
STEPS = 430
MONTHS = range(1, 13)


def write_project(
    folder: Path, data: Path, models: Path | None = None, steps: int | None = STEPS
) -> Path:
    """Write the flights example's project with the bench's settings.

    Args:
        folder: Where to; what is there is removed.
        data: The folder of the monthly files.
        models: A registry to start with, or None for no champion.
        steps: How many batches to train on; None for one pass over the training rows.

    Returns:
        Its retrain.yaml.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(EXAMPLE / "model.py", folder)
    settings = yaml.safe_load((EXAMPLE / "retrain.yaml").read_text())
    pattern = Path(settings["data"]["pattern"]).name
    settings["data"] |= {
        "pattern": str(data / pattern),
        "window": len(MONTHS),
        "split": "hash",
        "eval_fraction": 1 / 3,
    }
    length = {"steps": steps} if steps else {"epochs": 1}
    settings["model"] |= {**length, "batch_size": 512}
    file = folder / "retrain.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    if models:
        shutil.copytree(models, folder / "store" / "models")
    return file


def write_data(folder: Path) -> Path:
    """Write the twelve monthly files; flights that never arrived have no label and are left out.

    Returns:
        The folder.
    """
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        flights = flights_data.read_flights().dropna(subset=["late"])
        for month in MONTHS:
            flights_data.write_month(flights, month, folder)
        (folder / "complete").touch()
    return folder


def _next_span(folder: Path) -> Path:
    return folder / "flights-2014-01.csv"


def write_next_span(folder: Path) -> None:
    """Write the span that comes after the year: the flights know one year only, so it holds those of January."""
    shutil.copy(folder / "flights-2013-01.csv", _next_span(folder))


def remove_next_span(folder: Path) -> None:
    """Remove the span that comes after the year, if it is there."""
    _next_span(folder).unlink(missing_ok=True)


def write_peer_data(data: Path, folder: Path) -> Path:
    """Write the same rows for the peer, without the columns that retrain.yaml drops.

    Returns:
        The folder.
    """
    import pandas as pd

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dropped = yaml.safe_load((EXAMPLE / "retrain.yaml").read_text())["data"]["drop"]
    for file in sorted(data.glob("*.csv")):
        pd.read_csv(file).drop(columns=dropped).to_csv(folder / file.name, index=False)
    return folder
